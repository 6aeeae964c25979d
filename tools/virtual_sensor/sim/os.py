"""`os` of an ESP32: adds what the Unix port lacks and mpremote, rshell or the firmware need."""

from collections import namedtuple

from uos import *  # noqa: F403

_Uname = namedtuple("uname_result", ("sysname", "nodename", "release", "version", "machine"))


def uname():
    return _Uname("esp32", "esp32", "1.29.0", "v1.29.0 (emulated)", "Emulated board with ESP32")


def sync():
    pass


def dupterm(_stream_object, _index=0):
    return None
