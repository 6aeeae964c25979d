"""
The sensor's settings: one JSON file, checked as a whole before anything starts.

    settings = load("/settings.json")      # raises BadSettings with every problem in it

Written by tools/provision.py, read by firmware/main.py. Values never appear in a problem.
"""

import json

from ansim import topics
from ansim.schema import check, hexadecimal, items, one_of, record, text, true_or_false, whole

PARTS = ("led", "button", "buzzer", "oled", "battery", "nrf24")


class BadSettings(Exception):
    """The settings cannot be used; the text has one problem a line and no values."""


def checked(given) -> dict:
    """Return the settings with defaults filled in. Raises BadSettings with all problems at once."""
    if type(given) is not dict:
        raise BadSettings("settings should be a JSON object")
    fields = {}
    settings = {}
    table = _fields()
    for name in table:
        rule, default = table[name]
        fields[name if default is None else name + "?"] = rule
        if default is not None:
            settings[name] = default
    problems = check(record(fields), given)
    settings.update(given)
    if not problems:
        problems = _contradictions(settings)
    if problems:
        raise BadSettings("\n".join(problems))
    return settings


def load(path: str) -> dict:
    """Read and check a settings file. Raises BadSettings, also if the file is missing or not JSON."""
    try:
        with open(path) as file:
            given = json.load(file)
    except OSError:
        raise BadSettings("%s is missing; tools/provision.py writes it" % path)
    except ValueError:
        raise BadSettings("%s is not JSON; tools/provision.py writes it anew" % path)
    return checked(given)


def _fields():
    """Return name -> (rule, default); None is "must be given". Made anew: on a sensor the rules would take 5 kB for ever."""
    return {
        "device": (text(32, 1), None),
        "key": (hexadecimal(64), None),  # the device's HMAC and broker key
        "broker": (text(253, 1), None),  # host name or address
        "port": (whole(1, 65535), 8883),
        "tls": (true_or_false, True),
        "ca": (text(4096), ""),  # PEM of the authority the broker's certificate must come from
        "client_cert": (text(4096), ""),
        "client_key": (text(4096), ""),
        "uplink": (one_of("wifi", "ethernet"), "wifi"),
        "wifi": (items(record({"ssid": text(32, 1), "password": text(63)}), 8), []),
        "board": (text(32, 1), "esp32_devkit"),
        "channels": (items(whole(1, 13), 13, 1), list(range(1, 14))),
        "upload_every_s": (whole(10, 3600), 60),
        "journal_bytes": (whole(8192, 16 << 20), 512 << 10),
        "ntp": (text(253), "pool.ntp.org"),  # "": never ask, wait for the server's time
        "keepalive_s": (whole(5, 3600), 60),
        "always_listen": (true_or_false, True),  # listen without an inspection running (fixed sensors)
        "ignore": (items(text(17, 17), 64), []),  # addresses of known emitters
        "fitted": (items(one_of(*PARTS), len(PARTS)), []),  # all parts that are there; []: as the board is sold
        "selftest_at_start": (true_or_false, False),
    }


def _contradictions(settings):
    problems = []
    if not topics.is_device(settings["device"]):
        problems.append("device should be 1..32 characters of a-z, 0-9 and -")
    if settings["uplink"] == "wifi" and not settings["wifi"]:
        problems.append("wifi should list at least one network, or uplink be ethernet")
    if bool(settings["client_cert"]) != bool(settings["client_key"]):
        problems.append("client_cert and client_key go together")
    if settings["tls"] and not settings["ca"]:
        problems.append("ca should hold the authority of the broker's certificate, or tls be false (in a lab only)")
    return problems
