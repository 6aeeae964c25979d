"""
Runs on MicroPython (see test_update.py): a sensor's whole life with updates, the power cut at each block write.

    micropython update_on_micropython.py boot.py FIRST STEP

The program that came by cable is replaced by a good update, that one by a broken one, which has to be rolled
back. After each cut the board starts: /boot.py runs, and what comes first in sys.path has to be one whole version.
As LittleFS is at / here, everything that is needed is imported first. Prints how many writes there are and how
many cuts were made.
"""

import asyncio
import binascii
import hashlib
import json
import os
import random
import sys

import vfs

from ansim.envelope import manifest_hmac
from firmware.maintenance import slots, update
from tests.support.flash_image import Flash, RamImage

BLOCKS = 96
KEY = bytes(range(32))
PART_BYTES = 300
SAME = b"# the same in all versions\n" * 20


class Wrong(Exception):
    """The board broke a promise."""


def program(version):
    """Return the files of a version."""
    return {
        "ansim/__init__.py": b"VERSION = '%s'\n" % version.encode(),
        "ansim/same.py": SAME,
        "ansim/empty.py": b"",
        "firmware/start.py": (b"# %s\n" % version.encode()) * 90,
        "firmware/radio/plan.mpy": b"\x00\xff" + version.encode() * 3,
    }


def hash_of(data):
    return binascii.hexlify(hashlib.sha256(data).digest()).decode()


class Server:
    """Has the files of all versions."""

    def __init__(self):
        self.files = {}
        self.asked = 0

    def publish(self, version):
        """Return the arguments of the update command."""
        lines = []
        files = program(version)
        for path in sorted(files):
            self.files[hash_of(files[path])] = files[path]
            lines.append(f"{hash_of(files[path])} {len(files[path])} {path}\n")
        manifest = "".join(lines).encode()
        digest = hash_of(manifest)
        self.files[digest] = manifest
        hmac = manifest_hmac(KEY, digest)
        return {"version": version, "bytes": len(manifest), "sha256": digest, "hmac": hmac}

    async def fetch(self, digest, offset):
        self.asked += 1
        if self.asked % 7 == 0:
            return None  # a bad link
        return self.files[digest][offset : offset + PART_BYTES]


def write(path, data):
    so_far = ""
    for part in path.split("/")[1:-1]:
        so_far += "/" + part
        try:
            os.mkdir(so_far)
        except OSError:
            pass
    with open(path, "wb") as file:
        file.write(data)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def mount(flash):
    vfs.umount("/")
    vfs.mount(vfs.VfsLfs2(flash), "/")


def running():
    """Return the version that the first folder of sys.path has whole. Raises Wrong."""
    folder = sys.path[0] if sys.path[0] in ("/a", "/b") else "/lib"
    for version in ("old", "new", "broken"):
        files = program(version)
        try:
            if all(read(folder + "/" + path) == files[path] for path in files):
                return version
        except OSError:
            pass
    raise Wrong("no whole version in " + folder)


def start():
    """Power-on: what boot.py does; returns the running version."""
    sys.path[:] = ["", ".frozen", "/lib"]
    with open("/boot.py") as file:
        exec(file.read(), {})
    return running()


def live(version, server, orders):
    """One run of the program. Returns True if the life is over."""
    if version == "broken":
        return False  # it never reaches the broker; the next start counts
    slots.confirm()
    if not slots.is_update_pending():
        if version == "old":
            update.schedule(orders["new"])
        elif slots.read()["failed"] == orders["broken"]["sha256"]:
            return True
        else:
            update.schedule(orders["broken"])
    late = [0]

    def now_ms():
        late[0] += 1
        return late[0]

    asyncio.run(update.Update(KEY).run(server.fetch, 40, now_ms, lambda: None))
    return False


def life(image, writes):
    """Live from where the flash is; the power goes once, after so many writes. Returns (writes, versions seen)."""
    server = Server()
    orders = {"new": server.publish("new"), "broken": server.publish("broken")}
    flash = Flash(image)
    flash.cut_after(writes, random)
    mount(flash)
    seen = []
    total = 0
    for _ in range(300):
        try:
            version = start()
            if not seen or seen[-1] != version:
                seen.append(version)
            if live(version, server, orders):
                return total + flash.writes, seen
        except (OSError, Wrong, update.BadUpdate) as error:
            if not flash.dead:
                raise error
            total += flash.writes
            flash = Flash(image)
            mount(flash)
    raise Wrong(f"it never came to its end: {seen} {json.dumps(slots.read())}")


def fresh(boot):
    image = RamImage(BLOCKS)
    vfs.VfsLfs2.mkfs(Flash(image))
    mount(Flash(image))
    write("/boot.py", boot)
    files = program("old")
    for path in files:
        write("/lib/" + path, files[path])
    return image


def main():
    with open(sys.argv[1], "rb") as file:
        boot = file.read()
    first, step = int(sys.argv[2]), int(sys.argv[3])
    random.seed(first)
    whole = fresh(boot)
    kept = bytes(whole.data)
    total, seen = life(whole, 1 << 20)
    if seen != ["old", "new", "broken", "new"]:
        raise Wrong(str(seen))
    cuts = 0
    for writes in range(first, total, step):
        image = RamImage(BLOCKS)
        image.data[:] = kept
        _, seen = life(image, writes)
        if seen != ["old", "new", "broken", "new"]:
            raise Wrong(f"cut after {writes}: {seen}")
        if slots.read()["slot"] != "a" or slots.read()["left"] is not None:
            raise Wrong(f"cut after {writes}: {slots.read()}")
        cuts += 1
    print(json.dumps([total, cuts]))


main()
