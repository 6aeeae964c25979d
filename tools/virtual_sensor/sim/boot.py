"""
Runs first in the process of a virtual sensor: arranges files and time as on a board, then runs main.py.

Started by tools/virtual_sensor/sensor.py with the environment SIM_FLASH (a folder, or a LittleFS image if it is
a file), SIM_WORLD, SIM_SPEED, SIM_CAUSE and SIM_ID, see _simulation.py, and the code as one of

    SIM_ROM      address and size of a ROMFS image in memory (tools/virtual_sensor/start_process.py), mounted at /rom
    SIM_PROJECT  a folder with ansim/, firmware/ and tools/virtual_sensor/sim/, mounted at /lib
    SIM_FROZEN   anything: it is all in the interpreter's image (tools/native.py)
    SIM_MODULES  a folder with what tools/virtual_sensor/sim has; all other code is in the flash, and the prompt follows
                 main.py (tools/hardware/emulated_board.py); SIM_RAW says it was in raw mode before a soft reset

SIM_MAIN is run instead of main.py; tests use it.
"""

import os
import sys

import vfs

_BLOCK_BYTES = 4096


class _Image:
    """A file that behaves as flash with erasable blocks."""

    def __init__(self, path, blocks):
        self._file = open(path, "r+b")  # noqa: SIM115
        self._blocks = blocks

    def readblocks(self, block, buffer, offset=0):
        self._file.seek(block * _BLOCK_BYTES + offset)
        self._file.readinto(buffer)

    def writeblocks(self, block, buffer, offset=None):
        if offset is None:
            self.ioctl(6, block)
            offset = 0
        self._file.seek(block * _BLOCK_BYTES + offset)
        self._file.write(buffer)

    def ioctl(self, operation, argument):
        if operation == 3:
            self._file.flush()
        elif operation == 4:
            return self._blocks
        elif operation == 5:
            return _BLOCK_BYTES
        elif operation == 6:
            self._file.seek(argument * _BLOCK_BYTES)
            self._file.write(b"\xff" * _BLOCK_BYTES)
            return 0
        return None


class _Folder:
    """A folder as flash. VfsPosix with a root renames a file to itself (its paths share one buffer)."""

    def __init__(self, path):
        self._path = path
        self._files = vfs.VfsPosix(path)

    def __getattr__(self, name):
        return getattr(self._files, name)

    def rename(self, old, new):
        vfs.VfsPosix().rename(self._path + old, self._path + new)


def _flash(path):
    status = os.stat(path)
    if status[0] & 0x4000:
        return _Folder(path)
    image = _Image(path, status[6] // _BLOCK_BYTES)
    try:
        return vfs.VfsLfs2(image)
    except OSError:
        vfs.VfsLfs2.mkfs(image)
        return vfs.VfsLfs2(image)


def _arrange():
    """Mount everything; return the path of main.py, "" if that is for _switch_on() to find."""
    flash = _flash(os.getenv("SIM_FLASH"))
    world = vfs.VfsPosix(os.getenv("SIM_WORLD"))
    rom, project, modules = os.getenv("SIM_ROM"), os.getenv("SIM_PROJECT"), os.getenv("SIM_MODULES")
    vfs.umount("/")
    vfs.mount(flash, "/")
    vfs.mount(world, "/.world")
    code, sim = "/lib", "/.sim"
    if rom:
        import uctypes

        address, size = rom.split(",")
        vfs.mount(vfs.VfsRom(memoryview(uctypes.bytearray_at(int(address), int(size)))), "/rom")
        code, sim = "/rom", "/rom/sim"
    elif os.getenv("SIM_FROZEN"):
        code, sim = ".frozen", ""
    elif project:
        vfs.mount(vfs.VfsPosix(project), code)
        vfs.mount(vfs.VfsPosix(project + "/tools/virtual_sensor/sim"), sim)
    else:
        vfs.mount(vfs.VfsPosix(modules), sim)
    os.chdir("/")
    sys.path[:] = ["", ".frozen", code, sim] if sim else ["", ".frozen"]
    del sys.argv[:]
    return code + "/firmware/main.py" if rom or project else ""


def _provision():
    """Put settings.json into the flash, once: whoever made them knows no LittleFS."""
    try:
        with open("/.world/settings.json") as file:
            settings = file.read()
    except OSError:
        return
    with open("/settings.json", "w") as file:
        file.write(settings)
    os.unlink("/.world/settings.json")


def _scale_time():
    """asyncio asks our `time` for the time, but waits in poll(), which has to be told."""
    from asyncio import core

    import _simulation

    class IOQueue(core.IOQueue):
        def __init__(self):
            super().__init__()
            self._poll = super().wait_io_event

        def _enqueue(self, stream, index):
            _simulation.socket_is_busy()
            super()._enqueue(stream, index)

        def wait_io_event(self, dt):
            _simulation.wait_for_events(dt, self._poll, bool(self.map))

    core.IOQueue = IOQueue
    core.new_event_loop()


def _run(path):
    with open(path) as file:
        code = compile(file.read(), path, "exec")
    exec(code, {"__name__": "__main__"})


def _switch_on():
    """As on a board: boot.py, and main.py unless the prompt was left in raw mode."""
    os.remove("/.world/starting")  # from here on tools/hardware/emulated_board.py hands over Ctrl-C
    for path in ("/boot.py",) if os.getenv("SIM_RAW") else ("/boot.py", "/main.py"):
        try:
            os.stat(path)
        except OSError:
            continue
        try:
            _run(path)
        except SystemExit:
            return
        except (Exception, KeyboardInterrupt) as error:
            sys.print_exception(error)
            return


_main = _arrange()
_scale_time()
if os.getenv("SIM_FROZEN"):
    _provision()
    # A board has none of this, so it must not stay in the heap.
    del _Image, _arrange, _flash, _provision, _run, _scale_time, _switch_on
    __import__("firmware.main")
elif _main:
    _provision()
    _run(os.getenv("SIM_MAIN") or _main)
else:
    _switch_on()
