"""
Files on the flash: small ones that are replaced, and those that arrive in parts (of programs and signature tables).

A file is replaced in one step: the new text is written beside it as `<path>.new`, which is then renamed. So a power
cut leaves either the old or the new file.
"""

import binascii
import errno
import hashlib
import json
import os

_BUFFER_BYTES = 512


def size(path: str):
    """Return the length of a file in bytes, None if there is no such file or folder."""
    try:
        return os.stat(path)[6]
    except OSError:
        return None


def exists(path: str) -> bool:
    """True if there is a file or folder at this path."""
    return size(path) is not None


def read_json(path: str):
    """Return the content of a JSON file, None if it is missing or damaged."""
    try:
        with open(path) as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def write_json(path: str, content) -> None:
    """Replace a JSON file in one step. Raises OSError."""
    with open(path + ".new", "w") as file:
        json.dump(content, file)
    os.rename(path + ".new", path)


def append(part: str, offset: int, data: bytes) -> int:
    """
    Append what is new of a part to a file; return the file's length. Raises OSError.

    offset  of the data, not beyond the file's end; a part that was received before changes nothing
    """
    received = size(part) or 0
    if offset + len(data) > received:
        with open(part, "ab") as file:
            file.write(data[received - offset :])
        received = offset + len(data)
    return received


def sha256(path: str, feed_watchdog=None) -> str:
    """Return the SHA-256 of a file as hex, "" if there is none; read in small pieces."""
    digest = hashlib.sha256()
    buffer = bytearray(_BUFFER_BYTES)
    try:
        with open(path, "rb") as file:
            while True:
                count = file.readinto(buffer)
                if not count:
                    break
                digest.update(memoryview(buffer)[:count])
    except OSError:
        return ""
    if feed_watchdog:
        feed_watchdog()
    return binascii.hexlify(digest.digest()).decode()


def touch(path: str) -> None:
    """Make an empty file. Raises OSError."""
    with open(path, "w"):
        pass


def remove(path: str) -> None:
    """Remove a file if it is there. Raises OSError if it stays."""
    try:
        os.remove(path)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise


def make_folder(path: str) -> None:
    """Make a folder if it is missing."""
    if not exists(path):
        os.mkdir(path)
