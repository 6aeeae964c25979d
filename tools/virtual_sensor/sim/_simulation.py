"""
The made-up world of one virtual sensor: its time, and what is on the air.

Scene time and the processor's time differ: while the firmware waits, scene time runs
SIM_SPEED times as fast; while it computes, both are the same. So a fast scene costs the
firmware no computing time, and a slow machine loses no frames. While a socket is busy
both are the same as well, because the broker at its other end knows nothing of scenes.

Three places, mounted by boot.py:

    /           the flash of the sensor: settings.json, the journal
    /lib        the project
    /.world     kept by tools/virtual_sensor/sensor.py: what a reset does not wipe

Files in /.world: scene.air (the compiled scene, see tools/virtual_sensor/air_file.py), elapsed (scene
time in ms when the last run ended), cause (of the coming start), rtc (RTC memory), nvs.json,
listening (scene time in ms when the sniffer first ran),
no_wifi and no_lan (while they exist, no network can be joined), pin<n> (the level of an input),
battery_mv, oled (there is a display; screen is what it shows, a byte for eight pixels), nrf24.json (there
is such a chip, see _nrf24.py), heap.csv (with SIM_WEIGH_S=n, every
n seconds: time in s, bytes in use before and after a collection, bytes free).
"""

import os
import struct

import utime

HERE = "/.world/"
SLOT_US = 10_000  # grain of the index, see tools/virtual_sensor/air_file.py
AIR_HEADER = "<8sIHHII"  # magic, duration_ms, access points, advertisers, their offsets
AIR_MAGIC = b"ANSIMAI1"
CHANNEL_ROW = "<III"  # offset of the index, offset of the records, how many
_GRACE_US = 250_000  # a socket is busy for so long (processor's time) after its last sign of life

speed = float(os.getenv("SIM_SPEED") or "1")
pumps = []  # functions called while the firmware waits: what hardware does by itself
pins = []  # functions called while a call of the firmware holds up everything: what an interrupt notices then
wires = {}  # GPIO number -> function(level) of a chip that is soldered there
watchdog_us = 0  # scene time at which the watchdog bites, 0: off
_weighed_us = 0 if os.getenv("SIM_WEIGH_S") else None  # when the heap is weighed next
wifi_started = False  # WLAN.active(True)
wifi_busy = False  # connected or connecting: the station holds the channel
wifi_freed_us = 0  # when the station last let go of the channel

_ahead_us = 0  # how far scene time has run ahead of the processor's time since the process began
_busy_until_us = 0  # processor's time


def ticks_us() -> int:
    """
    Scene time in microseconds since some moment.

    Never behind the processor's own ticks: asyncio, which is written in C in part, marks what is
    to run at once with those.
    """
    return utime.ticks_us() + _ahead_us


def now_us() -> int:
    """Scene time since the sensor was first switched on, in microseconds."""
    return utime.ticks_us() + _ahead_us - _zero_us


def wait_us(duration_us: int) -> None:
    """Let scene time pass, as sleep() does."""
    until_us = now_us() + duration_us
    while True:
        left_us = until_us - now_us()
        if left_us <= 0:
            break
        _pass_us(min(left_us, 20_000) if pumps or pins else left_us, utime.sleep_us)
        for look_at in pins:
            look_at()
    look()


def wait_for_events(duration_ms: int, poll, any_socket: bool):
    """
    Wait in poll(ms of the processor's time) for up to so much scene time; -1 is for ever.

    poll       returns when an event comes or the time is over
    any_socket is anybody waiting for a socket?
    """
    global _ahead_us
    look()
    began_us = utime.ticks_us()
    if duration_ms == 0:
        poll(0)
        return
    wanted_us = 20_000 if pumps else 1_000_000  # for ever, or for long: look around in between
    if 0 < duration_ms * 1000 < wanted_us:
        wanted_us = duration_ms * 1000
    pace = 1 if any_socket and began_us < _busy_until_us else speed
    if pace == 1:
        poll(max(1, wanted_us // 1000))
    else:
        # poll() knows milliseconds only, and a fast scene waits for less
        real_us = int(wanted_us / pace)
        if real_us >= 1000:
            poll(real_us // 1000)
        else:
            if real_us >= 20:  # the shortest sleep takes longer than that
                utime.sleep_us(real_us)
            poll(0)
        spent_us = utime.ticks_us() - began_us
        _ahead_us += max(spent_us, min(wanted_us, int(spent_us * pace))) - spent_us
    look()


def socket_is_busy() -> None:
    """Somebody began to wait for a socket, or a socket has news."""
    global _busy_until_us
    _busy_until_us = utime.ticks_us() + _GRACE_US


def look() -> None:
    """Let the hardware do what is due."""
    for pump in pumps:
        pump()
    if watchdog_us and now_us() > watchdog_us:
        end("WDT")
    if _weighed_us is not None and now_us() >= _weighed_us:
        _weigh()


def _weigh():
    """Note how full the heap is, before and after a collection."""
    global _weighed_us
    import gc

    import micropython

    _weighed_us = now_us() + int(os.getenv("SIM_WEIGH_S")) * 1000000
    before = gc.mem_alloc()
    gc.collect()
    with open(HERE + "heap.csv", "a") as file:
        file.write("%d,%d,%d,%d\n" % (now_us() // 1000000, before, gc.mem_alloc(), gc.mem_free()))
    micropython.mem_info()  # prints how long the longest free piece is


def end(cause: str) -> None:
    """End the process the way a reset ends everything: at once. tools/virtual_sensor/sensor.py starts it again."""
    note("elapsed", str(now_us() // 1000))
    note("cause", cause)
    os.system("kill -9 $PPID")
    while True:
        pass


def note(name: str, text) -> None:
    """Keep something over a reset."""
    with open(HERE + name, "w" if isinstance(text, str) else "wb") as file:
        file.write(text)


def noted(name: str, otherwise=""):
    """What note() kept, as text."""
    try:
        with open(HERE + name) as file:
            return file.read()
    except OSError:
        return otherwise


def exists(name: str) -> bool:
    """True if there is such a file in /.world."""
    try:
        os.stat(HERE + name)
    except OSError:
        return False
    return True


def _pass_us(duration_us, sleep_us):
    global _ahead_us
    began_us = utime.ticks_us()
    sleep_us(int(duration_us / speed))
    spent_us = utime.ticks_us() - began_us
    _ahead_us += max(duration_us, spent_us) - spent_us
    if pumps:
        look()


_zero_us = utime.ticks_us() - int(noted("elapsed", "0")) * 1000


class Air:
    """The compiled scene, read in small pieces."""

    def __init__(self):
        self._file = open(HERE + "scene.air", "rb")  # noqa: SIM115
        magic, duration_ms, aps, beacons, aps_at, beacons_at = struct.unpack(
            AIR_HEADER, self._file.read(struct.calcsize(AIR_HEADER))
        )
        if magic != AIR_MAGIC:
            raise ValueError("scene.air is not a compiled scene of this version")
        self.duration_us = duration_ms * 1000
        self._aps, self._aps_at = aps, aps_at
        self._beacons, self._beacons_at = beacons, beacons_at
        self._four = bytearray(4)

    def channel(self, number: int):
        """Return (offset of the index, offset of the records, how many) of channel 1..14."""
        self._file.seek(struct.calcsize(AIR_HEADER) + (number - 1) * struct.calcsize(CHANNEL_ROW))
        return struct.unpack(CHANNEL_ROW, self._file.read(struct.calcsize(CHANNEL_ROW)))

    def slot(self, index_at: int, number: int) -> int:
        """Return how many records lie before a slot of SLOT_US."""
        self._file.seek(index_at + 4 * number)
        self._file.readinto(self._four)
        return struct.unpack("<I", self._four)[0]

    def records(self, at: int, buffer) -> None:
        """Fill a buffer from an offset."""
        self._file.seek(at)
        self._file.readinto(buffer)

    def rows(self, kind: str):
        """Yield the rows of the scene's "access_points" or "ble", as tools/virtual_sensor/air_file.py packs them."""
        for number in range(self._aps if kind == "access_points" else self._beacons):
            yield self.row(kind, number)

    def row(self, kind: str, number: int):
        """Return one of these rows."""
        at, form = (self._aps_at, AP_ROW) if kind == "access_points" else (self._beacons_at, BLE_ROW)
        size = struct.calcsize(form)
        self._file.seek(at + number * size)
        return struct.unpack(form, self._file.read(size))


AP_ROW = "<32sB6sBbB"  # ssid and its length, bssid, channel, rssi_dbm, security
BLE_ROW = "<6sBbB31sI"  # address, its type, rssi_dbm, length of the payload, payload, interval_ms

_air = None


def air() -> Air:
    """The scene; opened when first asked for."""
    global _air
    if _air is None:
        _air = Air()
    return _air
