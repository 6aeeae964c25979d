"""
Forget everything that makes this board this sensor: settings, key, journal, and what it has been told.

    wipe()        # then reset; the program stays, and waits for tools/provision.py

WIPING stands in the flash until all of it is gone, so a power cut only delays it. Whoever opens the case
and reads the flash chip may still find traces in blocks that have not been written again since.
"""

import os

WIPING = "/wiping"
# The key first. The slots stay: they are the program, and have no secrets.
GONE = (
    "/settings.json",
    "/settings.new",
    "/settings.new.part",
    "/settings.tried",
    "/journal",
    "/inspection.json",
    "/commands.json",
    "/commands.json.new",
    "/crash.txt",
    "/update.json",
    "/signatures",
)


def wipe(place: str = "") -> None:
    """Remove it all. `place` is a folder instead of / (tests). Raises OSError; the next start goes on then."""
    with open(place + WIPING, "w"):
        pass
    for path in GONE:
        _remove(place + path)
    os.remove(place + WIPING)


def _remove(path):
    try:
        names = os.listdir(path)
    except OSError:
        names = None
    if names is not None:
        for name in names:
            _remove(path + "/" + name)
    try:
        os.rmdir(path) if names is not None else os.remove(path)
    except OSError as error:
        if error.errno != 2:  # it was not there
            raise
