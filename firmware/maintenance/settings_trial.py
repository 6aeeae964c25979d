"""
New settings on trial: the old file stays until the broker has been reached with the new one.

    error = propose({"upload_every_s": 30})   # "" or a code of ansim/refusal_codes.py; then restart
    settings, on_trial = current()            # once, at the start
    accept()                                  # the broker was reached

Without accept() within TRIAL_S, or with a restart before it, the next current() returns the old settings.

There are three files: the settings, NEW beside them, and TRIED, which marks that NEW has had its one start. Each
change is one rename or one remove, so the power may go between any two.
"""

import os

from ansim import refusal_codes
from ansim.schema import field_names
from ansim.settings import BadSettings, checked, load
from firmware.maintenance import files

TRIAL_S = 120
FILE, NEW, TRIED = "/settings.json", "/settings.new", "/settings.tried"


def propose(changes: dict, place: str = "") -> str:
    """
    Write the settings with some changes for the next start; return a code of ansim/refusal_codes.py, "" if it is done.

    changes  {name: value}; null resets a setting to its default
    place    folder instead of / (tests)
    """
    settings = files.read_json(place + FILE)
    if settings is None:
        return refusal_codes.SETTINGS_UNREADABLE
    for name in changes:
        if name == "device":
            return refusal_codes.DEVICE_NAME_FIXED
        if changes[name] is None:
            settings.pop(name, None)
        else:
            settings[name] = changes[name]
    try:
        checked(settings)
    except BadSettings as error:
        return refusal_codes.BAD_SETTINGS + ":" + field_names(str(error).split("\n"))
    if not _is_board(settings.get("board")):
        return refusal_codes.UNKNOWN_BOARD
    files.remove(place + TRIED)
    files.write_json(place + NEW, settings)
    return ""


def current(place: str = ""):
    """
    Return (checked settings, True if they are on trial).

    Raises BadSettings if those that are not on trial are not usable.
    """
    if files.exists(place + NEW):
        if not files.exists(place + TRIED):
            files.touch(place + TRIED)  # before NEW is read: if it breaks this start, there is no second one
            try:
                return load(place + NEW), True
            except BadSettings:
                pass
        files.remove(place + NEW)
    files.remove(place + TRIED)
    return load(place + FILE), False


def accept(place: str = "") -> None:
    """Keep the settings on trial."""
    if files.exists(place + NEW):
        os.rename(place + NEW, place + FILE)
    files.remove(place + TRIED)


def _is_board(name):
    from firmware import boards

    return name is None or name in boards.NAMES
