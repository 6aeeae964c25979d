#!/usr/bin/env python3
"""
Make a board a sensor of this server: its name, its key, its network, its broker.

    python3 tools/provision.py hall-1 --broker ansim.example.kr --ca ca.pem --wifi office

Makes the sensor's key, puts the settings on the board and enrols the sensor in the server's
database (--data, on the server itself) or at the server's address with a claim code that an
administrator made (--server URL --claim CODE, anywhere). The Wi-Fi password is asked for, or
comes from a file (--wifi-file). No key and no password is ever printed or written to this
computer.
"""

import argparse
import contextlib
import getpass
import importlib.util
import json
import os
import secrets
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections import namedtuple
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ansim import envelope, topics
from ansim.settings import BadSettings, checked
from tools.hardware import device
from tools.lib import bootstrap, errors
from tools.lib.errors import ToolError

ROOT = bootstrap.ROOT
SETTINGS = "/settings.json"
CLAIM_PATH = "/api/v1/claims"
CLAIM_TIMEOUT_S = 15
THIS_MACHINE = ("localhost", "127.0.0.1", "::1")

# name     the sensor's
# settings checked, with the key in it
# confirm  to be called when the board has them: enrols the sensor
Provision = namedtuple("Provision", ("name", "settings", "confirm"))


def add_options(parser) -> None:
    """Add the options that say what the settings are; tools/flash.py has them too."""
    where = parser.add_argument_group("the server")
    where.add_argument(
        "--data", type=Path, default=ROOT / "data" / "site", help="its data folder, on the server itself"
    )
    where.add_argument("--server", default="", metavar="URL", help="its address, with --claim")
    where.add_argument("--claim", default="", metavar="CODE", help="a claim code from the sensors page, good once")
    where.add_argument("--new-key", action="store_true", help="the sensor is enrolled already: give it a new key")
    where.add_argument("--label", default="", help="what people call the sensor")
    link = parser.add_argument_group("its link")
    link.add_argument("--broker", default="", help="host name or address of the MQTT broker, as in its certificate")
    link.add_argument("--broker-port", type=int, help="default 8883, with --plain 1883")
    link.add_argument("--ca", type=Path, help="PEM file of the authority that signed the broker's certificate")
    link.add_argument("--plain", action="store_true", help="no TLS: for a lab only")
    link.add_argument(
        "--wifi", action="append", default=[], metavar="NAME", help="a network to join; asks for its password"
    )
    link.add_argument("--wifi-file", type=Path, help='JSON: [{"ssid": "...", "password": "..."}, ...]')
    link.add_argument("--ethernet", action="store_true", help="the board has a wired uplink")
    parser.add_argument("--board", default="", help="which board it is, see firmware/boards (default esp32_devkit)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=JSON", help="any other setting, see ansim/settings.py"
    )


def read_networks(options) -> list[dict]:
    """Return the Wi-Fi networks of the options; asks for passwords. Call it once, not once a board."""
    found = []
    if options.wifi_file:
        try:
            found += json.loads(options.wifi_file.read_text())
        except (OSError, ValueError, TypeError) as error:
            raise ToolError(f'{options.wifi_file} should be JSON: [{{"ssid": "...", "password": "..."}}]') from error
    for name in options.wifi:
        if not sys.stdin.isatty():
            raise ToolError(f"the password of {name} can only be asked for in a terminal; use --wifi-file")
        found.append({"ssid": name, "password": getpass.getpass(f"Password of {name}: ")})
    return found


def prepare(name: str, options, wifi: list[dict]) -> Provision:
    """
    Return what goes onto a board, and how to enrol it afterwards. Nothing is changed yet.

    With a claim code the server makes the key, so there it is enrolled at once.
    Raises ToolError.
    """
    if not topics.is_device(name):
        raise ToolError(f"{name!r} cannot be a sensor's name; take 1..32 of a-z, 0-9 and -")
    if options.claim or options.server:
        if not (options.claim and options.server):
            raise ToolError("--server and --claim go together")
        granted = claim(options.server, options.claim, name, options.label)
        return Provision(name, _settings(name, granted.pop("key", ""), options, wifi, granted), lambda: None)
    key = secrets.token_bytes(envelope.KEY_BYTES)
    with _database(options.data) as (sessions, _):
        _check_free(sessions, name, options.new_key)
    return Provision(name, _settings(name, key.hex(), options, wifi, {}), lambda: _enrol(name, key, options))


def write(board, provision: Provision) -> None:
    """Put the settings on a board (see tools/hardware/device.py) in one step, compare, and enrol it."""
    content = json.dumps(provision.settings).encode()
    board.put({"/incoming" + SETTINGS: content})
    from tools.hardware.payload import file_hash

    if board.call("check").get("/incoming" + SETTINGS) != file_hash(content):
        raise ToolError(f"the settings came broken to the board on {board.port}; check the cable and try again")
    board.call("place")
    provision.confirm()


def claim(url: str, code: str, name: str, label: str = "") -> dict:
    """
    Enrol a sensor at a server with a claim code; return {"key": 64 hex digits, ...}.

    POST <url>/api/v1/claims {"code", "device", "label"} answers 201 with "key" and, if the server
    knows them, "broker", "port", "tls" and "ca"; anything else is a problem document (RFC 9457).
    Raises ToolError.
    """
    where = urllib.parse.urlsplit(url)
    if where.scheme != "https" and not (where.scheme == "http" and where.hostname in THIS_MACHINE):
        raise ToolError(f"{url} would send the sensor's key unprotected; use https://")
    body = json.dumps({"code": code, "device": name, "label": label}).encode()
    request = urllib.request.Request(url.rstrip("/") + CLAIM_PATH, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=CLAIM_TIMEOUT_S) as answer:
            granted = json.load(answer)
    except urllib.error.HTTPError as error:
        raise ToolError(
            f"{url} refused the claim code: {_problem(error)}; make a new one on the sensors page"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise ToolError(f"{url} does not answer ({reason}); is the address right?") from error
    if not isinstance(granted, dict) or not isinstance(granted.get("key"), str):
        raise ToolError(f"{url} gave no key; is it an Ansim server?")
    return {field: granted[field] for field in ("key", "broker", "port", "tls", "ca") if field in granted}


def _problem(error):
    try:
        document = json.load(error)
        return str(document.get("detail") or document.get("title") or error.reason)[:200]
    except (ValueError, AttributeError, OSError):
        return f"HTTP {error.code}"


def _settings(name, key, options, wifi, granted):
    """Return the checked settings. What the command line says comes before what the server said."""
    given = {"device": name, "key": key, **granted}
    if options.broker:
        given["broker"] = options.broker
    if options.plain or options.broker_port or "port" not in given:
        given["tls"] = not options.plain
        given["port"] = options.broker_port or (1883 if options.plain else 8883)
    if options.ca:
        try:
            given["ca"] = options.ca.read_text()
        except (OSError, UnicodeError) as error:
            raise ToolError(f"cannot read {options.ca}; --ca wants a PEM file") from error
    if given["tls"] and "BEGIN CERTIFICATE" not in given.get("ca", ""):
        raise ToolError(
            "the sensor must know whom to trust: give the broker's authority with --ca (or --plain in a lab)"
        )
    if options.ethernet:
        given["uplink"] = "ethernet"
    if options.board:
        given["board"] = options.board
    if wifi:
        given["wifi"] = wifi
    for assignment in options.set:
        field, _, value = assignment.partition("=")
        try:
            given[field] = json.loads(value)
        except ValueError as error:
            raise ToolError(f"--set {field}: the value should be JSON, such as 60, true or '\"text\"'") from error
    try:
        return checked(given)
    except BadSettings as error:
        raise ToolError("; ".join(str(error).splitlines()) + " (see --help)") from error


@contextlib.contextmanager
def _database(data):
    """The server's session factory and vault; the server must have run once. Raises ToolError."""
    from sqlalchemy.exc import SQLAlchemyError

    from server import config, db, vault

    try:
        settings = config.from_environment({**os.environ, "ANSIM_DATA": str(data)})
        if not settings.database_url.get_secret_value() and not (data / "ansim.db").is_file():
            raise ToolError(
                f"no server's data in {data}; start the server once, name its folder with --data, or use --claim"
            )
        keys = vault.open_vault(settings)
    except config.BadSettings as error:
        raise ToolError("; ".join(str(error).splitlines())) from error
    sessions = db.open_sessions(settings.url())
    try:
        yield sessions, keys
    except SQLAlchemyError as error:
        why = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
        raise ToolError(f"the server's database refused ({why}); is the server of this version?") from error
    finally:
        sessions.engine.dispose()


def was_heard_since(data: Path, name: str, since_s: int) -> bool:
    """Has the server heard this sensor at or after a time (seconds UTC)? Raises ToolError."""
    from server.services.sensors import enrolment

    with _database(data) as (sessions, _), sessions() as session:
        return (enrolment.sensor(session, name).last_seen_s or 0) >= since_s


def _check_free(sessions, name, new_key):
    from server.services.errors import NotFound
    from server.services.sensors import enrolment

    with sessions() as session:
        try:
            enrolment.sensor(session, name)
        except NotFound:
            if new_key:
                raise ToolError(f"there is no sensor {name} that could get a new key") from None
            return
    if not new_key:
        raise ToolError(f"{name} is enrolled already; take another name, or --new-key if it is to replace that one")


def _enrol(name, key, options):
    from server.services.errors import Refused
    from server.services.sensors import enrolment

    with _database(options.data) as (sessions, vault):
        try:
            with sessions.begin() as session:
                if options.new_key:
                    enrolment.sensor(session, name).key_sealed = vault.seal(key)
                else:
                    enrolment.enrol(session, vault, name, options.label, key)
        except Refused as error:
            raise ToolError(f"the server refused {name} ({error.code}); take another name") from error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="of the sensor: 1..32 of a-z, 0-9 and -")
    parser.add_argument("--port", default="", help="serial port of the board (default: the only one there is)")
    parser.add_argument("--via", choices=device.TRANSPORTS, default="mpremote", help="which program talks to the board")
    add_options(parser)
    options = parser.parse_args()
    if importlib.util.find_spec("mpremote") is None:
        bootstrap.enter("requirements.txt")
    port = options.port or device.only_port()
    provision = prepare(options.name, options, read_networks(options))
    with device.connect(port, options.via) as board:
        board.call("look")
        write(board, provision)
        board.restart()
    print(f"{options.name}: settings are on the board on {port}, the sensor is enrolled, the board restarts")


if __name__ == "__main__":
    errors.run(main)
