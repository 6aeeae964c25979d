"""
Small files on the flash.

A file is replaced in one step: the new text is written beside it as `<path>.new`, which is then renamed. So a power
cut leaves either the old or the new file.
"""

import errno
import json
import os


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
