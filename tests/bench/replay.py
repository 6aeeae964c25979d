"""
Measure how fast recorded traffic is played to the detectors, from memory.

    python -m tests.bench.replay [FILE ...]

Without a file it plays a generated scene: a camera, a call, a download and forty lamps on one
channel. It prints the records per second that are generated, that playback alone passes on, and
that the detectors take; the bar is 150,000 for the last. The tests use measure().
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


class _NullDetector:
    """A detector that takes records and does nothing."""

    name = "null"

    def take(self, records, count):
        pass


def measure(traffic: playback.Traffic, hops: bool = False, rounds: int = 3) -> dict[str, int]:
    """
    Return {"records", "made_per_s", "handed_per_s", "detected_per_s"} of a Traffic.

    Each rate is the best of some rounds, because other processes use the machine too.
    """
    started = time.perf_counter()
    kept = list(traffic.records)
    made_s = time.perf_counter() - started
    handed_s = min(_play(traffic, kept, hops, lambda: detection.Engine([_NullDetector()])) for _ in range(rounds))
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
        events = playback.play_hopping(again, make_engine(), playback.firmware_plan(again))
    else:
        events = playback.play_on_channel(again, make_engine)
    for _ in events:
        pass
    return time.process_time() - started


def main() -> None:
    for name in sys.argv[1:] or [None]:
        traffic = playback.open_traffic(name) if name else playback.from_scene(Scene(SCENE))
        rates = measure(traffic)
        print(f"{name or 'generated scene'}: " + ", ".join(f"{key} {value}" for key, value in rates.items()))


if __name__ == "__main__":
    main()
