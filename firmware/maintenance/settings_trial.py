"""
New settings on trial: the old file stays until the broker has been reached with the new one.

    why = propose({"upload_every_s": 30})     # "" or why not; then restart
    settings, is_trial = current()            # once, at the start
    accept()                                  # the broker was reached
    # no accept() within TRIAL_S, or a restart before it: the next current() has the old settings again

Three files: the settings, NEW beside them, and TRIED, which says that NEW has had its one start.
Each change is one rename or one remove, so the power may go between any two.
"""

import json
import os

from ansim.settings import BadSettings, checked, load

TRIAL_S = 120
FILE, NEW, TRIED = "/settings.json", "/settings.new", "/settings.tried"


def propose(changes: dict, place: str = "") -> str:
    """
    Write down the settings with some changes for the next start; return why not, "" if it is done.

    changes  {name: value}; null takes a setting back to its default
    place    folder instead of / (tests)
    """
    try:
        with open(place + FILE) as file:
            given = json.load(file)
    except (OSError, ValueError):
        return "the present settings cannot be read"
    for name in changes:
        if name == "device":
            return "the name of a sensor cannot be changed"
        if changes[name] is None:
            given.pop(name, None)
        else:
            given[name] = changes[name]
    try:
        checked(given)
    except BadSettings as error:
        return "; ".join(str(error).split("\n"))
    if not _is_board(given.get("board")):
        return "board is not one of those there are"
    _remove(place + TRIED)
    with open(place + NEW + ".part", "w") as file:
        json.dump(given, file)
    os.rename(place + NEW + ".part", place + NEW)
    return ""


def current(place: str = ""):
    """
    Return (checked settings, True if they are on trial).

    Raises BadSettings if those that are not on trial are not usable.
    """
    if _is_there(place + NEW):
        if not _is_there(place + TRIED):
            # Marked before they are read: whatever they do to this start, there is no second one.
            with open(place + TRIED, "w"):
                pass
            try:
                return load(place + NEW), True
            except BadSettings:
                pass
        _remove(place + NEW)
    _remove(place + TRIED)
    return load(place + FILE), False


def accept(place: str = "") -> None:
    """The settings on trial are the settings from now on."""
    if _is_there(place + NEW):
        os.rename(place + NEW, place + FILE)
    _remove(place + TRIED)


def _is_board(name):
    from firmware import boards

    return name is None or name in boards.NAMES


def _is_there(path):
    try:
        os.stat(path)
    except OSError:
        return False
    return True


def _remove(path):
    if _is_there(path):
        os.remove(path)
