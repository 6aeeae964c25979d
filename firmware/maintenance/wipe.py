"""
Wipe: remove everything that makes this board this sensor: settings, key, journal, commands and tables.

    wipe()        # then reset; the program stays, and waits for tools/provision.py

WIPING stays in the flash until everything is removed, so a power cut only delays the wipe. A person who opens the
case and reads the flash chip may still find traces in blocks that have not been written again since.
"""

import os

from firmware.maintenance import files

WIPING = "/wiping"
# The key first. The slots stay: they are the program, and hold no secrets.
PATHS = (
    "/settings.json",
    "/settings.new",
    "/settings.new.new",
    "/settings.new.part",  # version 0.1 named settings.new.new so
    "/settings.tried",
    "/journal",
    "/inspection.json",
    "/commands.json",
    "/commands.json.new",
    "/time",
    "/crash.txt",
    "/update.json",
    "/update.json.new",
    "/signatures",
)


def wipe(place: str = "") -> None:
    """Remove everything. `place` is a folder instead of / (tests). Raises OSError; the next start continues then."""
    files.touch(place + WIPING)
    for path in PATHS:
        _remove_tree(place + path)
    os.remove(place + WIPING)


def _remove_tree(path):
    try:
        names = os.listdir(path)
    except OSError:  # not a folder
        files.remove(path)
        return
    for name in names:
        _remove_tree(path + "/" + name)
    os.rmdir(path)
