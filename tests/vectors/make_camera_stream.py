"""
Generate the test vectors of camera_stream: `python -m tests.vectors.make_camera_stream`.

Generated traffic (tests/support/stream_traffic.py), none is captured. The expected findings are
recorded by running the detector; whether an alarm must be raised (`fires`), and whether it must
still be raised at the end (`stands`), is set here by hand.
"""

import json
from pathlib import Path

from ansim.detect.camera_stream import CameraStream
from tests.support import stream_traffic

PATH = Path(__file__).resolve().parent / "camera_stream.json"

# One group of pictures of 2 s at 40 frames/s: a key frame of many full frames, then short ones.
KEY_FRAMES = [1400] * 18 + [900, 350, 620, 1100, 480, 760, 540, 980, 430, 700] * 6 + [500, 820]
PPPP = [1114] * 12 + [700, 300, 1114, 420, 560, 1000, 380, 1114] * 3
DAY_MS = 86_400_000


def vectors() -> list:
    """Return [{"name", "fires", "stands", "seconds", "flows", "open"?}, ...]."""
    camera = [[300, DAY_MS, 25_000, "up", KEY_FRAMES], [310, DAY_MS, 60_000, "down", [94, 94, 106]]]
    pppp = [[0, DAY_MS, 20_000, "up", PPPP], [4, DAY_MS, 160_000, "down", [94]], [9, DAY_MS, 1_000_000, "down", [134]]]
    own = [[0, DAY_MS, 20_000, "own", PPPP], [4, DAY_MS, 160_000, "back", [94]]]
    call = [
        [0, DAY_MS, 12_000, "up", [1200, 1200, 640, 1200, 300], {"local": True}],
        [3, DAY_MS, 12_000, "down", [1200, 1200, 500, 1200, 900], {"local": True}],
    ]
    one_way = [
        [0, DAY_MS, 10_000, "up", [1200, 1200, 1150, 1200, 1180, 1200, 1120, 160], {"local": True}],
        [7, DAY_MS, 200_000, "down", [120], {"local": True}],
    ]
    download = [[0, DAY_MS, 4_000, "down", [1554]], [2, DAY_MS, 8_000, "up", [106]]]
    hotspot = [[0, DAY_MS, 4_000, "own", [1554]], [2, DAY_MS, 8_000, "back", [106]]]
    burst = [[2000, 5000, 20_000, "up", [1300, 900]], [2010, 5000, 50_000, "down", [94]]]
    far = [[0, DAY_MS, 40_000, "ack", [32], {"acked": 6}], [5, DAY_MS, 40_000, "cts", [14]]]
    lossy = [
        [0, DAY_MS, 50_000, "up", KEY_FRAMES],
        [25, DAY_MS, 50_000, "lost", [1]],
        [10, DAY_MS, 120_000, "down", [94]],
    ]
    # Each has all that speaks for a camera but for one necessary condition.
    slow = [[0, DAY_MS, 90_000, "up", [1300, 300, 300, 300]], [4, DAY_MS, 90_000, "down", [94]]]
    two_way = [[0, DAY_MS, 20_000, "up", KEY_FRAMES], [4, DAY_MS, 8_000, "down", [210, 150]]]
    tiny = [[0, DAY_MS, 5_000, "up", [1300] * 2 + [290] * 30], [4, DAY_MS, 60_000, "down", [94]]]
    short = [[0, DAY_MS, 10_000, "up", [900] * 18 + [700, 350, 520]], [4, DAY_MS, 60_000, "down", [94]]]
    # The camera's rhythm, but no length is common.
    lengths = [length - 40 * (at % 9) if length > 800 else length for at, length in enumerate(KEY_FRAMES)]
    equal = [[300, DAY_MS, 20_000, "up", lengths], [310, DAY_MS, 60_000, "down", [94, 94, 106]]]
    return [
        _vector("too slow for a picture", False, False, 40, slow),
        _vector("too much comes back", False, False, 40, two_way),
        _vector("frames too small for a picture", False, False, 40, tiny),
        _vector("no packet as long as a picture's", False, False, 40, short),
        _vector("a call that divides each picture into equal packets stays a notice", True, True, 130, equal),
        _vector("a camera that sends to its access point", True, True, 60, camera),
        _vector("a PPPP camera, no frame longer than 1,114 bytes", True, True, 30, pppp),
        _vector("a camera of which every second frame is lost", True, True, 20, lossy),
        _vector("a camera that is its own open access point", True, True, 20, own, open=[1]),
        _vector("a camera that stops is cleared", True, False, 25, [[*flow[:1], 12_000, *flow[2:]] for flow in camera]),
        _vector("a one-way call from a randomised address is cleared", True, False, 60, one_way),
        _vector("a two-way call", False, False, 30, call),
        _vector("a download to a station", False, False, 20, download),
        _vector("a download from a phone's hotspot", False, False, 20, hotspot),
        _vector("a burst of three seconds", False, False, 20, burst),
        _vector("an undecodable source is reported below the alarm", False, False, 20, far),
    ]


def _vector(name, fires, stands, seconds, flows, **others):
    return {"name": name, "fires": fires, "stands": stands, "seconds": seconds, "flows": flows, **others}


def main() -> None:
    generated = vectors()
    for vector in generated:
        vector["expect"] = stream_traffic.run_vector(vector, CameraStream())
    lines = ",\n".join("    " + json.dumps(vector) for vector in generated)
    PATH.write_text('{"what": "camera_stream", "vectors": [\n' + lines + "\n]}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
