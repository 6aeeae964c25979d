"""
Bluetooth LE advertisements, passively: the sensor itself sends nothing.

    await listen(3000, clock.now_ms, engine.advertisement)

Bluetooth is on only while this runs: beside the sniffer it makes the chip unstable, and
beside a connection it takes memory that TLS needs.
"""

import asyncio
from collections import deque

from ansim.observation import Advertisement

try:
    import bluetooth
except ImportError:  # a chip or a build without
    bluetooth = None

INTERVAL_US = 60_000
WINDOW_US = 55_000  # nearly always: nobody else needs the antenna now
QUEUE = 48  # advertisements that wait for the next look
LOOK_MS = 30

_IRQ_SCAN_RESULT = 5
_IRQ_SCAN_DONE = 6


def is_available() -> bool:
    """True if this board has Bluetooth LE."""
    return bluetooth is not None


async def listen(duration_ms: int, now_ms, take) -> int:
    """
    Listen for a while and call take(Advertisement) for what is heard.

    now_ms  function that returns the sensor's time

    Returns how many had to be left out because too many came at once. Raises OSError if the
    radio refuses.
    """
    ear = _Ear()
    ble = bluetooth.BLE()
    ble.active(True)
    try:
        ble.irq(ear.hear)
        ble.gap_scan(duration_ms, INTERVAL_US, WINDOW_US, False)
        until_ms = now_ms() + duration_ms + 500  # if the end is never announced
        while not ear.done and now_ms() < until_ms:
            await asyncio.sleep_ms(LOOK_MS)
            ear.hand_over(now_ms(), take)
        ear.hand_over(now_ms(), take)
    finally:
        ble.irq(None)  # pyright: ignore[reportArgumentType]
        ble.active(False)
    return ear.dropped


class _Ear:
    """What the interrupt handler fills and the task empties."""

    def __init__(self):
        self.done = False
        self.dropped = 0
        self._heard = deque((), QUEUE)

    def hear(self, event, data):
        if event == _IRQ_SCAN_RESULT:
            if len(self._heard) == QUEUE:
                self.dropped += 1
                return
            address_type, address, _, rssi_dbm, payload = data
            # Both are only lent: the next advertisement overwrites them.
            self._heard.append((address_type & 1, bytes(address), rssi_dbm, bytes(payload)))  # pyright: ignore[reportArgumentType]
        elif event == _IRQ_SCAN_DONE:
            self.done = True

    def hand_over(self, at_ms, take):
        while self._heard:
            address_type, address, rssi_dbm, payload = self._heard.popleft()  # pyright: ignore[reportGeneralTypeIssues]
            take(Advertisement(at_ms, address, address_type, rssi_dbm, payload))
