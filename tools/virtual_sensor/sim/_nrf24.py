"""
An nRF24L01+ on SPI that accepts only real commands and registers, and receives the senders of /.world/nrf24.json:

    {"pins": [18, 23, 19, 5, 4], "senders": [[2432, 18, 1000, 0, 3600000], ...]}

pins     sck, mosi, miso, csn, ce; only csn and ce are used
senders  [centre in MHz, width in MHz, permille of the time with power, from ms, to ms of scene time]

RPD is 1 only where the chip has been receiving on the channel for 170 us, and is latched when CE falls.
Source: nRF24L01+ Product Specification 1.0, 6.1 (states), 6.4 (RPD), 8.3 (SPI commands), 9 (registers).
"""

import json
import random

import _simulation

_LISTEN_US = 170  # 130 to settle, 40 for the power detector
_POWER_UP_US = 1500
_CONFIG, _RF_CH, _RF_SETUP, _STATUS, _RPD = 0x00, 0x05, 0x06, 0x07, 0x09
_ONE_BYTE = (
    bytes(range(0x0A)) + bytes(range(0x11, 0x18)) + b"\x1c\x1d"
)  # the other registers are addresses, or reserved
_READ_ONLY = (0x08, 0x09, 0x17)
_RESET = {0x00: 0x08, 0x01: 0x3F, 0x02: 0x03, 0x03: 0x03, 0x04: 0x03, 0x05: 0x02, 0x06: 0x0E, 0x07: 0x0E, 0x17: 0x11}
_FLUSH_TX, _FLUSH_RX, _NOP = 0xE1, 0xE2, 0xFF


class Chip:
    def __init__(self):
        wiring = json.loads(_simulation.load("nrf24.json"))
        self._senders = wiring["senders"]
        self._registers = dict(_RESET)
        self._selected = False
        self._command = None
        self._arguments = 0
        self._ce = 0
        self._on_us = None  # when PWR_UP was set
        self._since_us = None  # receiving since
        self._rpd = 0
        _simulation.output_listeners[wiring["pins"][3]] = self._select
        _simulation.output_listeners[wiring["pins"][4]] = self._enable

    def shift(self, byte):
        """Exchange one byte with the master."""
        if not self._selected:
            return 0xFF  # MISO floats
        if self._command is None:
            self._begin(byte)
            return self._registers[_STATUS]
        register = self._command & 0x1F
        self._arguments += 1
        if self._arguments > 1:
            raise ValueError("nRF24: register 0x%02x has one byte" % register)
        if self._command & 0xE0 == 0x20:
            self._write(register, byte)
            return 0
        return self._read(register)

    def _begin(self, byte):
        if byte >= 0x40 and byte not in (_FLUSH_TX, _FLUSH_RX, _NOP):
            raise ValueError("nRF24: no command 0x%02x" % byte)
        if byte < 0x40 and byte & 0x1F not in _ONE_BYTE:
            raise ValueError("nRF24: no register 0x%02x" % (byte & 0x1F))
        self._command = byte
        self._arguments = 0

    def _write(self, register, value):
        if register in _READ_ONLY:
            raise ValueError("nRF24: register 0x%02x cannot be written" % register)
        if register == _RF_CH and value > 125:
            raise ValueError("nRF24: no channel %d" % value)
        # Only in power down and standby (8.3.1); all drivers write RF_CH and CONFIG with CE low.
        if self._ce:
            raise ValueError("nRF24: register 0x%02x written while receiving" % register)
        if register == _CONFIG:
            was_up = self._registers[_CONFIG] & 2
            self._on_us = None if not value & 2 else self._on_us if was_up else _simulation.now_us()
        self._registers[register] = value & (0x7F if register != _STATUS else 0x70)

    def _read(self, register):
        if register == _RPD:
            return self._power() if self._ce else self._rpd
        return self._registers.get(register, 0)

    def _select(self, level):
        self._selected = not level
        self._command = None

    def _enable(self, level):
        if level and not self._ce:
            self._since_us = _simulation.now_us()
        elif self._ce and not level:
            self._rpd = self._power()
        self._ce = level

    def _power(self):
        now_us = _simulation.now_us()
        receives = self._registers[_CONFIG] & 3 == 3 and self._on_us is not None
        if not receives or self._since_us - self._on_us < _POWER_UP_US or now_us - self._since_us < _LISTEN_US:
            return 0
        mhz, now_ms = 2400 + self._registers[_RF_CH], now_us // 1000
        for centre, width, permille, from_ms, to_ms in self._senders:
            if from_ms <= now_ms < to_ms and 2 * abs(mhz - centre) <= width and random.randrange(1000) < permille:
                return 1
        return 0
