"""Screens that are shared: a framebuffer somebody works on, and a VNC viewer."""

import mmap
import struct
import time

from tools.airlab.guest.talk.common import connect, noise, randomness

BYTES_PER_PIXEL = 4
ZRLE = 16


def screen(path: str, width: str = "1280", height: str = "720") -> None:
    """A screen as a raw framebuffer for `x11vnc -rawfb`: typing, scrolling, a window that is moved."""
    columns, rows = int(width), int(height)
    line = columns * BYTES_PER_PIXEL
    with open(path, "w+b") as file:
        file.truncate(line * rows)
        pixels = mmap.mmap(file.fileno(), line * rows)
        while True:
            action = randomness.random()
            if action < 0.6:
                _type(pixels, columns, rows)
            elif action < 0.85:
                _scroll(pixels, line, rows)
            else:
                _replace_window(pixels, line, rows)
            time.sleep(randomness.uniform(0.2, 3))


def _type(pixels, columns, rows):
    x, y = randomness.randrange(columns - 200), randomness.randrange(rows - 20)
    for index in range(randomness.randint(5, 20)):
        glyph = noise(32)
        for row in range(14):
            start = ((y + row) * columns + x + index * 9) * BYTES_PER_PIXEL
            pixels[start : start + 32] = glyph
        time.sleep(randomness.lognormvariate(-1.8, 0.4))


def _scroll(pixels, line, rows):
    for _ in range(randomness.randint(3, 15)):
        pixels.move(0, line * 20, line * (rows - 20))
        pixels[line * (rows - 20) : line * rows] = (noise(4000) * (line * 20 // 4000 + 1))[: line * 20]
        time.sleep(0.06)


def _replace_window(pixels, line, rows):
    for row in range(rows // 4, rows // 2):
        pixels[row * line + line // 4 : row * line + line // 2] = (noise(640) * 8)[: line // 4]


def vnc_view(host: str, port: str = "5900") -> None:
    """A VNC viewer that asks for changes as fast as they come, in ZRLE."""
    connection = connect(host, port)
    file = connection.makefile("rb")
    file.read(12)
    connection.sendall(b"RFB 003.008\n")
    file.read(file.read(1)[0])
    connection.sendall(b"\x01")
    file.read(4)
    connection.sendall(b"\x01")
    width, height = struct.unpack(">HH", file.read(4))
    file.read(16)
    file.read(struct.unpack(">I", file.read(4))[0])
    connection.sendall(struct.pack(">BxHi", 2, 1, ZRLE))
    connection.sendall(struct.pack(">BBHHHH", 3, 0, 0, 0, width, height))
    while True:
        kind = file.read(1)[0]
        if kind == 0:
            for _ in range(struct.unpack(">xH", file.read(3))[0]):
                file.read(12)
                file.read(struct.unpack(">I", file.read(4))[0])
            connection.sendall(struct.pack(">BBHHHH", 3, 1, 0, 0, width, height))
            time.sleep(0.03)
        elif kind == 3:
            file.read(3)
            file.read(struct.unpack(">I", file.read(4))[0])
