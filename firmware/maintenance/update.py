"""
A new version over the air: fetched file by file into the free slot, checked, then switched to.

    why = order(args)                            # the `update` command; "" or why not
    update = Update(key)                         # if is_ordered()
    done = await update.run(fetch, until_ms, now_ms, feed)   # as long as there is a connection; True: restart now

The command names a manifest by its SHA-256 and carries its HMAC by the device's key. The manifest is
text, a line a file: SHA-256, bytes and path, such as "9f...e1 812 ansim/topics.mpy". Every part is asked
for by the hash of its file and an offset, so a broken link goes on where the flash left off; a file that
the running version has already is copied. Nothing that runs is touched before every file has been read
back and compared, and then one rename of one small file switches (slots.py, boot.py).
"""

import binascii
import hashlib
import json
import os

from ansim.envelope import manifest_hmac, same
from firmware.maintenance import slots
from firmware.maintenance.slots import ORDER, is_ordered

MANIFEST = "manifest"
PART = ".part"
SPARE_BYTES = 64 << 10  # of flash that an update leaves free, for the journal's sake
_BUFFER_BYTES = 512


class BadUpdate(Exception):
    """The update cannot be installed; the text says why. It is forgotten."""


def order(args: dict, place: str = "") -> str:
    """Note an update; return why not, "" if it is noted. `place` is a folder instead of / (tests)."""
    state = slots.read(place + slots.SLOTS)
    if state["update"] == args["sha256"]:
        return "this version runs already"
    if state["left"] is not None:
        return "the running version is still on trial"
    with open(place + ORDER + ".new", "w") as file:
        json.dump(args, file)
    os.rename(place + ORDER + ".new", place + ORDER)
    return ""


class Update:
    """The update that order() has noted."""

    def __init__(self, key: bytes, place: str = ""):
        self._key = key
        self._place = place
        self._state = slots.read(place + slots.SLOTS)
        self._folder = place + slots.root(slots.free(self._state["slot"]))

    async def run(self, fetch, until_ms: int, now_ms, feed) -> bool:
        """
        Fetch what is missing until a time of now_ms(); True once the new version is switched to.

        fetch  async function(sha256, offset) -> bytes of that file from there on, b"" at its end, None: no answer
        feed   function() for the watchdog

        Raises BadUpdate, after which there is no update any more.
        """
        try:
            return await self._run(fetch, lambda: now_ms() >= until_ms, feed)
        except (BadUpdate, ValueError, KeyError) as error:
            self._forget()
            raise BadUpdate(str(error))

    async def _run(self, fetch, is_late, feed):
        with open(self._place + ORDER) as file:
            wanted = json.load(file)
        if self._state["update"] == wanted["sha256"]:  # switched to, and the power went before ORDER was removed
            self._forget()
            return False
        path = self._folder + "/" + MANIFEST
        if _hash(path, feed) != wanted["sha256"]:
            if _size(path + PART + "." + wanted["sha256"][:8]) is None:
                _purge(self._folder, feed)  # of another version
                _make_folders(self._folder, "")
            if not await self._get(path, wanted["sha256"], wanted["bytes"], fetch, is_late, feed, wanted["sha256"][:8]):
                return False
        if not same(manifest_hmac(self._key, wanted["sha256"]).encode(), wanted["hmac"].encode()):
            raise BadUpdate("the manifest is not signed by this sensor's key")
        self._check_room(path)
        with open(path) as manifest:
            for line in manifest:
                digest, size, name = _entry(line)
                here = self._folder + "/" + name
                if _size(here) == size:  # got its name only after it was compared
                    continue
                _make_folders(self._folder, name)
                old = self._place + slots.root(self._state["slot"]) + "/" + name
                if _size(old) == size and _hash(old, feed) == digest:
                    _copy(old, here + PART, feed)
                    os.rename(here + PART, here)
                elif not await self._get(here, digest, size, fetch, is_late, feed):
                    return False
                if is_late():
                    return False
        self._compare_all(path, feed)
        slots.write(
            {
                "slot": slots.free(self._state["slot"]),
                "before": self._state["slot"],
                "left": slots.TRIALS,
                "update": wanted["sha256"],
                "before_update": self._state["update"],
                "failed": "",
            },
            self._place + slots.SLOTS,
        )
        self._forget()
        return True

    async def _get(self, path, digest, size, fetch, is_late, feed, mark=""):
        """Fetch one file from where the flash left off; False if there was no answer or no time."""
        part = path + PART + ("." + mark if mark else "")
        have = _size(part) or 0
        if have > size:
            os.remove(part)
            have = 0
        while have < size:
            feed()
            if is_late():
                return False
            data = await fetch(digest, have)
            if data is None:
                return False
            if not data or have + len(data) > size:
                raise BadUpdate("the server has another %s" % digest[:8])
            with open(part, "ab") as file:
                file.write(data)
            have += len(data)
        if not size:
            with open(part, "wb"):
                pass
        if _hash(part, feed) != digest:
            os.remove(part)  # spoilt by a power cut or by the flash: all of it again
            return False
        os.rename(part, path)
        return True

    def _check_room(self, path):
        missing = 0
        with open(path) as manifest:
            for line in manifest:
                _, size, name = _entry(line)
                if _size(self._folder + "/" + name) != size:
                    missing += size
        room = os.statvfs(self._place or "/")
        if missing + SPARE_BYTES > room[0] * room[3]:
            raise BadUpdate("no room on the flash")

    def _compare_all(self, path, feed):
        with open(path) as manifest:
            for line in manifest:
                digest, _, name = _entry(line)
                if _hash(self._folder + "/" + name, feed) != digest:
                    os.remove(self._folder + "/" + name)
                    raise BadUpdate("%s does not compare" % name)

    def _forget(self):
        if is_ordered(self._place):
            os.remove(self._place + ORDER)


def _entry(line):
    """Return (digest, bytes, path) of a manifest's line. Raises BadUpdate."""
    fields = line.strip().split(" ")
    if len(fields) != 3 or len(fields[0]) != 64 or ".." in fields[2] or fields[2][:1] in ("/", ""):
        raise BadUpdate("the manifest is not one")
    return fields[0], int(fields[1]), fields[2]


def _hash(path, feed):
    """Return the SHA-256 of a file as hex, "" if there is none."""
    digest = hashlib.sha256()
    buffer = bytearray(_BUFFER_BYTES)
    view = memoryview(buffer)
    try:
        with open(path, "rb") as file:
            while True:
                count = file.readinto(buffer)
                if not count:
                    break
                digest.update(view[:count])
    except OSError:
        return ""
    feed()
    return _hex(digest.digest())


def _copy(source, target, feed):
    feed()
    with open(source, "rb") as old, open(target, "wb") as new:
        while True:
            data = old.read(_BUFFER_BYTES)
            if not data:
                break
            new.write(data)


def _make_folders(folder, name):
    for part in [""] + name.split("/")[:-1]:
        folder = folder + "/" + part if part else folder
        if _size(folder) is None:
            os.mkdir(folder)


def _purge(path, feed):
    """Remove a folder and all in it, if it is there."""
    if _size(path) is None:
        return
    feed()
    for entry in list(os.ilistdir(path)):
        inside = path + "/" + entry[0]
        if entry[1] & 0x4000:
            _purge(inside, feed)
        else:
            os.remove(inside)
    os.rmdir(path)


def _size(path):
    """Return the bytes of a file, None if there is no such thing."""
    try:
        return os.stat(path)[6]
    except OSError:
        return None


def _hex(data):
    return binascii.hexlify(data).decode()
