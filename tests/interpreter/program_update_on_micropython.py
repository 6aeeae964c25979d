"""
Runs on MicroPython (see test_program_update.py): updates of a sensor, with power cuts at block writes.

    micropython program_update_on_micropython.py boot.py FIRST STEP

A good update replaces the program that was copied by cable, then a broken update replaces that one and must be
rolled back. After each cut the board boots: /boot.py runs, and the first folder of sys.path must hold one whole
version. All modules are imported first, because LittleFS is mounted at / here. Prints the number of writes and
the number of cuts.
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
from firmware.maintenance import program_slots, program_update
from tests.support.flash_image import Flash, RamImage, format_flash

BLOCKS = 96
KEY = bytes(range(32))
PART_BYTES = 300
SAME = b"# the same in all versions\n" * 20


class UpdateError(Exception):
    """The board has no whole version, or not the right one."""


def program(version):
    """Return {path: bytes} of a version."""
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
    """Serves the files of all versions."""

    def __init__(self):
        self.files = {}
        self.requests = 0

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
        self.requests += 1
        if self.requests % 7 == 0:
            return None  # an unreliable link
        return self.files[digest][offset : offset + PART_BYTES]


def write(path, data):
    folder = ""
    for part in path.split("/")[1:-1]:
        folder += "/" + part
        try:
            os.mkdir(folder)
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


def running_version():
    """Return the version that is whole in the first folder of sys.path. Raises UpdateError."""
    folder = sys.path[0] if sys.path[0] in ("/a", "/b") else "/lib"
    for version in ("old", "new", "broken"):
        files = program(version)
        try:
            if all(read(folder + "/" + path) == files[path] for path in files):
                return version
        except OSError:
            pass
    raise UpdateError("no whole version in " + folder)


def power_on():
    """Run /boot.py; return the running version."""
    sys.path[:] = ["", ".frozen", "/lib"]
    with open("/boot.py") as file:
        exec(file.read(), {})
    return running_version()


def run_program(version, server, commands):
    """Run the program once; return True when the broken update was rolled back."""
    if version == "broken":
        return False  # it never reaches the broker; the next boot counts that
    program_slots.confirm()
    if not program_slots.is_update_pending():
        if version == "old":
            program_update.schedule(commands["new"])
        elif program_slots.read()["failed"] == commands["broken"]["sha256"]:
            return True
        else:
            program_update.schedule(commands["broken"])
    time_ms = [0]

    def now_ms():
        time_ms[0] += 1
        return time_ms[0]

    asyncio.run(program_update.Update(KEY).run(server.fetch, 40, now_ms, lambda: None))
    return False


def run_all(image, writes):
    """Run until the roll-back, with one power cut after some writes; return (number of writes, versions that ran)."""
    server = Server()
    commands = {"new": server.publish("new"), "broken": server.publish("broken")}
    flash = Flash(image)
    flash.cut_after(writes)
    mount(flash)
    seen = []
    total = 0
    for _ in range(300):
        try:
            version = power_on()
            if not seen or seen[-1] != version:
                seen.append(version)
            if run_program(version, server, commands):
                return total + flash.writes, seen
        except (OSError, UpdateError, program_update.BadUpdate) as error:
            if not flash.is_off:
                raise error
            total += flash.writes
            flash = Flash(image)
            mount(flash)
    raise UpdateError(f"no roll-back: {seen} {json.dumps(program_slots.read())}")


def make_image(boot):
    """Return a flash with the old version in /lib."""
    image = RamImage(BLOCKS)
    format_flash(Flash(image))
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
    image = make_image(boot)
    original = bytes(image.data)
    total, seen = run_all(image, 1 << 20)
    if seen != ["old", "new", "broken", "new"]:
        raise UpdateError(str(seen))
    cuts = 0
    for writes in range(first, total, step):
        image = RamImage(BLOCKS)
        image.data[:] = original
        _, seen = run_all(image, writes)
        if seen != ["old", "new", "broken", "new"]:
            raise UpdateError(f"cut after {writes}: {seen}")
        if program_slots.read()["slot"] != "a" or program_slots.read()["left"] is not None:
            raise UpdateError(f"cut after {writes}: {program_slots.read()}")
        cuts += 1
    print(json.dumps([total, cuts]))


main()
