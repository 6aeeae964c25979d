"""
Install a new version over the air: fetch it file by file into the free slot, check it, switch to it.

    error = schedule(args)                   # the `update` command; "" or a code of ansim/refusal_codes.py
    update = Update(key)                     # if program_slots.is_update_pending()
    done = await program_update.run(fetch, until_ms, now_ms, feed_watchdog)   # while connected; True: restart now

The command names a manifest by its SHA-256 and carries its HMAC by the device's key. The manifest is text, one line
per file: SHA-256, bytes and path, such as "9f...e1 812 ansim/topics.mpy". Every part is requested by the hash of its
file and an offset, so a broken connection resumes where it stopped; a file that the running version already has is
copied. The running version is not touched before every file has been read back and compared; then one rename of one
small file switches (program_slots.py, boot.py).
"""

import os

from ansim import refusal_codes
from ansim.envelope import manifest_hmac, same
from firmware.maintenance import files, program_slots

MANIFEST = "manifest"
PART = ".part"
SPARE_BYTES = 64 << 10  # of flash that an update leaves free, for the journal
_BUFFER_BYTES = 512


class BadUpdate(Exception):
    """The update cannot be installed and is given up; the text is a code of ansim/refusal_codes.py."""


def schedule(args: dict, place: str = "") -> str:
    """Note an update to be fetched; return a code of ansim/refusal_codes.py, "" if it is done. `place` as in wipe()."""
    state = program_slots.read(place + program_slots.SLOTS)
    if state["update"] == args["sha256"]:
        return refusal_codes.ALREADY_INSTALLED
    if state["left"] is not None:
        return refusal_codes.UPDATE_ON_TRIAL
    files.write_json(place + program_slots.PENDING, args)
    return ""


class Update:
    """
    The update that schedule() has noted.

    key    the device's 32 bytes
    place  folder instead of / (tests)
    """

    def __init__(self, key: bytes, place: str = ""):
        self._key = key
        self._place = place
        self._state = program_slots.read(place + program_slots.SLOTS)
        self._folder = place + program_slots.folder(program_slots.free(self._state["slot"]))

    async def run(self, fetch, until_ms: int, now_ms, feed_watchdog) -> bool:
        """
        Fetch missing files until a time of now_ms(); True once the new version is switched to.

        fetch          async function(sha256, offset) -> bytes of that file from there on, b"" at its end,
                       None: no answer
        feed_watchdog  function()

        Raises BadUpdate, after which no update is pending any more.
        """
        try:
            return await self._run(fetch, lambda: now_ms() >= until_ms, feed_watchdog)
        except BadUpdate:
            self._forget()
            raise
        except (ValueError, KeyError):
            self._forget()
            raise BadUpdate(refusal_codes.BAD_MANIFEST)

    async def _run(self, fetch, is_late, feed_watchdog):
        args = files.read_json(self._place + program_slots.PENDING)
        if args is None:
            raise BadUpdate(refusal_codes.BAD_MANIFEST)
        if self._state["update"] == args["sha256"]:  # switched to, and the power went before PENDING was removed
            self._forget()
            return False
        manifest_path = self._folder + "/" + MANIFEST
        if files.sha256(manifest_path, feed_watchdog) != args["sha256"]:
            mark = args["sha256"][:8]
            if not files.exists(manifest_path + PART + "." + mark):
                _remove_tree(self._folder, feed_watchdog)  # of another version
                files.make_folder(self._folder)
            if not await self._get(
                manifest_path, args["sha256"], args["bytes"], fetch, is_late, feed_watchdog, "." + mark
            ):
                return False
        if not same(manifest_hmac(self._key, args["sha256"]).encode(), args["hmac"].encode()):
            raise BadUpdate(refusal_codes.NOT_SIGNED)
        self._check_room(manifest_path)
        running = self._place + program_slots.folder(self._state["slot"])
        with open(manifest_path) as manifest:
            for line in manifest:
                digest, size, name = _entry(line)
                path, old_path = self._folder + "/" + name, running + "/" + name
                if files.size(path) == size:  # got its name only after it was compared
                    continue
                _make_folders(self._folder, name)
                if files.size(old_path) == size and files.sha256(old_path, feed_watchdog) == digest:
                    _copy(old_path, path + PART, feed_watchdog)
                    os.rename(path + PART, path)
                elif not await self._get(path, digest, size, fetch, is_late, feed_watchdog):
                    return False
                if is_late():
                    return False
        self._compare_all(manifest_path, feed_watchdog)
        self._switch(args["sha256"])
        self._forget()
        return True

    async def _get(self, path, digest, size, fetch, is_late, feed_watchdog, mark=""):
        """Fetch one file, from the part of it that is in the flash; False without an answer or when it is late."""
        part = path + PART + mark
        received = files.size(part) or 0
        if received > size:
            os.remove(part)
            received = 0
        while received < size:
            feed_watchdog()
            if is_late():
                return False
            data = await fetch(digest, received)
            if data is None:
                return False
            if not data or received + len(data) > size:
                raise BadUpdate(refusal_codes.WRONG_FILE + ":" + digest[:8])
            received = files.append(part, received, data)
        if not size:
            files.touch(part)
        if files.sha256(part, feed_watchdog) != digest:
            os.remove(part)  # damaged by a power cut or by the flash: fetch all of it again
            return False
        os.rename(part, path)
        return True

    def _check_room(self, manifest_path):
        missing = 0
        with open(manifest_path) as manifest:
            for line in manifest:
                _, size, name = _entry(line)
                if files.size(self._folder + "/" + name) != size:
                    missing += size
        room = os.statvfs(self._place or "/")
        if missing + SPARE_BYTES > room[0] * room[3]:
            raise BadUpdate(refusal_codes.NO_ROOM)

    def _compare_all(self, manifest_path, feed_watchdog):
        with open(manifest_path) as manifest:
            for line in manifest:
                digest, _, name = _entry(line)
                if files.sha256(self._folder + "/" + name, feed_watchdog) != digest:
                    os.remove(self._folder + "/" + name)
                    raise BadUpdate(refusal_codes.FILE_DAMAGED + ":" + name)

    def _switch(self, sha256):
        program_slots.write(
            {
                "slot": program_slots.free(self._state["slot"]),
                "before": self._state["slot"],
                "left": program_slots.TRIAL_STARTS,
                "update": sha256,
                "before_update": self._state["update"],
                "failed": "",
            },
            self._place + program_slots.SLOTS,
        )

    def _forget(self):
        files.remove(self._place + program_slots.PENDING)


def _entry(line):
    """Return (digest, bytes, path) of a manifest's line. Raises BadUpdate."""
    fields = line.strip().split(" ")
    if len(fields) != 3 or len(fields[0]) != 64 or ".." in fields[2] or fields[2][:1] in ("/", ""):
        raise BadUpdate(refusal_codes.BAD_MANIFEST)
    return fields[0], int(fields[1]), fields[2]


def _copy(source, target, feed_watchdog):
    feed_watchdog()
    with open(source, "rb") as old, open(target, "wb") as new:
        while True:
            data = old.read(_BUFFER_BYTES)
            if not data:
                break
            new.write(data)


def _make_folders(folder, name):
    """Make the folders of a file's path below `folder`."""
    for part in name.split("/")[:-1]:
        folder += "/" + part
        files.make_folder(folder)


def _remove_tree(path, feed_watchdog):
    """Remove a folder and everything in it, if it is there."""
    if not files.exists(path):
        return
    feed_watchdog()
    for entry in list(os.ilistdir(path)):
        inside = path + "/" + entry[0]
        if entry[1] & 0x4000:
            _remove_tree(inside, feed_watchdog)
        else:
            os.remove(inside)
    os.rmdir(path)
