"""
Time the stream detector on MicroPython: a busy channel of 2,000 records a second, 64 stations.

Prints one JSON line: microseconds of the fastest second for taking and for judging, and of the two
calibration loops. tests/bench/detect.py scales them.
"""

import gc
import json
import time

import micropython

from ansim.detect.camera_stream import CameraStream
from ansim.detect.engine import Engine
from tests.support import stream_traffic

RECORDS_PER_S = 2000
SECONDS = 24
WARM_S = 12  # until all stations are in the table and the cameras are raised
LOOPS = 20_000


def busy_channel():
    """Flows of 64 stations: two cameras, four downloads with their answers, small talk. 2,000 records a second."""
    flows = []
    for sta in (1, 2):
        flows.append([0, 1000, 6500, "up", [1400, 1400, 900, 1400, 1400, 400], {"sta": sta}])
        flows.append([3, 1000, 13_000, "down", [94], {"sta": sta}])
    for sta in (3, 4, 5, 6):
        flows.append([1, 1000, 5000, "down", [1554], {"sta": sta}])
        flows.append([2, 1000, 10_000, "up", [106], {"sta": sta}])
        flows.append([2, 1000, 20_000, "ack", [32], {"sta": sta, "acked": 8}])
    for sta in range(7, 65):
        flows.append([sta % 40, 1000, 250_000, "up", [120 + 7 * sta], {"sta": sta}])
        flows.append([sta % 40 + 5, 1000, 500_000, "down", [100 + 11 * sta], {"sta": sta}])
    return flows


def bytecode_loop(buffer, count):
    total = 0
    for at in range(count):
        total += buffer[at]
    return total


@micropython.viper
def viper_loop(buffer: ptr8, count: int) -> int:  # noqa: F821 (a type of the machine-code compiler)
    total = 0
    for at in range(count):
        total += buffer[at]
    return total


def fastest(function, *arguments, rounds=20):
    best = 1 << 30
    for _ in range(rounds):
        began = time.ticks_us()
        function(*arguments)
        best = min(best, time.ticks_diff(time.ticks_us(), began))
    return best


def main():
    engine = Engine([CameraStream()])
    engine.tune(stream_traffic.CHANNEL, 0)
    records = stream_traffic.records(busy_channel(), 0, 1000, {})
    whole = bytearray(b"".join(records))
    count = len(records)
    # Repeat records up to the rate: the cost depends on their number, not on their senders.
    missing = RECORDS_PER_S - count
    whole = (
        whole + b"".join([records[at % count] for at in range(missing)]) if missing > 0 else whole[: 36 * RECORDS_PER_S]
    )
    numbers = {}
    taken, judged, findings = [], [], 0
    for second in range(SECONDS):
        for at in range(RECORDS_PER_S):
            # new times and sequence numbers, as on air
            place = 36 * at
            time_us = second * 1_000_000 + at * 500
            whole[place : place + 4] = bytes(
                [time_us & 255, time_us >> 8 & 255, time_us >> 16 & 255, time_us >> 24 & 255]
            )
            sender = whole[place + 25]
            numbers[sender] = (numbers.get(sender, 0) + 1) & 0xFFF
            whole[place + 32] = numbers[sender] << 4 & 255
            whole[place + 33] = numbers[sender] >> 4
        gc.collect()
        began = time.ticks_us()
        engine.take(whole, RECORDS_PER_S)
        between = time.ticks_us()
        findings += len(engine.judge(1000 * second + 1000))
        engine.candidates(1000 * second + 1000)
        ended = time.ticks_us()
        if second >= WARM_S:
            taken.append(time.ticks_diff(between, began))
            judged.append(time.ticks_diff(ended, between))
    buffer = bytearray(LOOPS)
    taken.sort()
    judged.sort()
    print(
        json.dumps(
            {
                "take_us": taken[0],
                "judge_us": judged[len(judged) // 2],
                "findings": findings,
                "stations": engine.coverage()["stations"],
                "bytecode_us": fastest(bytecode_loop, buffer, LOOPS) / LOOPS,
                "viper_us": fastest(viper_loop, buffer, LOOPS) / LOOPS,
            }
        )
    )


main()
