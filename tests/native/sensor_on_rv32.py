"""
Runs on MicroPython in QEMU (see test_rv32.py): the journal on a flash chip in memory, the clock, the sniffer's ring and
the detection engine on a camera's stream; prints one JSON line.
"""

import gc
import json
import time

import rfsniff
import uctypes

from ansim import messages, settings
from ansim.detect import engine as engines
from ansim.detect.stations import layout
from firmware.journal.journal import Journal
from firmware.network.clock import Clock
from tests.support import stream_traffic
from tests.support.flash_image import Flash, mount

FLASH_ADDRESS = 0x86000000  # see tools/hardware/rv32.py
FLASH_BLOCKS = 32
STACK_ADDRESS, STACK_BYTES = 0x80600000, 15 * 1024
UNTOUCHED = b"\xbb"  # the start-up code fills the stack with it


class Memory:
    """Blocks in memory outside the heap."""

    def __init__(self, blocks):
        self.data = uctypes.bytearray_at(FLASH_ADDRESS, 4096 * blocks)
        self.blocks = blocks

    def read(self, offset, buffer):
        buffer[:] = memoryview(self.data)[offset : offset + len(buffer)]

    def write(self, offset, buffer):
        memoryview(self.data)[offset : offset + len(buffer)] = buffer


def use_journal(clock):
    """Append reports, start anew, and read them."""
    mount(Flash(Memory(FLASH_BLOCKS)), "/flash", is_new=True)
    journal = Journal("/flash/journal", 65536, clock)
    journal.open()
    body = {"version": "0.1.0", "slot": "", "cause": "power_on", "crashes": 0}
    for _ in range(60):
        journal.append(messages.RESET, body)
    journal.close()
    journal = Journal("/flash/journal", 65536, clock)
    journal.open()
    cursor, seqs = journal.cursor(), []
    while True:
        report = cursor.next()
        if report is None:
            return {"reports": len(seqs), "in_order": seqs == list(range(1, 61))}
        seqs.append(report[1])


def hear_frames():
    """Put three frames into the sniffer's ring; return the number of records that come out."""
    rfsniff.start(6, rfsniff.DATA)
    frame = bytes([0x88, 0x01, 0, 0]) + bytes(range(18)) + bytes(10)
    for _ in range(3):
        rfsniff.inject(frame, rssi=-50, length=1400)
    buffer = bytearray(8 * rfsniff.RECORD_BYTES)
    count = rfsniff.readinto(buffer)
    rfsniff.stop()
    return count


def hear_camera():
    """Return (bytes of the engine, the first finding) for 40 s of a camera's stream."""
    gc.collect()
    before = gc.mem_alloc()
    engine = engines.standard({"ignore": []}, "", True, rfsniff.memory(layout.TABLE_BYTES))
    gc.collect()
    engine_bytes = gc.mem_alloc() - before
    flow = [0, 40_000, 8000, "up", [1400, 1400, 1400, 600]]
    engine.tune(stream_traffic.CHANNEL, 0)
    first = None
    state = {}
    for step in range(400):
        for record in stream_traffic.records([flow], step * 100, step * 100 + 100, state):
            engine.take(record, 1)
        if step % 10 == 9:
            for finding in engine.judge(step * 100 + 100):
                first = first or [finding.kind, finding.event]
    return engine_bytes, first


def used_stack():
    """Return the number of bytes of the stack that were ever used."""
    stack = uctypes.bytearray_at(STACK_ADDRESS, STACK_BYTES)
    for at in range(0, STACK_BYTES, 16):
        if stack[at : at + 1] != UNTOUCHED:
            return STACK_BYTES - at
    return 0


clock = Clock()
clock.now_ms()
time.sleep_ms(200)
settings.checked({"device": "hall-1", "key": "ab" * 32, "broker": "broker.example", "uplink": "ethernet", "tls": False})
result = {"journal": use_journal(clock), "records": hear_frames()}
result["engine_bytes"], result["finding"] = hear_camera()
result["clock_ms"] = clock.now_ms()
result["stack_bytes"] = used_stack()
result["heap_bytes"] = gc.mem_alloc() + gc.mem_free()
print(json.dumps(result))
