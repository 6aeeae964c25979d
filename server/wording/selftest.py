"""
Results of a self-test in words; firmware/inspecting/selftest.py defines the checks and their figures.

    describe_checks(checks)      [(text, passed, figure), ...]; figure is text, "" for none
"""

from flask_babel import gettext
from flask_babel import lazy_gettext as _

CHECKS = {
    "emitter": _("Recognises the test signal"),
    "flash": _("Storage works"),
    "heap": _("Memory is free"),
    "clock": _("Clock is set"),
    "battery": _("Battery charged"),
    "access_points": _("Finds Wi-Fi networks"),
    "beacons_heard": _("Hears Wi-Fi traffic"),
    "ble": _("Bluetooth listens"),
    "nrf24": _("Receiver for analogue video answers"),
}
CHANNEL = "channel_"


def describe_checks(checks: list) -> list[tuple]:
    """Return the checks in words, those of the channels as one row: it failed if any of them did."""
    rows = [(str(CHECKS.get(name, name)), passed, _figure(name, value)) for name, passed, value in _others(checks)]
    channels = [(name.removeprefix(CHANNEL), passed, value) for name, passed, value in checks if _is_channel(name)]
    if channels:
        deaf = [number for number, passed, _ in channels if not passed]
        heard = [number for number, _, value in channels if value]
        text = gettext("Hears every channel on which a Wi-Fi network is near")
        if deaf:
            figure = gettext("nothing heard on %(channels)s", channels=", ".join(deaf))
        else:
            figure = gettext("networks heard on %(channels)s", channels=", ".join(heard)) if heard else ""
        rows.append((text, not deaf, figure))
    return rows


def _is_channel(name):
    return name.startswith(CHANNEL) and name.removeprefix(CHANNEL).isdigit()


def _others(checks):
    return [check for check in checks if not _is_channel(check[0])]


def _figure(name, value):
    if name == "emitter":
        return gettext("after %(seconds)s s", seconds=round(value / 1000, 1))
    if name in ("flash", "heap"):
        return gettext("%(number)s kB free", number=value if name == "flash" else value // 1024)
    if name == "battery":
        return gettext("%(number)s %%", number=value)
    return "" if name == "clock" else str(value)
