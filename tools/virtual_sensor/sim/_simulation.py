"""
State of the simulation: scene time, the hardware's side effects, and what is on the air.

Scene time and processor time differ: while the firmware waits, scene time runs SIM_SPEED times as fast;
while it computes, both run at the same speed. So a fast scene takes no computing time from the firmware,
and a slow machine loses no frames. While a socket is busy both run at the same speed as well, because the
broker at its other end does not follow scene time.

Three folders, mounted by boot.py:

    /           the flash of the sensor: settings.json, the journal
    /lib        the project
    /.world     state outside the flash, which survives a reset; kept by tools/virtual_sensor/sensor.py

Files in /.world:

    scene.air         the compiled scene, see tools/virtual_sensor/air_file.py
    elapsed           scene time in ms at the end of the last run
    cause             why the next start comes: a key of _RESET_CAUSES in machine.py
    rtc, nvs.json     RTC memory, NVS
    listening         scene time in ms when the sniffer first ran
    dns_ms, no_dns    see socket.py
    driver_loss       n: the driver loses every n-th frame without counting it
    has_5ghz          while it exists, the radio has the channels of 5 GHz too
    idf_bytes         size of the chip's internal memory beside MicroPython's heap, from which Wi-Fi, Bluetooth and TLS
                      take theirs: 253 kB without the file, which leaves 200 kB beside Wi-Fi
    idf_free          at most so much of it is free, as if another user had the rest
    idf_largest       its largest free block, as if it were in pieces; without the file nine tenths of what is free
    no_wifi, no_lan   while they exist, no network can be joined
    no_scan, disconnect_event, dhcp_ms, wifi_password   see network.py
    no_psram          while it exists, the board has no PSRAM
    pin<n>            level of an input, "0" or "1"; "0 7000": for 7000 ms of scene time, then idle, and the file says
                      so
    battery_mv        voltage of the cell
    oled, screen      a display is connected; its contents, one byte for eight pixels
    nrf24.json        an nRF24L01+ is connected, see _nrf24.py
    heap.csv          with SIM_HEAP_S=n, every n seconds: time in s, bytes in use before and after a collection, bytes
                      free
"""

import os
import struct

import urandom
import utime

FOLDER = "/.world/"
SLOT_US = 10_000  # step of the index, see tools/virtual_sensor/air_file.py
AIR_HEADER = "<8sIHHII"  # magic, duration_ms, access points, advertisers, their offsets
AIR_MAGIC = b"ANSIMAI2"
CHANNEL_ROW = "<III"  # offset of the index, offset of the records, number of records
AP_ROW = "<32sB6sBbB"  # ssid, its length, bssid, channel, rssi_dbm, security
BLE_ROW = "<6sBbB31sI"  # address, its type, rssi_dbm, length of the payload, payload, interval_ms
BEACON_US = 102_400
ERASE_US = 50_000  # a file's change erases at least one block of 4 kB
_GRACE_US = 250_000  # processor time for which a socket counts as busy after its last event

speed = float(os.getenv("SIM_SPEED") or "1")
pollers = []  # functions of the hardware, called while the firmware waits
interrupts = []  # functions that check for an interrupt, called while the firmware blocks in sleep()
output_listeners = {}  # GPIO number -> function(level) of the chip at that pin
watchdog_us = 0  # scene time at which the watchdog resets the chip, 0: off
_measure_us = 0 if os.getenv("SIM_HEAP_S") else None  # when the heap is measured next
clock_ahead_s = 0  # what machine.RTC has added to the clock, which starts at 2000-01-01; lost at each reset
wifi_ready = False  # network.WLAN() was called
wifi_started = False  # WLAN.active(True)
wifi_channels = 11  # scans and connections use 1 to this one; the chip's default until rfsniff.country()
wifi_busy = False  # connected or connecting: the station holds the channel
wifi_freed_us = 0  # when the station last released the channel

has_network = False  # an interface has an address
modem_sleeps = False  # Wi-Fi is connected and sleeps between beacons: each answer waits for one
before_deafness = []  # functions of receivers that store what was received before the chip becomes deaf
idf_taken = {}  # the chip's internal memory: user -> bytes; see take_idf()

_last_ticks_us = utime.ticks_us()
_processor_us = utime.ticks_ms() * 1000 + 999  # not behind the milliseconds of asyncio's C part
_ahead_us = 0  # lead of scene time over processor time since the process began
_busy_until_us = 0  # processor time


def ticks_us() -> int:
    """
    Scene time in microseconds since an arbitrary moment.

    Never behind the processor's own ticks, because asyncio's C part schedules immediate tasks with those.
    """
    return processor_us() + _ahead_us


def processor_us() -> int:
    """
    The processor's ticks in microseconds, which do not wrap; call it at least every eight minutes.

    utime.ticks_us() wraps after 18 minutes where a small integer has 31 bits.
    """
    global _processor_us, _last_ticks_us
    ticks = utime.ticks_us()
    _processor_us += utime.ticks_diff(ticks, _last_ticks_us)
    _last_ticks_us = ticks
    return _processor_us


def now_us() -> int:
    """Scene time since the sensor was first switched on, in microseconds."""
    return processor_us() + _ahead_us - _zero_us


def wait_us(duration_us: int) -> None:
    """Let scene time pass, as sleep() does."""
    until_us = now_us() + duration_us
    while True:
        left_us = until_us - now_us()
        if left_us <= 0:
            break
        _pass_us(min(left_us, 20_000) if pollers or interrupts else left_us, utime.sleep_us)
        for check in interrupts:
            check()
    poll_hardware()


def wait_for_events(duration_ms: int, poll, any_socket: bool):
    """
    Wait for an event, for up to `duration_ms` of scene time; -1 waits for ever.

    poll        function(ms of processor time) that returns at an event or when the time is over
    any_socket  True if a task waits for a socket
    """
    global _ahead_us
    poll_hardware()
    began_us = processor_us()
    if duration_ms == 0:
        poll(0)
        return
    duration_us = 20_000 if pollers else 1_000_000  # at most, so that the hardware is polled in between
    if 0 < duration_ms * 1000 < duration_us:
        duration_us = duration_ms * 1000
    pace = 1 if any_socket and began_us < _busy_until_us else speed
    if pace == 1:
        poll(max(1, duration_us // 1000))
    else:
        # poll() takes milliseconds only, and a fast scene waits for less
        real_us = int(duration_us / pace)
        if real_us >= 1000:
            poll(real_us // 1000)
        else:
            if real_us >= 20:  # a shorter sleep takes longer than that
                utime.sleep_us(real_us)
            poll(0)
        spent_us = processor_us() - began_us
        _ahead_us += max(spent_us, min(duration_us, int(spent_us * pace))) - spent_us
    poll_hardware()


def write_flash() -> None:
    """Take the time of a write to the flash: the caches are off, and what the radio receives meanwhile is lost."""
    global wifi_freed_us
    for store in before_deafness:
        store()
    wait_us(ERASE_US)
    wifi_freed_us = now_us()


def take_idf(user: str, size: int, piece: int) -> bool:
    """
    Give `size` bytes of the chip's internal memory to a user, beside what it has; False if so much is not free.

    piece  the largest of its blocks
    """
    if size > idf_free() or piece > idf_largest():
        return False
    idf_taken[user] = idf_taken.get(user, 0) + size
    return True


def give_idf(user: str, size: int) -> None:
    """Take bytes back from a user of the chip's internal memory."""
    idf_taken[user] -= size


def idf_free() -> int:
    """Return the free bytes of the chip's internal memory, from which Wi-Fi, Bluetooth and TLS allocate."""
    free = max(0, int(load("idf_bytes", "253000")) - sum(idf_taken.values()))
    return min(free, int(load("idf_free", free)))


def idf_largest() -> int:
    """Return the largest free block of that memory."""
    free = idf_free()
    return min(free, int(load("idf_largest", free * 9 // 10)))


def mark_socket_busy(is_reading: bool = False) -> None:
    """Note that a task waits for a socket. With modem sleep an answer comes with the next beacon."""
    global _busy_until_us
    if is_reading and modem_sleeps:
        wait_us(urandom.randrange(BEACON_US))
    _busy_until_us = processor_us() + _GRACE_US


def poll_hardware() -> None:
    """Run the hardware: pollers, watchdog and the measurement of the heap."""
    for poller in pollers:
        poller()
    if watchdog_us and now_us() > watchdog_us:
        reset("WDT")
    if _measure_us is not None and now_us() >= _measure_us:
        _measure_heap()


def _measure_heap():
    """Append the use of the heap before and after a collection to heap.csv."""
    global _measure_us
    import gc

    import micropython

    _measure_us = now_us() + int(os.getenv("SIM_HEAP_S")) * 1000000
    before = gc.mem_alloc()
    gc.collect()
    with open(FOLDER + "heap.csv", "a") as file:
        file.write("%d,%d,%d,%d\n" % (now_us() // 1000000, before, gc.mem_alloc(), gc.mem_free()))
    micropython.mem_info()  # prints the size of the largest free block


def reset(cause: str) -> None:
    """Kill the process at once, as a reset does; tools/virtual_sensor/sensor.py starts it again."""
    save("elapsed", str(now_us() // 1000))
    save("cause", cause)
    os.system("kill -9 $PPID")
    while True:
        pass


def save(name: str, text) -> None:
    """Write text or bytes to a file in /.world."""
    with open(FOLDER + name, "w" if isinstance(text, str) else "wb") as file:
        file.write(text)


def load(name: str, default=""):
    """Return a file in /.world as text, `default` if there is none."""
    try:
        with open(FOLDER + name) as file:
            return file.read()
    except OSError:
        return default


def exists(name: str) -> bool:
    """True if /.world has a file of this name."""
    try:
        os.stat(FOLDER + name)
    except OSError:
        return False
    return True


def _pass_us(duration_us, sleep_us):
    global _ahead_us
    began_us = processor_us()
    sleep_us(int(duration_us / speed))
    spent_us = processor_us() - began_us
    _ahead_us += max(duration_us, spent_us) - spent_us
    if pollers:
        poll_hardware()


_zero_us = processor_us() - int(load("elapsed", "0")) * 1000


class Air:
    """The compiled scene, read in small parts to save heap."""

    def __init__(self):
        self._file = open(FOLDER + "scene.air", "rb")  # noqa: SIM115
        magic, duration_ms, access_points, advertisers, access_points_at, advertisers_at = struct.unpack(
            AIR_HEADER, self._file.read(struct.calcsize(AIR_HEADER))
        )
        if magic != AIR_MAGIC:
            raise ValueError("scene.air is not a compiled scene of this version")
        self.duration_us = duration_ms * 1000
        self._tables = {
            "access_points": (access_points_at, access_points, AP_ROW),
            "ble": (advertisers_at, advertisers, BLE_ROW),
        }
        self._buffer = bytearray(4)

    def find_channel(self, number: int):
        """Return (offset of the index, offset of the records, number of records) of channel 1..177."""
        self._file.seek(struct.calcsize(AIR_HEADER) + (number - 1) * struct.calcsize(CHANNEL_ROW))
        return struct.unpack(CHANNEL_ROW, self._file.read(struct.calcsize(CHANNEL_ROW)))

    def count_before(self, index_at: int, slot: int) -> int:
        """Return the number of records before a slot of SLOT_US."""
        self._file.seek(index_at + 4 * slot)
        self._file.readinto(self._buffer)
        return struct.unpack("<I", self._buffer)[0]

    def read_records(self, offset: int, buffer) -> None:
        """Fill a buffer with the records at an offset."""
        self._file.seek(offset)
        self._file.readinto(buffer)

    def rows(self, table: str):
        """Yield the rows of "access_points" or "ble", as tools/virtual_sensor/air_file.py packs them."""
        for number in range(self._tables[table][1]):
            yield self.row(table, number)

    def row(self, table: str, number: int):
        """Return one row of a table."""
        offset, _, row_format = self._tables[table]
        size = struct.calcsize(row_format)
        self._file.seek(offset + number * size)
        return struct.unpack(row_format, self._file.read(size))


_air = None


def air() -> Air:
    """Return the scene; the first call opens it."""
    global _air
    if _air is None:
        _air = Air()
    return _air
