"""
The copy of the program that runs: the one installed by cable, or one of two slots for updates over the air.

    state = read()
    state["slot"]        "" (/lib, by cable), "a" or "b": the copy that runs
    confirm()            this start has reached the broker: keep this copy

SLOTS is one small JSON file, replaced in one step. boot.py reads it before anything else, puts the slot's folder
first in sys.path, and goes back to `before` after `left` starts without confirm().
"""

from firmware.maintenance import files

SLOTS = "/slots.json"
PENDING = "/update.json"  # the update that is to be fetched (program_update.py)
TRIAL_STARTS = 3  # starts in which a new slot may reach the broker
TRIAL_S = 600  # in each of them

# slot    the copy that runs: "", "a" or "b"
# before  the copy that ran before, and runs again if this one is not confirmed
# left    starts left to this one; null once it is confirmed
# update  SHA-256 of the running slot's manifest, "" for the program installed by cable
# before_update  the same of the slot before
# failed  SHA-256 of the manifest of the last update that was rolled back, ""
_FRESH = {"slot": "", "before": "", "left": None, "update": "", "before_update": "", "failed": ""}


def read(path: str = SLOTS) -> dict:
    """Return the state; that of a fresh board if the file is missing or damaged."""
    state = dict(_FRESH)
    content = files.read_json(path)
    if isinstance(content, dict) and content.get("slot") in ("", "a", "b"):
        state.update(content)
    return state


def write(state: dict, path: str = SLOTS) -> None:
    """Replace the state in one step. Raises OSError."""
    files.write_json(path, state)


def confirm(path: str = SLOTS) -> bool:
    """Keep the running copy; True if it was on trial."""
    state = read(path)
    if state["left"] is None:
        return False
    state["left"] = None
    state["failed"] = ""
    write(state, path)
    return True


def is_update_pending(place: str = "") -> bool:
    """
    True if an update is to be fetched or finished.

    Not in program_update.py, so that a sensor without one need not load that.
    """
    return files.exists(place + PENDING)


def folder(slot: str) -> str:
    """Return the folder with the `ansim` and `firmware` of a slot."""
    return "/" + (slot or "lib")


def free(slot: str) -> str:
    """Return the slot that an update may overwrite while `slot` runs."""
    return "b" if slot == "a" else "a"
