"""
Which copy of the program runs: the one that came by cable, or one of the two slots for updates.

    state = read()
    state["slot"]        "" (/lib, by cable), "a" or "b": what runs
    confirm()            this start has reached the broker: it is good

SLOTS is one small JSON file, replaced in one step. boot.py reads it before anything else, puts the
slot's folder first where modules are looked for, and goes back to `before` when `left` starts have
passed without confirm().
"""

import json
import os

SLOTS = "/slots.json"
ORDER = "/update.json"  # an update that waits to be fetched (update.py)
TRIALS = 3  # starts in which a new slot may reach the broker
TRIAL_S = 600  # in each of them

# slot    what runs: "", "a" or "b"
# before  what ran before, and will again if this one is not confirmed
# left    starts that are left to this one; null once it is confirmed
# update  SHA-256 of the running slot's manifest, "" for the program that came by cable
# before_update  the same of the slot before
# failed  SHA-256 of the manifest of the last update that was rolled back, ""
_FRESH = {"slot": "", "before": "", "left": None, "update": "", "before_update": "", "failed": ""}


def read(path: str = SLOTS) -> dict:
    """Return what is noted; without a file, or with a spoilt one, what is so on a fresh board."""
    state = dict(_FRESH)
    try:
        with open(path) as file:
            found = json.load(file)
        if found["slot"] in ("", "a", "b"):
            state.update(found)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return state


def write(state: dict, path: str = SLOTS) -> None:
    """Replace the note in one step. Raises OSError."""
    with open(path + ".new", "w") as file:
        json.dump(state, file)
    os.rename(path + ".new", path)


def confirm(path: str = SLOTS) -> bool:
    """Keep what runs; True if it was on trial."""
    state = read(path)
    if state["left"] is None:
        return False
    state["left"] = None
    state["failed"] = ""
    write(state, path)
    return True


def is_ordered(place: str = "") -> bool:
    """True if an update waits to be fetched or finished; here, so that a sensor without one need not load update.py."""
    try:
        os.stat(place + ORDER)
    except OSError:
        return False
    return True


def root(slot: str) -> str:
    """Return the folder that has a slot's `ansim` and `firmware`."""
    return "/" + (slot or "lib")


def free(slot: str) -> str:
    """Return the slot that an update may overwrite while `slot` runs."""
    return "b" if slot == "a" else "a"
