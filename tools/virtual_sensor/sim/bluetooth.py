"""
`bluetooth` of an ESP32: passive scanning for the advertisers of the scene.

As in the original, the next advertisement overwrites the address and the data that the handler gets, some
advertisements and some ends of a scan are never announced, switching on and off takes time, the stack takes internal
memory while it is on, some of which is not given back (espressif/esp-idf issue 8136), and a chip without enough memory
crashes instead of raising an error (issue 14355). How long and how much: estimates, no board was measured.
Stricter than the original: switching it on or scanning while the sniffer runs is an error here, because the two
together are unstable on the chip.
"""

import random

import _simulation
import rfsniff

_IRQ_SCAN_RESULT = 5
_IRQ_SCAN_DONE = 6
_ADV_IND = 0
_EIO = 5
_EINVAL = 22
_ON_MS = 250
_OFF_MS = 100
_STACK_BYTES = 52000
_PIECE_BYTES = 20000
_LEAK_BYTES = 400  # of each time it is switched off


class BLE:
    _instance = None  # a singleton, as the original

    def __new__(cls):
        if cls._instance is None:
            cls._instance = ble = object.__new__(cls)
            ble._active = False
            ble._handler = None
            ble._until_us = 0
            ble._advertisers = None
            ble._address = bytearray(6)
            ble._payload = bytearray(31)
        return cls._instance

    def active(self, _active=None):
        if _active is None:
            return self._active
        if _active and rfsniff.is_running():
            raise OSError(_EIO)
        if bool(_active) == self._active:
            return None
        if _active:
            if not _simulation.take_idf("ble", _STACK_BYTES, _PIECE_BYTES):
                _simulation.reset("PANIC")
            _simulation.wait_us(_ON_MS * 1000)
        else:
            self._stop()
            _simulation.wait_us(_OFF_MS * 1000)
            _simulation.give_idf("ble", _STACK_BYTES - _LEAK_BYTES)
        self._active = bool(_active)
        return None

    def irq(self, _handler):
        self._handler = _handler

    def config(self, _param=None, **settings):
        if _param == "mac":
            return 0, b"\x24\x6f\x28\xaa\xbb\x03"
        if _param is not None and _param not in ("rxbuf", "mtu", "gap_name"):
            raise ValueError("unknown config param")
        return 0 if _param else None

    def gap_scan(self, _duration_ms, _interval_us=1280000, _window_us=11250, _active=False):
        if not self._active:
            raise OSError(_EINVAL)
        if _duration_ms is None:
            self._stop()
            return
        if rfsniff.is_running():
            raise OSError(_EIO)
        now_us = _simulation.now_us()
        self._until_us = now_us + _duration_ms * 1000 if _duration_ms else 1 << 60
        self._heard_percent = 100 * _window_us // _interval_us
        # The time at which each is due; the rows stay in the file, because they would take the sensor's heap.
        self._advertisers = [now_us + random.randrange(row[5]) * 1000 for row in _simulation.air().rows("ble")]
        if self._poll not in _simulation.pollers:
            _simulation.pollers.append(self._poll)

    def _stop(self):
        if self._advertisers is not None:
            self._advertisers = None
            _simulation.pollers.remove(self._poll)
            if random.randrange(5):
                self._call_handler(_IRQ_SCAN_DONE, ())

    def _poll(self):
        now_us = _simulation.now_us()
        for number in range(len(self._advertisers)):
            while self._advertisers is not None and self._advertisers[number] <= min(now_us, self._until_us):
                address, address_type, rssi_dbm, length, payload, interval_ms = _simulation.air().row("ble", number)
                self._advertisers[number] += interval_ms * 1000 + random.randrange(10000)
                if random.randrange(100) < self._heard_percent and random.randrange(50):
                    self._address[:] = address
                    self._payload[:] = payload
                    data = memoryview(self._payload)[:length]
                    rssi_dbm += random.randrange(7) - 3
                    self._call_handler(
                        _IRQ_SCAN_RESULT, (address_type, memoryview(self._address), _ADV_IND, rssi_dbm, data)
                    )
            if self._advertisers is None:
                return
        if now_us >= self._until_us:
            self._stop()

    def _call_handler(self, event, data):
        if self._handler:
            self._handler(event, data)
