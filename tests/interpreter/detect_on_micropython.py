"""
The stream detector's promises that only a MicroPython interpreter can show; prints one JSON line each.

    micropython tests/interpreter/detect_on_micropython.py vectors tests/vectors/camera_stream.json
    micropython tests/interpreter/detect_on_micropython.py batches 3 90       # seed, addresses
    micropython tests/interpreter/detect_on_micropython.py allocation

Runs on CPython too: `batches` must print the same there.
"""

import gc
import json
import sys

from ansim.detect.camera_stream import CameraStream
from ansim.detect.engine import Engine
from tests.support import stream_traffic
from tests.support.random_records import history


def vectors(path):
    with open(path) as file:
        given = json.load(file)["vectors"]
    for vector in given:
        print(json.dumps([vector["name"], stream_traffic.run_vector(vector, CameraStream())]))


def batches(seed, addresses):
    print(json.dumps(history(int(seed), int(addresses))))


def allocation():
    """Heap taken by showing 20,000 records to an engine, judging apart."""
    engine = Engine([CameraStream()])
    engine.tune(stream_traffic.CHANNEL, 0)
    flows = [
        [0, 60_000, 2_000, "up", [1400, 600, 1400]],
        [1, 60_000, 4_000, "down", [94, 1554], {"sta": 2}],
        [1, 60_000, 9_000, "ack", [32], {"acked": 3}],
        [1, 60_000, 9_000, "own", [700], {"ap": 3}],
        [0, 60_000, 30_000, "up", [200], {"sta": 7}],
    ]
    made = stream_traffic.records(flows, 0, 1000, {})
    whole = bytearray(b"".join(made))
    count = len(made)
    engine.take(whole, count)
    engine.judge(1000)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    taken = 0
    while taken < 20_000:
        engine.take(whole, count)
        taken += count
    after = gc.mem_alloc()
    gc.enable()
    print(json.dumps({"records": taken, "bytes": after - before}))


if __name__ == "__main__":
    {"vectors": vectors, "batches": batches, "allocation": allocation}[sys.argv[1]](*sys.argv[2:])
