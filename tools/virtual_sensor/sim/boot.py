"""
Start script of a virtual sensor's process: sets up file systems and time as on a board, then runs boot.py and main.py.

tools/virtual_sensor/sensor.py sets these environment variables: SIM_FLASH (a folder, or a file with a LittleFS image),
SIM_WORLD, SIM_SPEED, SIM_CAUSE, SIM_ID and SIM_HEAP_S, see _simulation.py, and for the code one of

    SIM_ROM      address and size of a ROMFS image in memory (tools/virtual_sensor/start_process.py), mounted at /rom
    SIM_PROJECT  a folder with ansim/, firmware/ and tools/virtual_sensor/sim/, mounted at /lib
    SIM_FROZEN   any value: the code is in the interpreter's image (tools/native.py)
    SIM_MODULES  a folder with a copy of tools/virtual_sensor/sim; all other code is in the flash, and the prompt
                 follows main.py (tools/hardware/emulated_board.py); SIM_RAW: it was in raw mode before a soft reset

SIM_MAIN, used by tests, is run instead of main.py.
"""

import io
import os
import sys

import vfs

_BLOCK_BYTES = 4096


class _Image:
    """
    A block device in a file.

    takes_time  erasing a block takes time, from the mount on; not on an emulated board, whose tools write hundreds of
                blocks
    """

    takes_time = False

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
            if _Image.takes_time:
                import _simulation

                _simulation.write_flash()
            return 0
        return None


class _Written(io.IOBase):
    """
    A file open for writing. LittleFS never changes a block in place: each flush() and close() after a write puts the
    last block of the file into a new one, which is erased first (measured: 1.1 blocks for a report of 400 bytes).
    """

    def __init__(self, file):
        self._file = file
        self._written = 0  # bytes since the last flush

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def write(self, data):
        self._written += len(data)
        return self._file.write(data)

    def flush(self):
        self._file.flush()
        if self._written:
            import _simulation

            for _ in range(self._written // _BLOCK_BYTES + 1):
                _simulation.write_flash()
            self._written = 0

    def close(self):
        self.flush()
        self._file.close()


class _Folder:
    """
    A folder as flash. A file that is written takes the time of erasing its blocks, see _Written.

    rename() works around VfsPosix, which with a root renames a file to itself (one path buffer).
    """

    def __init__(self, path):
        self._path = path
        self._files = vfs.VfsPosix(path)

    def __getattr__(self, name):
        return getattr(self._files, name)

    def open(self, path, mode):
        file = self._files.open(path, mode)
        if mode.strip("rbt") and path != "/settings.json":  # the computer writes the settings
            return _Written(file)
        return file

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


def _mount_all():
    """Mount all file systems; return the folder of boot.py and main.py, "" if _run_from_flash() finds them."""
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
    sys.path[:] = ["", sim, ".frozen", code] if sim else ["", ".frozen"]  # sim has an ssl, and so may .frozen
    del sys.argv[:]
    return code + "/firmware" if rom or project else ""


def _provision():
    """Move settings.json into the flash; the computer cannot write a LittleFS image itself."""
    try:
        with open("/.world/settings.json") as file:
            settings = file.read()
    except OSError:
        return
    with open("/settings.json", "w") as file:
        file.write(settings)
    os.unlink("/.world/settings.json")


def _scale_time():
    """Make asyncio wait in scene time: it reads the time from our `time`, but waits in poll()."""
    from asyncio import core

    import _simulation

    class IOQueue(core.IOQueue):
        def __init__(self):
            super().__init__()
            self._poll = super().wait_io_event

        def _enqueue(self, stream, index):
            _simulation.mark_socket_busy(index == 0)
            super()._enqueue(stream, index)

        def wait_io_event(self, dt):
            _simulation.wait_for_events(dt, self._poll, bool(self.map))

    core.IOQueue = IOQueue
    core.new_event_loop()


def _run(path):
    """Run a file in the names of `__main__`, which boot.py, main.py and the prompt of a board share."""
    with open(path) as file:
        code = compile(file.read(), path, "exec")
    exec(code, globals())


def _run_from_flash():
    """Run boot.py, and main.py unless the prompt was in raw mode, as a board does."""
    os.remove("/.world/starting")  # from now on tools/hardware/emulated_board.py passes on Ctrl-C
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


_programs = _mount_all()
_Image.takes_time = not os.getenv("SIM_MODULES")
_scale_time()
if os.getenv("SIM_FROZEN"):
    _provision()
    # A board has none of these, so they must not stay in the heap.
    del _mount_all, _flash, _provision, _run, _scale_time, _run_from_flash
    watchdog = __import__("firmware.boot", None, None, ("watchdog",)).watchdog
    del sys.modules["firmware.boot"]
    __import__("firmware.main")
elif _programs:
    _provision()
    _run(_programs + "/boot.py")
    _run(os.getenv("SIM_MAIN") or _programs + "/main.py")
else:
    _run_from_flash()
