"""The settings of a sensor that its page can change: a form's fields as changes of ansim/settings.py."""

from collections.abc import Mapping

NUMBERS = ("upload_every_s", "keepalive_s")
SWITCHES = ("always_listen", "selftest_at_start")
UNCHANGED = ""


def read(form: Mapping[str, str]) -> dict:
    """
    Return the changes that a form asks for; a field that is empty stays as it is.

    A value that is no number stays text, which operations.change_settings() refuses.
    """
    changes = {}
    for name in NUMBERS:
        text = form.get(name, "").strip()
        if text:
            changes[name] = _number(text)
    for name in SWITCHES:
        choice = form.get(name, UNCHANGED)
        if choice != UNCHANGED:
            changes[name] = choice == "yes"
    channels = form.get("channels", "").replace(",", " ").split()
    if channels:
        changes["channels"] = [_number(text) for text in channels]
    return changes


def _number(text):
    return int(text) if text.isdecimal() and len(text) < 10 else text
