"""
/boot.py: runs at every start, before main.py, and also when main.py does not run.

Tasks that cannot wait for the program itself:
- Stop the sniffer, which keeps listening during a soft reset: a native module is not notified of one.
- Complete an installation by cable: tools/flash.py copies a new version to a folder and renames that to READY when it
  is complete. From then on the new version counts, and its files are moved to their places here. If the power fails in
  between, the next start continues. So there is always a whole program to run.
- Choose the slot of an update over the air, /a or /b, whose folder has to come first in sys.path. A new slot has a
  limited number of starts to reach the broker; then the one before it runs again. firmware/maintenance/program_slots.py
  has the format of SLOTS, and program_update.py there fills the slots.
- Prefer files to a program in the interpreter's image (firmware/native/README.md): files are there only if they are
  newer.

An update over the air never replaces this file or main.py, because they recover from a broken update.
"""

import json
import os
import sys

READY = "/ready"
SLOTS = "/slots.json"
PENDING = "/update.json"
WATCHDOG_MS = 90000  # as in firmware/maintenance/crash_counter.py
OBSOLETE = READY + "/obsolete"  # paths to remove, one per line; an old x.py would be imported instead of a new x.mpy


def silence():
    """Stop a sniffer that a soft reset left running."""
    try:
        import rfsniff
    except ImportError:
        return
    rfsniff.stop()


def watch():
    """
    Start and return the watchdog if there are slots or an incomplete installation; None otherwise.

    firmware/maintenance/crash_counter.py takes it over: it is in `watchdog` of this file, whose names main.py shares.
    """
    if not (_exists(SLOTS) or _exists(READY)):
        return None  # no watchdog at the prompt of a new board
    try:
        import machine

        return machine.WDT(timeout=WATCHDOG_MS)
    except (ImportError, AttributeError, ValueError, OSError):
        return None


def finish():
    """Move a complete new version to its places."""
    if not _exists(READY):
        return
    if _exists(OBSOLETE):
        with open(OBSOLETE) as file:
            for line in file:
                _remove(line.strip())
    _move(READY, "")
    if _exists(OBSOLETE):
        os.remove(OBSOLETE)
    os.rmdir(READY)


def _move(source, target):
    # As a list, because the folder changes during the iteration.
    for entry in list(os.ilistdir(source)):
        if watchdog:
            watchdog.feed()
        old_path, new_path = source + "/" + entry[0], target + "/" + entry[0]
        if old_path == OBSOLETE:
            continue
        if entry[1] & 0x4000:
            if not _exists(new_path):
                os.mkdir(new_path)
            _move(old_path, new_path)
            os.rmdir(old_path)
        else:
            os.rename(old_path, new_path)  # LittleFS replaces the old file in one step


def _remove(path):
    if path and _exists(path):
        os.remove(path)


def _exists(path):
    try:
        os.stat(path)
    except OSError:
        return False
    return True


def choose():
    """Return the folder of the slot to run, "" for the program installed by cable; count the starts of a new slot."""
    try:
        with open(SLOTS) as file:
            state = json.load(file)
        slot, left = state["slot"], state["left"]
        if left is not None:
            if left <= 0:
                slot, left = state["before"], None
                state["failed"], state["update"] = state["update"], state.get("before_update", "")
                _remove(PENDING)  # otherwise it would be installed again
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
    """Import a program in /lib before the one in the image; empty folders of a removed one do not count."""
    if ".frozen" in sys.path and (_exists("/lib/ansim/__init__.mpy") or _exists("/lib/ansim/__init__.py")):
        sys.path.remove(".frozen")
        sys.path.append(".frozen")


silence()
watchdog = watch()
finish()
prefer_files()
folder = choose()
if folder and folder not in sys.path:
    sys.path.insert(0, folder)
# These names are those of main.py and the prompt as well, and the functions would stay in the heap.
for name in ("silence", "watch", "finish", "_move", "_remove", "_exists", "choose", "prefer_files"):
    del globals()[name]
