"""
Runs on MicroPython: a flash chip for VfsLfs2, in RAM or in a file, with simulated power cuts.

    flash = Flash(RamImage(64))
    flash.cut_after(20)               # the 21st write or erase is done in part, then every access fails
    filesystem = mount(flash, "/flash")
"""

import random

import vfs

BLOCK_BYTES = 4096
_EIO = 5


class RamImage:
    """Blocks in a bytearray."""

    def __init__(self, blocks):
        self.data = bytearray(b"\xff" * (BLOCK_BYTES * blocks))
        self.blocks = blocks

    def read(self, offset, buffer):
        buffer[:] = memoryview(self.data)[offset : offset + len(buffer)]

    def write(self, offset, buffer):
        self.data[offset : offset + len(buffer)] = buffer


class FileImage:
    """Blocks in a file, for another process after a kill."""

    def __init__(self, path, blocks):
        self.blocks = blocks
        try:
            self._file = open(path, "r+b")  # noqa: SIM115 - stays open
        except OSError:
            self._file = open(path, "w+b")  # noqa: SIM115
            for _ in range(blocks):
                self._file.write(b"\xff" * BLOCK_BYTES)

    def read(self, offset, buffer):
        self._file.seek(offset)
        self._file.readinto(buffer)

    def write(self, offset, buffer):
        self._file.seek(offset)
        self._file.write(buffer)


class Flash:
    """A block device with MicroPython's "extended" interface."""

    def __init__(self, image):
        self.writes = 0
        self.is_off = False
        self._image = image
        self._writes_left = -1  # until the power cut; -1: none
        self._random = random

    def cut_after(self, writes, generator=random):
        """Cut the power during the write or erase after `writes` more; `generator` chooses where in it."""
        self._writes_left, self._random = writes, generator

    def readblocks(self, block, buffer, offset=0):
        if self.is_off:
            return -_EIO
        self._image.read(block * BLOCK_BYTES + offset, buffer)
        return 0

    def writeblocks(self, block, buffer, offset=None):
        if offset is None:
            self._change(block * BLOCK_BYTES, b"\xff" * BLOCK_BYTES)
            offset = 0
        return self._change(block * BLOCK_BYTES + offset, buffer)

    def ioctl(self, operation, argument):
        if operation == 4:
            return self._image.blocks
        if operation == 5:
            return BLOCK_BYTES
        if operation == 6:
            return self._change(argument * BLOCK_BYTES, b"\xff" * BLOCK_BYTES)
        return 0

    def _change(self, offset, data):
        if self.is_off:
            return -_EIO
        self.writes += 1
        if self._writes_left == 0:
            self._tear(offset, data)
            self.is_off = True
            return -_EIO
        if self._writes_left > 0:
            self._writes_left -= 1
        self._image.write(offset, data)
        return 0

    def _tear(self, offset, data):
        """Write the front part, the back part, or a front part with random bits."""
        middle = self._random.randint(0, len(data))
        fault = self._random.randint(0, 2)
        if fault == 0:
            self._image.write(offset, memoryview(data)[:middle])
        elif fault == 1:
            self._image.write(offset + middle, memoryview(data)[middle:])
        else:
            noise = bytearray(memoryview(data)[:middle])
            for index in range(len(noise)):
                noise[index] ^= self._random.getrandbits(8)
            self._image.write(offset, noise)


def format_flash(flash):
    """Make an empty LittleFS on the flash."""
    vfs.VfsLfs2.mkfs(flash)


def mount(flash, path, is_new=False):
    """Mount the flash's LittleFS at `path`; format it first if `is_new`."""
    if is_new:
        format_flash(flash)
    filesystem = vfs.VfsLfs2(flash)
    vfs.mount(filesystem, path)
    return filesystem
