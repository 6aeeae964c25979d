"""
Runs on MicroPython (see test_detect.py): properties of the stream detector; prints one JSON line for each result.

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
from tests.support.random_records import count_batches


def print_vectors(path):
    """Run a file of vectors."""
    with open(path) as file:
        vectors = json.load(file)["vectors"]
    for vector in vectors:
        print(json.dumps([vector["name"], stream_traffic.run_vector(vector, CameraStream())]))


def print_batches(seed, addresses):
    """Count random records."""
    print(json.dumps(count_batches(int(seed), int(addresses))))


def print_allocation():
    """Measure the heap that an engine allocates for 20,000 records, without judging."""
    engine = Engine([CameraStream()])
    engine.tune(stream_traffic.CHANNEL, 0)
    flows = [
        [0, 60_000, 2_000, "up", [1400, 600, 1400]],
        [1, 60_000, 4_000, "down", [94, 1554], {"sta": 2}],
        [1, 60_000, 9_000, "ack", [32], {"acked": 3}],
        [1, 60_000, 9_000, "own", [700], {"ap": 3}],
        [0, 60_000, 30_000, "up", [200], {"sta": 7}],
    ]
    records = stream_traffic.records(flows, 0, 1000, {})
    batch = bytearray(b"".join(records))
    count = len(records)
    engine.take(batch, count)
    engine.judge(1000)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()  # pyright: ignore[reportAttributeAccessIssue] # MicroPython only
    total = 0
    while total < 20_000:
        engine.take(batch, count)
        total += count
    after = gc.mem_alloc()  # pyright: ignore[reportAttributeAccessIssue] # MicroPython only
    gc.enable()
    print(json.dumps({"records": total, "bytes": after - before}))


if __name__ == "__main__":
    modes = {"vectors": print_vectors, "batches": print_batches, "allocation": print_allocation}
    modes[sys.argv[1]](*sys.argv[2:])
