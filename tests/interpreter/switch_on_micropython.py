"""
Runs on MicroPython (see test_switch.py): cuts the power at each block write of the switch to a new version.

After each cut the board boots: /boot.py runs, and then either all files are the old ones or all are the new
ones. All modules are imported first, because LittleFS is mounted at / here.
"""

import random
import sys

import vfs

from tests.support.flash_image import Flash, RamImage, format_flash
from tools.hardware import on_board

BLOCKS = 64
NO_CUT = 1 << 20  # more writes than are ever made

OLD = {
    "/main.py": "old main",
    "/lib/ansim/a.py": "old a",
    "/lib/firmware/deep/b.py": "old b",
    "/lib/ansim/gone.py": "old",
}
NEW = {
    "/main.py": "new main",
    "/lib/ansim/a.py": "new a",
    "/lib/firmware/deep/b.py": "new b",
    "/lib/new/c.mpy": "new c",
}
GONE = "/lib/ansim/gone.py"

with open(sys.argv[1]) as source:
    BOOT = source.read()


def write(path, text):
    on_board.make_folder(path.rpartition("/")[0] or "/")
    with open(path, "w") as file:
        file.write(text)


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return None


def mount(flash):
    vfs.umount("/")
    vfs.mount(vfs.VfsLfs2(flash), "/")


def make_image():
    """Return a flash with the old version, and the new one copied beside it."""
    image = RamImage(BLOCKS)
    format_flash(Flash(image))
    mount(Flash(image))
    write("/boot.py", "raise Exception('the boot.py of the old version')" if random.getrandbits(1) else BOOT)
    for path in OLD:
        write(path, OLD[path])
    write("/incoming/boot.py", BOOT)
    for path in NEW:
        write("/incoming" + path, NEW[path])
    write("/incoming/obsolete", GONE + "\n")
    return image


def boot():
    """Run /boot.py, unless it still is the one of the old version."""
    if read("/boot.py") == BOOT:
        exec(BOOT, {})


def version():
    if all(read(path) == OLD[path] for path in OLD):
        return "old"
    if all(read(path) == NEW[path] for path in NEW) and read(GONE) is None:
        return "new"
    return "mixed"


def switch(image, writes):
    """Switch with a power cut after some writes; return how many were made."""
    flash = Flash(image)
    mount(flash)
    flash.cut_after(writes)
    try:
        on_board.activate()
    except OSError:
        pass
    return flash.writes


def switch_quietly(image, writes):
    """Call switch() without the output of on_board."""
    on_board.print = lambda *_: None  # pyright: ignore[reportAttributeAccessIssue] # hides the builtin
    try:
        return switch(image, writes)
    finally:
        on_board.print = print  # pyright: ignore[reportAttributeAccessIssue]


random.seed(4)
total = switch_quietly(make_image(), NO_CUT)
counts = {"old": 0, "new": 0}
for cut in range(total + 1):
    image = make_image()
    switch_quietly(image, cut)
    # The power may be cut again while the next boot cleans up.
    flash = Flash(image)
    mount(flash)
    flash.cut_after(random.randint(0, 12))
    try:
        boot()
    except OSError:
        pass
    mount(Flash(image))
    boot()
    booted = version()
    assert booted in counts, f"after a cut at write {cut}"
    assert booted == "old" or read("/ready/obsolete") is None
    counts[booted] += 1
print(total, counts["old"], counts["new"])
