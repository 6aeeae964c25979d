"""
Runs at every start, before main.py, also when main.py does not: it comes as /boot.py.

Duties that must not wait for the program itself:
- The sniffer may still be listening after a soft reset, which a native module is not told of.
- tools/flash.py copies a new version to a folder of its own and renames that to READY when it is
  complete. From then on the new version counts, and its files are moved to their places here; when
  the power fails in between, the next start goes on. So there is always a whole program to run.
- Updates over the air are in a slot, /a or /b, whose folder has to come first where modules are
  looked for. A new slot has few starts to reach the broker; then the one before it runs again
  (firmware/maintenance/slots.py has the form of SLOTS, firmware/maintenance/update.py fills the slots).
- The program may be in the interpreter's image as well (firmware/native/README.md). What is in files
  is newer, or it would not be there, so it goes before the image.

No update over the air replaces this file or main.py: they are what brings a broken one back.
"""

import json
import os
import sys

READY = "/ready"
SLOTS = "/slots.json"
ORDER = "/update.json"
WATCHDOG_MS = 90000  # as in firmware/maintenance/health.py
OBSOLETE = READY + "/obsolete"  # paths to remove, one a line; a stale x.py would be taken instead of a new x.mpy


def silence():
    """Stop a sniffer that a soft reset has left running."""
    try:
        import rfsniff
    except ImportError:
        return
    rfsniff.stop()


def watch():
    """Start the watchdog and return it, if a program from the air or half a copy is to be run; None if not."""
    if not (_is_there(SLOTS) or _is_there(READY)):
        return None  # who works at the prompt of a new board is left alone
    try:
        import machine

        return machine.WDT(timeout=WATCHDOG_MS)
    except (ImportError, AttributeError, ValueError, OSError):
        return None


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
        if watchdog:
            watchdog.feed()
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


def choose():
    """Return the folder of the slot that is to run, "" for what came by cable; count the starts of a new one."""
    try:
        with open(SLOTS) as file:
            state = json.load(file)
        slot, left = state["slot"], state["left"]
        if left is not None:
            if left <= 0:
                slot, left = state["before"], None
                state["failed"], state["update"] = state["update"], state.get("before_update", "")
                _remove(ORDER)  # or it would come again
            else:
                left -= 1
            state["slot"], state["left"] = slot, left
            with open(SLOTS + ".new", "w") as file:
                json.dump(state, file)
            os.rename(SLOTS + ".new", SLOTS)
        return "/" + slot if slot in ("a", "b") else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def prefer_files():
    """Let a program in /lib come before the one in the image; folders without one are what a removed one left."""
    if ".frozen" in sys.path and (_is_there("/lib/ansim/__init__.mpy") or _is_there("/lib/ansim/__init__.py")):
        sys.path.remove(".frozen")
        sys.path.append(".frozen")


silence()
watchdog = watch()
finish()
prefer_files()
folder = choose()
if folder and folder not in sys.path:
    sys.path.insert(0, folder)
