"""
Runs on MicroPython: a flash chip for VfsLfs2, in RAM or in a file, whose power can be cut.

    flash = Flash(bytearray(64 * BLOCK_BYTES))
    flash.cut_after(20, chance)       # the 21st write or erase is done in part, then nothing works any more
    filesystem = mounted(flash, "/flash")
"""

import vfs

BLOCK_BYTES = 4096
_EIO = 5


class RamImage:
    """Blocks in a bytearray; what is written is there at once."""

    def __init__(self, blocks):
        self.data = bytearray(b"\xff" * (BLOCK_BYTES * blocks))
        self.blocks = blocks

    def read(self, at, buffer):
        buffer[:] = memoryview(self.data)[at : at + len(buffer)]

    def write(self, at, buffer):
        self.data[at : at + len(buffer)] = buffer


class FileImage:
    """Blocks in a file, so that another process finds them after a kill."""

    def __init__(self, path, blocks):
        self.blocks = blocks
        try:
            self._file = open(path, "r+b")  # noqa: SIM115 - stays open
        except OSError:
            self._file = open(path, "w+b")  # noqa: SIM115
            for _ in range(blocks):
                self._file.write(b"\xff" * BLOCK_BYTES)

    def read(self, at, buffer):
        self._file.seek(at)
        self._file.readinto(buffer)

    def write(self, at, buffer):
        self._file.seek(at)
        self._file.write(buffer)


class Flash:
    """The block device that VfsLfs2 wants (MicroPython's "extended" interface)."""

    def __init__(self, image):
        self.writes = 0
        self.dead = False
        self._image = image
        self._left = None
        self._chance = None

    def cut_after(self, writes, chance):
        """Cut the power in the middle of a write or erase after so many more; `chance` says where in it."""
        self._left, self._chance = writes, chance

    def readblocks(self, block, buffer, offset=0):
        if self.dead:
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

    def _change(self, at, data):
        if self.dead:
            return -_EIO
        self.writes += 1
        if self._left is not None:
            if self._left == 0:
                self._tear(at, data)
                self.dead = True
                return -_EIO
            self._left -= 1
        self._image.write(at, data)
        return 0

    def _tear(self, at, data):
        """Do a part of it: a front part, a back part, or bits that are half way."""
        middle = self._chance.randint(0, len(data))
        what = self._chance.randint(0, 2)
        if what == 0:
            self._image.write(at, memoryview(data)[:middle])
        elif what == 1:
            self._image.write(at + middle, memoryview(data)[middle:])
        else:
            rubbish = bytearray(memoryview(data)[:middle])
            for index in range(len(rubbish)):
                rubbish[index] ^= self._chance.getrandbits(8)
            self._image.write(at, rubbish)


def mounted(flash, path, make=False):
    """Mount the flash's LittleFS at `path`; make=True formats it first."""
    if make:
        vfs.VfsLfs2.mkfs(flash)
    filesystem = vfs.VfsLfs2(flash)
    vfs.mount(filesystem, path)
    return filesystem
