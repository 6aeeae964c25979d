"""
Passive scan for Bluetooth LE advertisements; the sensor itself sends nothing.

    dropped = await listen(3000, clock.now_ms, engine.advertisement)

A scan and the sniffer together make the chip unstable, so they take turns. Where the chip has memory for Bluetooth
beside TLS (a board with PSRAM), Bluetooth stays switched on between scans: switching it on takes time, and switching it
off leaks memory (firmware/maintenance/chip_memory.py). Elsewhere it is on only during the scan.
"""

import asyncio
from collections import deque

from ansim.observation import Advertisement
from firmware.maintenance import chip_memory

try:
    import bluetooth
except ImportError:  # a chip or a build without Bluetooth
    bluetooth = None

INTERVAL_US = 60_000
WINDOW_US = 55_000  # nearly all of the interval: nothing else needs the antenna now
QUEUE = 48  # advertisements
DRAIN_MS = 30
KEEP_BYTES = 96 << 10  # of the chip's memory, free while Bluetooth is on: TLS, and as much again

_IRQ_SCAN_RESULT = 5
_IRQ_SCAN_DONE = 6


def is_available() -> bool:
    """True if this board has Bluetooth LE."""
    return bluetooth is not None


def has_memory() -> bool:
    """True if Bluetooth is on or may be switched on."""
    return is_on() or chip_memory.has_room_for_ble()


def is_on() -> bool:
    """True while Bluetooth is switched on; the chip's Wi-Fi must then sleep between beacons."""
    return bluetooth is not None and bluetooth.BLE().active()


def switch_off() -> None:
    """Switch Bluetooth off, if it is on, to free its memory."""
    if is_on():
        bluetooth.BLE().active(False)


async def listen(duration_ms: int, now_ms, on_advertisement) -> int:
    """
    Scan for a while and call on_advertisement(Advertisement) for each one.

    now_ms  function that returns the sensor's time

    Returns how many were dropped because the queue was full. Raises OSError if the radio refuses.
    """
    queue = _Queue()
    ble = bluetooth.BLE()
    ble.active(True)
    try:
        ble.irq(queue.on_event)
        ble.gap_scan(duration_ms, INTERVAL_US, WINDOW_US, False)
        until_ms = now_ms() + duration_ms + 500  # in case the end of the scan is never announced
        while not queue.is_done and now_ms() < until_ms:
            await asyncio.sleep_ms(DRAIN_MS)
            queue.drain(now_ms(), on_advertisement)
        queue.drain(now_ms(), on_advertisement)
    finally:
        ble.irq(None)  # pyright: ignore[reportArgumentType]
        if (chip_memory.measure()[0] or 0) < KEEP_BYTES:
            ble.active(False)
        elif not queue.is_done:
            ble.gap_scan(None)  # pyright: ignore[reportArgumentType] # the end is not always announced
    return queue.dropped


class _Queue:
    """Advertisements on their way from the interrupt handler to the task."""

    def __init__(self):
        self.is_done = False
        self.dropped = 0
        self._advertisements = deque((), QUEUE)

    def on_event(self, event, data):
        if event == _IRQ_SCAN_RESULT:
            if len(self._advertisements) == QUEUE:
                self.dropped += 1
                return
            address_type, address, _, rssi_dbm, payload = data
            # Copies, because the next advertisement overwrites both buffers.
            self._advertisements.append((address_type & 1, bytes(address), rssi_dbm, bytes(payload)))  # pyright: ignore[reportArgumentType]
        elif event == _IRQ_SCAN_DONE:
            self.is_done = True

    def drain(self, at_ms, on_advertisement):
        while self._advertisements:
            address_type, address, rssi_dbm, payload = self._advertisements.popleft()  # pyright: ignore[reportGeneralTypeIssues]
            on_advertisement(Advertisement(at_ms, address, address_type, rssi_dbm, payload))
