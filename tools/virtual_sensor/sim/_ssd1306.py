"""
An SSD1306 on I2C that accepts only the commands of its data sheet and writes what it shows to /.world/screen.

The file has 1,024 bytes, page by page as the chip's memory; it does not exist while the display is off. The memory
itself is a file too, because it would take the sensor's heap.
"""

import os

import _simulation
import vfs

# command -> number of argument bytes
_ARGUMENTS = {0x20: 1, 0x81: 1, 0x8D: 1, 0xA8: 1, 0xD3: 1, 0xD5: 1, 0xD9: 1, 0xDA: 1, 0xDB: 1}
_ALONE = (0xA0, 0xA1, 0xA4, 0xA5, 0xA6, 0xA7, 0xAE, 0xAF, 0xC0, 0xC8, 0xE3)


class Chip:
    def __init__(self):
        _simulation.save("screen.memory", bytes(1024))
        self._memory = open(_simulation.FOLDER + "screen.memory", "r+b")  # noqa: SIM115 - stays open
        self._page = self._column = 0
        self._is_on = self._has_power = False
        self._by_page = False
        self._has_changed = False  # since it was shown

    def receive(self, data):
        """Process one transfer, a memoryview."""
        control, data = data[0], data[1:]
        if control == 0x40:
            self._write(data)
        elif control == 0x00:
            self._execute(data)
        else:
            raise ValueError("SSD1306: control byte 0x%02x" % control)
        if self._has_changed and self._is_on and self._has_power:
            self._has_changed = False
            self._show()

    def _show(self):
        """Replace the file in one step, because a test may read it at any time."""
        self._memory.seek(0)
        with open(_simulation.FOLDER + "screen.new", "wb") as file:
            for _ in range(8):
                file.write(self._memory.read(128))
        world = os.getenv("SIM_WORLD")
        vfs.VfsPosix().rename(world + "/screen.new", world + "/screen")  # with a root it renames a file to itself

    def _write(self, data):
        if not self._by_page:
            raise ValueError("SSD1306: data while the memory is not in page addressing mode")
        self._has_changed = True
        while len(data):
            count = min(len(data), 128 - self._column)
            self._memory.seek(self._page * 128 + self._column)
            self._memory.write(data[:count])
            self._column = (self._column + count) % 128  # wraps within its page
            data = data[count:]

    def _execute(self, data):
        index = 0
        while index < len(data):
            command = data[index]
            index += 1
            if command in _ARGUMENTS:
                if index >= len(data):
                    raise ValueError("SSD1306: command 0x%02x without its argument" % command)
                self._set(command, data[index])
                index += 1
            elif command in _ALONE:
                self._switch(command)
            elif 0xB0 <= command <= 0xB7:
                self._page = command & 7
            elif command <= 0x0F:
                self._column = self._column & 0x70 | command
            elif command <= 0x17:
                self._column = self._column & 0x0F | (command & 7) << 4
            elif not 0x40 <= command <= 0x7F:
                raise ValueError("SSD1306: no command 0x%02x" % command)

    def _set(self, command, value):
        if command == 0x20:
            self._by_page = value == 2
        elif command == 0x8D:
            self._has_power = value == 0x14
            self._has_changed = True

    def _switch(self, command):
        if command in (0xAE, 0xAF):
            self._is_on = command == 0xAF
            self._has_changed = True
            if not self._is_on:
                try:
                    os.remove(_simulation.FOLDER + "screen")
                except OSError:
                    pass
