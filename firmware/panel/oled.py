"""
An SSD1306 display of 128 x 64 pixels on I2C: eight lines of 16 characters, or fewer and larger ones.

    oled = Oled(board.OLED)
    oled.begin()                       # raises OSError if no display answers
    oled.line(0, "Ansim         87%")
    oled.line(4, "-52 dBm", 90)        # the first 90 of the 128 columns inverted: a bar with text on it
    oled.big(5, "-52")                 # three lines high, up to five characters

Only lines that have changed are sent, 3 ms each at 400 kHz, and only one line is held in memory.

Source: Solomon Systech, SSD1306 data sheet 1.1, chapters 8.1.5 (I2C), 9 and 10 (commands).
"""

import framebuf

ADDRESSES = (0x3C, 0x3D)
WIDTH = 128
LINES = 8
CHARACTERS = 16

_COMMANDS, _DATA = 0x00, 0x40  # control bytes: meaning of the rest of the transfer
# off, clock, 64 rows, no offset, first row 0, charge pump on, page addressing, mirrored as the modules
# are mounted, COM pins, contrast, precharge, VCOMH, show memory, not inverted, on
_SET_UP = b"\xae\xd5\x80\xa8\x3f\xd3\x00\x40\x8d\x14\x20\x02\xa1\xc8\xda\x12\x81\x8f\xd9\xf1\xdb\x40\xa4\xa6\xaf"


class Oled:
    """pins is (sda, scl)."""

    def __init__(self, pins):
        self._pins = pins
        self._i2c = None
        self._address = 0
        self._sent = {}  # line -> its contents
        self._row = bytearray(1 + WIDTH)
        self._row[0] = _DATA
        self._frame = framebuf.FrameBuffer(memoryview(self._row)[1:], WIDTH, 8, framebuf.MONO_VLSB)

    def begin(self) -> None:
        """Switch the display on and clear it. Raises OSError if it does not answer."""
        from machine import I2C, Pin

        sda, scl = self._pins
        self._i2c = I2C(0, sda=Pin(sda), scl=Pin(scl), freq=400_000)
        addresses = [address for address in self._i2c.scan() if address in ADDRESSES]
        if not addresses:
            raise OSError("no SSD1306 answers")
        self._address = addresses[0]
        self._command(_SET_UP)
        for number in range(LINES):
            self.line(number, "")

    def line(self, number: int, text: str, filled: int = 0) -> None:
        """Show up to 16 ASCII characters in line 0..7, with the first `filled` columns inverted."""
        if self._sent.get(number) == (text, filled):
            return
        self._sent[number] = (text, filled)
        self._frame.fill(0)
        self._frame.text(text, 0, 0)
        for column in range(1, 1 + min(filled, WIDTH)):
            self._row[column] ^= 0xFF
        self._send(number)

    def big(self, number: int, text: str) -> None:
        """Show up to five characters, three lines high, starting at line 0..5."""
        if self._sent.get(number) == text:
            return
        glyphs = bytearray(8 * max(1, min(len(text), 5)))
        framebuf.FrameBuffer(glyphs, len(glyphs), 8, framebuf.MONO_VLSB).text(text, 0, 0)
        for part in range(3):
            self._sent[number + part] = text
            for column in range(WIDTH):
                bits = glyphs[column // 3] if column // 3 < len(glyphs) else 0
                tall = 0
                for row in range(8):
                    tall |= (bits >> (part * 8 + row) // 3 & 1) << row
                self._row[1 + column] = tall
            self._send(number + part)

    def _send(self, page):
        self._command(bytes((0xB0 | page, 0x00, 0x10)))
        self._i2c.writeto(self._address, self._row)  # pyright: ignore[reportOptionalMemberAccess]

    def _command(self, commands):
        self._i2c.writeto(self._address, bytes((_COMMANDS,)) + commands)  # pyright: ignore[reportOptionalMemberAccess]
