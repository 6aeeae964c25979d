"""
The sensor's settings: one JSON file that is checked as a whole at start.

    settings = load("/settings.json")      # raises BadSettings with every problem in it

Written by tools/provision.py, read by firmware/main.py. Values never appear in a problem.
"""

import json

from ansim import topics
from ansim.schema import BOOL, check

PARTS = ("led", "button", "buzzer", "oled", "battery", "nrf24")


class BadSettings(Exception):
    """The settings cannot be used; the text has one problem per line and no values."""


def checked(values: dict) -> dict:
    """Return the settings with defaults filled in. Raises BadSettings with all problems at once."""
    if type(values) is not dict:
        raise BadSettings("settings should be a JSON object")
    schema = {}
    settings = {}
    known = fields()
    for name in known:
        field_schema, default = known[name]
        schema[name if default is None else name + "?"] = field_schema
        if default is not None:
            settings[name] = default
    problems = check(schema, values)
    settings.update(values)
    if not problems:
        problems = _contradictions(settings)
    if problems:
        raise BadSettings("\n".join(problems))
    return settings


def load(path: str) -> dict:
    """Read and check a settings file. Raises BadSettings, also if the file is missing or not JSON."""
    try:
        with open(path) as file:
            values = json.load(file)
    except OSError:
        raise BadSettings("%s is missing; tools/provision.py writes it" % path)
    except ValueError:
        raise BadSettings("%s is not JSON; tools/provision.py writes it anew" % path)
    return checked(values)


def fields() -> dict:
    """
    Return {name: (schema, default)}; default None: required.

    Made anew each time: kept, they would take 5 kB of a sensor's heap.
    """
    return {
        "device": (("text", 1, 32), None),
        "key": (("hex", 64), None),  # the device's HMAC and broker key
        "broker": (("text", 1, 253), None),  # host name or address
        "port": (("int", 1, 65535), 8883),
        "tls": (BOOL, True),
        "ca": (("text", 0, 4096), ""),  # PEM of the authority that issues the broker's certificate
        "client_cert": (("text", 0, 4096), ""),
        "client_key": (("text", 0, 4096), ""),
        "uplink": (("one_of", ("wifi", "ethernet")), "wifi"),
        "wifi": (("list", {"ssid": ("text", 1, 32), "password": ("text", 0, 64)}, 0, 8), []),
        "board": (("text", 1, 32), "esp32_devkit"),
        "country": (("text", 2, 2), "KR"),  # ISO 3166; which channels of 2.4 GHz scans and the uplink use
        "channels": (("list", ("int", 1, 13), 1, 13), list(range(1, 14))),
        # Of a board that hears 5 GHz; []: all of the board's.
        "channels_5ghz": (("list", ("int", 36, 177), 0, 28), []),
        "upload_every_s": (("int", 10, 3600), 60),
        "journal_bytes": (("int", 8192, 16 << 20), 512 << 10),
        "ntp": (("text", 0, 253), "pool.ntp.org"),  # "": no NTP, wait for the server's time
        "keepalive_s": (("int", 5, 3600), 60),
        "always_listen": (BOOL, True),  # listen without an inspection running (fixed sensors)
        "ignore": (("list", ("text", 17, 17), 0, 64), []),  # addresses of known emitters
        "fitted": (
            ("list", ("one_of", PARTS), 0, len(PARTS)),
            [],
        ),  # all parts that are fitted; []: those that the board is sold with
        "selftest_at_start": (BOOL, False),
    }


def _is_wifi_password(password):
    """Return True for what IEEE 802.11 allows: none, a passphrase of 8..63 bytes, or a key of 64 hex digits."""
    size = len(password.encode())
    if size == 64:
        return all(c in "0123456789abcdefABCDEF" for c in password)
    return size == 0 or 8 <= size <= 63


def _contradictions(settings):
    problems = []
    if not topics.is_device(settings["device"]):
        problems.append("device should be 1..32 characters of a-z, 0-9 and -")
    if not ("AA" <= settings["country"] <= "ZZ" and "A" <= settings["country"][1] <= "Z"):
        problems.append("country should be two capital letters")
    if settings["uplink"] == "wifi" and not settings["wifi"]:
        problems.append("wifi should list at least one network, or uplink be ethernet")
    for number, network in enumerate(settings["wifi"]):
        if len(network["ssid"].encode()) > 32:
            problems.append("wifi[%d].ssid should be 1..32 bytes in UTF-8, in which a Korean syllable takes 3" % number)
        if not _is_wifi_password(network["password"]):
            problems.append(
                "wifi[%d].password should be empty (an open network), 8..63 bytes, or 64 hex digits" % number
            )
    if bool(settings["client_cert"]) != bool(settings["client_key"]):
        problems.append("client_cert and client_key go together")
    if settings["tls"] and not settings["ca"]:
        problems.append("ca should hold the authority of the broker's certificate, or tls be false (in a lab only)")
    return problems
