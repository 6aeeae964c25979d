"""
How fast records are played to the detectors, from memory.

    python -m tests.bench.replay [FILE ...]

Without a file a generated scene is played: a camera, a call, a download and forty lamps on one
channel. For each it prints the records a second that are made, that the playing itself could
hand over, and that the detectors take; the bar is 150,000 for the last. The tests use measure().
"""

import sys
import time

from ansim.detect import engine as detection
from tools.traffic import playback
from tools.traffic.scene import Scene

BAR_PER_S = 150_000
SCENE = {
    "duration_s": 60,
    "emitters": [
        {"pattern": {"kind": "camera", "kbps": 1500}},
        {"pattern": {"kind": "call"}},
        {"pattern": {"kind": "video_download", "kbps": 6000}},
        *({"pattern": {"kind": "iot", "every_s": 2}} for _ in range(40)),
    ],
}


class _Deaf:
    """A detector that takes records and does nothing."""

    name = "deaf"

    def take(self, records, count):
        pass


def measure(traffic, hops=False, rounds=3) -> dict:
    """
    Return {"records", "made_per_s", "handed_per_s", "detected_per_s"} of a Traffic.

    The best of some rounds counts, because the machine does other things too.
    """
    started = time.perf_counter()
    kept = list(traffic.records)
    made_s = time.perf_counter() - started
    handed_s = min(_play(traffic, kept, hops, lambda: detection.Engine([_Deaf()])) for _ in range(rounds))
    detected_s = min(_play(traffic, kept, hops, playback.make_engine) for _ in range(rounds))
    count = len(kept)
    return {
        "records": count,
        "made_per_s": round(count / made_s),
        "handed_per_s": round(count / handed_s),
        "detected_per_s": round(count / detected_s),
    }


def _play(traffic, kept, hops, make_engine):
    again = traffic._replace(records=iter(kept))
    started = time.process_time()
    if hops:
        found = playback.play_hopping(again, make_engine(), playback.firmware_plan(again))
    else:
        found = playback.play_on_channel(again, make_engine)
    for _ in found:
        pass
    return time.process_time() - started


def main() -> None:
    for name in sys.argv[1:] or [None]:
        traffic = playback.open_traffic(name) if name else playback.from_scene(Scene(SCENE))
        found = measure(traffic)
        print(f"{name or 'generated scene'}: " + ", ".join(f"{key} {value}" for key, value in found.items()))


if __name__ == "__main__":
    main()
