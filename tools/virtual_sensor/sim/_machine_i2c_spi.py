"""`machine.I2C` and `machine.SPI`, each with the one chip that a sensor can have, if /.world has its file."""

import _simulation

_ENODEV = 19


class I2C:
    """The SSD1306 is at 0x3C if /.world/oled exists."""

    def __init__(self, _id, *, scl, sda, freq=400000, timeout=50000):
        if _id not in (0, 1):
            raise ValueError("I2C(%d) doesn't exist" % _id)
        self._chip = None
        if _simulation.exists("oled"):
            import _ssd1306

            self._chip = _ssd1306.Chip()

    def scan(self):
        return [0x3C] if self._is_connected() else []

    def writeto(self, _addr, _buf, _stop=True):
        if _addr != 0x3C or not self._is_connected():
            raise OSError(_ENODEV)
        self._chip.receive(memoryview(_buf))
        return len(_buf)

    def _is_connected(self):
        return self._chip is not None and _simulation.exists("oled")


class SPI:
    """The nRF24L01+ is at the pins of /.world/nrf24.json; without that file MISO floats high."""

    MSB = 0
    LSB = 1

    def __init__(
        self, _id, baudrate=1000000, *, polarity=0, phase=0, bits=8, firstbit=MSB, sck=None, mosi=None, miso=None
    ):
        if _id not in (1, 2):
            raise ValueError("SPI(%d) doesn't exist" % _id)
        self._chip = None
        if _simulation.exists("nrf24.json"):
            import _nrf24

            if (baudrate <= 10000000) and (polarity, phase, bits, firstbit) == (0, 0, 8, SPI.MSB):
                self._chip = _nrf24.Chip()

    def write_readinto(self, _write_buf, _read_buf):
        if len(_write_buf) != len(_read_buf):
            raise ValueError("buffers must be the same length")
        for index in range(len(_write_buf)):
            _read_buf[index] = self._chip.shift(_write_buf[index]) if self._chip else 0xFF

    def write(self, _buf):
        for byte in bytes(_buf):
            if self._chip:
                self._chip.shift(byte)
