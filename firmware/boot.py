"""
Runs at every start, before main.py, also when main.py does not: it comes as /boot.py.

Two duties that must not wait for the program itself:
- The sniffer may still be listening after a soft reset, which a native module is not told of.
- tools/flash.py copies a new version to a folder of its own and renames that to READY when it is
  complete. From then on the new version counts, and its files are moved to their places here; when
  the power fails in between, the next start goes on. So there is always a whole program to run.
"""

import os

READY = "/ready"
OBSOLETE = READY + "/obsolete"  # paths to remove, one a line; a stale x.py would be taken instead of a new x.mpy


def silence():
    """Stop a sniffer that a soft reset has left running."""
    try:
        import rfsniff
    except ImportError:
        return
    rfsniff.stop()


def finish():
    """Move a complete new version to its places."""
    if not _is_there(READY):
        return
    if _is_there(OBSOLETE):
        with open(OBSOLETE) as file:
            for line in file:
                _remove(line.strip())
    _move(READY, "")
    if _is_there(OBSOLETE):
        os.remove(OBSOLETE)
    os.rmdir(READY)


def _move(source, target):
    # A list first: the folder changes under the iterator's feet.
    for entry in list(os.ilistdir(source)):
        here, there = source + "/" + entry[0], target + "/" + entry[0]
        if here == OBSOLETE:
            continue
        if entry[1] & 0x4000:
            if not _is_there(there):
                os.mkdir(there)
            _move(here, there)
            os.rmdir(here)
        else:
            os.rename(here, there)  # LittleFS replaces the old file in one step


def _remove(path):
    if path and _is_there(path):
        os.remove(path)


def _is_there(path):
    try:
        os.stat(path)
    except OSError:
        return False
    return True


silence()
finish()
