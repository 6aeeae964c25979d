"""
The native module `rfsniff` (firmware/native/rfsniff), fed by the scene.

It hears only the channel it is tuned to, and nothing while the station is connected,
connecting or scanning. As in the original the ring keeps the oldest records, and a change of
channel leaves in it what is there. The ring is not a copy: it is a list of stretches of the
scene's file. Records arrive in steps of 10 ms.
"""

import struct

import _simulation
import micropython
from micropython import const

RECORD_BYTES = 36
MANAGEMENT = 1
CONTROL = 2
DATA = 4
UNDECODABLE = 8

_RING = const(512)  # records
_KIND = const(13)
_EPERM = const(1)
_ESP_ERR_WIFI_NOT_INIT = const(0x3001)
_ESP_ERR_WIFI_STATE = const(0x3006)

_running = False
_wanted = 15
_tuned = (0, 0, 0)  # offset of the index, offset of the records, how many
_loop = 0  # how often the scene has been over
_next = 0  # the first record of the channel that has not been sent yet
_filled_us = 0
_stretches = []  # [offset of the records, first, end, scene time when they began]
_waiting = 0
_pushed = 0
_dropped = 0


def start(_channel, _filter):
    global _running, _wanted, _waiting, _pushed, _dropped
    _check(_channel)
    if not 1 <= _filter <= 15:
        raise ValueError("filter should be 1..15")
    stop()
    _refuse_unless_free()
    _stretches.clear()
    _wanted = _filter
    _waiting = _pushed = _dropped = 0
    _running = True
    _tune(_channel)
    if not _simulation.exists("listening"):
        _simulation.note("listening", str(_simulation.now_us() // 1000))


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
    while _stretches and count < room:
        stretch = _stretches[0]
        taken = min(room - count, stretch[2] - stretch[1])
        piece = view[count * RECORD_BYTES : (count + taken) * RECORD_BYTES]
        _simulation.air().records(stretch[0] + stretch[1] * RECORD_BYTES, piece)
        stretch[1] += taken
        _waiting -= taken
        if stretch[1] == stretch[2]:
            _stretches.pop(0)
        count += _prepare(piece, taken, stretch[3], _wanted)
    return count


def stats():
    _fill()
    return _waiting, _pushed, _dropped


def errors():
    return 0


def stop():
    global _running
    _fill()
    _running = False  # what waits can still be read


def is_running():
    return _running


def _check(channel):
    if not 1 <= channel <= 14:
        raise ValueError("channel should be 1..14")


def _refuse_unless_free():
    if not _simulation.wifi_started:
        raise OSError(_ESP_ERR_WIFI_NOT_INIT)
    if _simulation.wifi_busy:
        raise OSError(_ESP_ERR_WIFI_STATE)


def _tune(channel):
    global _tuned
    _tuned = _simulation.air().channel(channel)
    _hear_from_now()


def _hear_from_now():
    global _loop, _next, _filled_us
    _filled_us = _simulation.now_us()
    _loop, _next = _reach(_filled_us)


def _reach(now_us):
    """Return (loop, first record that has not been sent yet)."""
    loop, us = divmod(now_us, _simulation.air().duration_us)
    return loop, _simulation.air().slot(_tuned[0], us // _simulation.SLOT_US) if _tuned[2] else 0


def _fill():
    """Put into the ring what was sent since the last time."""
    global _loop, _next, _filled_us, _waiting, _pushed, _dropped
    if not _running:
        return
    if _simulation.wifi_busy or _simulation.wifi_freed_us > _filled_us:
        _hear_from_now()
        return
    now_us = _simulation.now_us()
    if now_us // _simulation.SLOT_US == _filled_us // _simulation.SLOT_US:
        return  # nothing can have come, and the file need not be asked
    _filled_us = now_us
    loop, end = _reach(_filled_us)
    while _loop <= loop:
        sent = (end if _loop == loop else _tuned[2]) - _next
        kept = min(sent, _RING - _waiting)
        if kept > 0:
            _stretches.append([_tuned[1], _next, _next + kept, _loop * _simulation.air().duration_us])
            _waiting += kept
            _pushed += kept
        _dropped += sent - kept
        if _loop == loop:
            _next = end
            break
        _loop += 1
        _next = 0


@micropython.native
def _prepare(records, count, add_us, wanted):
    """Leave out the kinds that are not wanted, count on the time over loops; return how many are left."""
    kept = 0
    for number in range(count):
        at = number * RECORD_BYTES
        if not (wanted >> (records[at + _KIND] & 15)) & 1:
            continue
        if add_us:
            time_us = struct.unpack_from("<I", records, at)[0]
            struct.pack_into("<I", records, at, (time_us + add_us) & 0xFFFFFFFF)
        if kept != number:
            to = kept * RECORD_BYTES
            records[to : to + RECORD_BYTES] = records[at : at + RECORD_BYTES]
        kept += 1
    return kept
