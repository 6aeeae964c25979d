"""
Runs on MicroPython (see test_switch.py): cut the power at each block write of a switch to a new version.

After each cut the board starts: /boot.py runs, and then either every file is the old one or every file is
the new one. As LittleFS is at / here, everything that is needed is imported first.
"""

import random
import sys

import vfs

from tests.support.flash_image import Flash, RamImage
from tools.hardware import on_board

BLOCKS = 64
WITHOUT = 1 << 20  # so many writes are never made

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


def prepared():
    """A flash with the old version on it, the new one copied beside."""
    image = RamImage(BLOCKS)
    vfs.VfsLfs2.mkfs(Flash(image))
    mount(Flash(image))
    write("/boot.py", "raise Exception('the boot.py of the old version')" if random.getrandbits(1) else BOOT)
    for path in OLD:
        write(path, OLD[path])
    write("/incoming/boot.py", BOOT)
    for path in NEW:
        write("/incoming" + path, NEW[path])
    write("/incoming/obsolete", GONE + "\n")
    return image


def start(flash=None):
    """What a start does before main.py; False if the old version's boot.py is still there and counts."""
    code = read("/boot.py")
    if code != BOOT:
        return False
    exec(code, {})
    return True


def version():
    if all(read(path) == OLD[path] for path in OLD):
        return "old"
    if all(read(path) == NEW[path] for path in NEW) and read(GONE) is None:
        return "new"
    return "mixed"


def switch(image, writes):
    """Switch; the power goes after so many writes. Returns how many there were."""
    flash = Flash(image)
    mount(flash)
    flash.cut_after(writes, random)
    try:
        on_board.activate()
    except OSError:
        pass
    return flash.writes


def quietly(function, *arguments):
    """on_board replies by print()."""
    before, on_board.print = print, lambda *_: None
    try:
        return function(*arguments)
    finally:
        on_board.print = before


random.seed(4)
total = quietly(switch, prepared(), WITHOUT)
found = {"old": 0, "new": 0}
for cut in range(total + 1):
    image = prepared()
    quietly(switch, image, cut)
    # The power may go again while the next start tidies up.
    flash = Flash(image)
    mount(flash)
    flash.cut_after(random.randint(0, 12), random)
    try:
        start()
    except OSError:
        pass
    mount(Flash(image))
    start()
    now = version()
    assert now in found, f"after a cut at write {cut}"
    assert now == "old" or read("/ready/obsolete") is None
    found[now] += 1
print(total, found["old"], found["new"])
