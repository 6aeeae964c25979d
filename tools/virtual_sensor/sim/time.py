"""`time` of an ESP32, in scene time: the clock starts at 2000-01-01, and machine.RTC sets it."""

import _simulation
import utime
from utime import ticks_add, ticks_diff  # noqa: F401

_TICKS_MAX = utime.ticks_add(0, -1)
_EPOCH_2000_S = 946684800  # in the Unix epoch, which utime uses


def ticks_ms():
    return _simulation.ticks_us() // 1000 & _TICKS_MAX


def ticks_us():
    return _simulation.ticks_us() & _TICKS_MAX


def ticks_cpu():
    return utime.ticks_cpu()


def sleep(_seconds):
    _simulation.wait_us(int(_seconds * 1000000))


def sleep_ms(_ms):
    _simulation.wait_us(_ms * 1000)


def sleep_us(_us):
    _simulation.wait_us(_us)


def time():
    return _simulation.now_us() // 1000000 + _simulation.clock_ahead_s


def time_ns():
    return _simulation.now_us() * 1000 + _simulation.clock_ahead_s * 1000000000


def gmtime(_secs=None):
    return utime.gmtime((time() if _secs is None else _secs) + _EPOCH_2000_S)


def localtime(_secs=None):
    return gmtime(_secs)


def mktime(_local_time):
    return utime.mktime(_local_time) - _EPOCH_2000_S
