"""
The native module `rfsniff` (firmware/native/rfsniff), fed by the scene.

It receives only the channel it is tuned to, and nothing while the station is connected, connecting or
scanning. As in the original, a full ring drops new records, and a change of channel does not clear it.
A write to the flash makes it deaf, and the driver may lose frames before the ring (driver_loss in _simulation.py).
To save heap the ring is a list of ranges of the scene's file. Records arrive in steps of 10 ms.
"""

import struct

import _simulation
import micropython
from micropython import const

try:
    import static_memory
except ImportError:  # only the interpreter that tools/native.py builds has it
    static_memory = None

RECORD_BYTES = 36
MANAGEMENT = 1
CONTROL = 2
DATA = 4
UNDECODABLE = 8

_RING = const(512)  # records
_MEMORY_BYTES = const(16368)
_KIND = const(13)
_EPERM = const(1)
_ESP_ERR_WIFI_NOT_INIT = const(0x3001)
_ESP_ERR_WIFI_STATE = const(0x3006)

_running = False
_filter_bits = 15
_loses_every = 0  # the driver loses every n-th frame, see _simulation.py
_passed = 0  # frames since the last one that the driver lost
_tuned = (0, 0, 0)  # offset of the index, offset of the records, number of records
_loop = 0  # how often the scene has been repeated
_next = 0  # the channel's first record that has not been sent yet
_filled_us = 0
_ranges = []  # [offset of the records, first, end, scene time at the start of their loop]
_waiting = 0
_pushed = 0
_dropped = 0
_memory = None


def start(_channel, _filter):
    global _running, _filter_bits, _waiting, _pushed, _dropped, _loses_every
    _check(_channel)
    if not 1 <= _filter <= 15:
        raise ValueError("filter should be 1..15")
    stop()
    _refuse_unless_free()
    _ranges.clear()
    _filter_bits = _filter
    _loses_every = int(_simulation.load("driver_loss", "0"))
    if _fill not in _simulation.before_deafness:
        _simulation.before_deafness.append(_fill)
    _waiting = _pushed = _dropped = 0
    _running = True
    _tune(_channel)
    if not _simulation.exists("listening"):
        _simulation.save("listening", str(_simulation.now_us() // 1000))


def country(_code, _channels):
    if not _simulation.wifi_ready:
        raise OSError(_ESP_ERR_WIFI_NOT_INIT)
    _simulation.wifi_channels = _channels


def channel(_number):
    _check(_number)
    if not _running:
        raise OSError(_EPERM)
    _refuse_unless_free()
    _fill()
    _tune(_number)


def readinto(_buffer):
    global _waiting
    _fill()
    room = len(_buffer) // RECORD_BYTES
    view = memoryview(_buffer)
    count = 0
    while _ranges and count < room:
        oldest = _ranges[0]
        taken = min(room - count, oldest[2] - oldest[1])
        part = view[count * RECORD_BYTES : (count + taken) * RECORD_BYTES]
        _simulation.air().read_records(oldest[0] + oldest[1] * RECORD_BYTES, part)
        oldest[1] += taken
        _waiting -= taken
        if oldest[1] == oldest[2]:
            _ranges.pop(0)
        if _loses_every:
            part, taken = _lose(part, taken)
        count += _filter_records(part, taken, oldest[3], _filter_bits)
    return count


def stats():
    _fill()
    return _waiting, _pushed, _dropped


def stop():
    global _running
    _fill()
    _running = False  # waiting records can still be read


def memory(_size):
    global _memory
    if not 0 <= _size <= _MEMORY_BYTES:
        raise ValueError("size should be 0..16368")
    if static_memory:
        return static_memory.take(_size)
    if _memory is None:
        _memory = bytearray(_MEMORY_BYTES)  # in the heap, because this interpreter has no other
    return _memory if _size == _MEMORY_BYTES else _memory[:_size]


def is_running():
    return _running


def _check(channel):
    if not 1 <= channel <= (177 if _simulation.exists("has_5ghz") else 14):
        raise ValueError("this radio does not have that channel")


def _refuse_unless_free():
    if not _simulation.wifi_started:
        raise OSError(_ESP_ERR_WIFI_NOT_INIT)
    if _simulation.wifi_busy:
        raise OSError(_ESP_ERR_WIFI_STATE)


def _tune(channel):
    global _tuned
    _tuned = _simulation.air().find_channel(channel)
    _start_receiving()


def _start_receiving():
    global _loop, _next, _filled_us
    _filled_us = _simulation.now_us()
    _loop, _next = _position(_filled_us)


def _position(now_us):
    """Return (loop, first record that has not been sent yet)."""
    loop, us = divmod(now_us, _simulation.air().duration_us)
    return loop, _simulation.air().count_before(_tuned[0], us // _simulation.SLOT_US) if _tuned[2] else 0


def _fill():
    """Put the records that were sent since the last call into the ring."""
    global _loop, _next, _filled_us, _waiting, _pushed, _dropped
    if not _running:
        return
    if _simulation.wifi_busy or _simulation.wifi_freed_us > _filled_us:
        _start_receiving()
        return
    now_us = _simulation.now_us()
    if now_us // _simulation.SLOT_US == _filled_us // _simulation.SLOT_US:
        return  # nothing new, so the file need not be read
    _filled_us = now_us
    loop, end = _position(_filled_us)
    while _loop <= loop:
        sent = (end if _loop == loop else _tuned[2]) - _next
        fitting = min(sent, _RING - _waiting)
        if fitting > 0:
            _ranges.append([_tuned[1], _next, _next + fitting, _loop * _simulation.air().duration_us])
            _waiting += fitting
            _pushed += fitting
        _dropped += sent - fitting
        if _loop == loop:
            _next = end
            break
        _loop += 1
        _next = 0


def _lose(records, count):
    """Remove every _loses_every-th record; return (records, how many remain)."""
    global _passed
    kept = 0
    for number in range(count):
        _passed += 1
        if _passed == _loses_every:
            _passed = 0
            continue
        records[kept * RECORD_BYTES : (kept + 1) * RECORD_BYTES] = records[
            number * RECORD_BYTES : (number + 1) * RECORD_BYTES
        ]
        kept += 1
    return records, kept


@micropython.native
def _filter_records(records, count, add_us, filter_bits):
    """Remove the kinds that the filter excludes, add `add_us` to the times; return how many records remain."""
    kept = 0
    for number in range(count):
        start = number * RECORD_BYTES
        if not (filter_bits >> (records[start + _KIND] & 15)) & 1:
            continue
        if add_us:
            time_us = struct.unpack_from("<I", records, start)[0]
            struct.pack_into("<I", records, start, (time_us + add_us) & 0xFFFFFFFF)
        if kept != number:
            target = kept * RECORD_BYTES
            records[target : target + RECORD_BYTES] = records[start : start + RECORD_BYTES]
        kept += 1
    return kept
