#!/usr/bin/env python3
"""
Make a board a sensor of a server: give it its name, key, network and broker, and enrol it.

    python3 tools/provision.py hall-1 --broker ansim.example.kr --ca ca.pem --wifi office

Generates the sensor's key, writes the settings to the board and enrols the sensor: in the server's
database (--data, on the server itself), or over the network with a claim code that an administrator
made (--server URL --claim CODE). The Wi-Fi password is asked for, or read from a file (--wifi-file).
Keys and passwords are never printed, nor written to this computer.
"""

import argparse
import contextlib
import getpass
import json
import secrets
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ansim import envelope, topics
from ansim.settings import BadSettings, checked
from tools.hardware import device
from tools.lib import arguments, bootstrap, errors, server_data
from tools.lib.errors import ToolError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

    from server.vault import Vault

SETTINGS = "/settings.json"
CLAIM_PATH = "/api/v1/claims"
CLAIM_TIMEOUT_S = 15
THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


class Provision(NamedTuple):
    """A sensor to provision."""

    name: str
    settings: dict[str, Any]  # checked; the key is among them
    enrol: Callable[[], None]  # to be called when the board has the settings


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options about server, link and settings, which tools/flash.py has too."""
    server = parser.add_argument_group("the server")
    server.add_argument(
        "--data", type=Path, default=server_data.DEFAULT_FOLDER, help="its data folder, on the server itself"
    )
    server.add_argument("--server", default="", metavar="URL", help="its address; needs --claim")
    server.add_argument("--claim", default="", metavar="CODE", help="a claim code from the sensors page, valid once")
    server.add_argument("--new-key", action="store_true", help="give a new key to a sensor that is enrolled already")
    server.add_argument("--label", default="", help="name of the sensor for people")
    link = parser.add_argument_group("the sensor's link")
    link.add_argument("--broker", default="", help="host name or address of the MQTT broker, as in its certificate")
    link.add_argument("--broker-port", type=arguments.port, help="its port (default 8883, with --plain 1883)")
    link.add_argument("--ca", type=Path, help="PEM file of the authority of the broker's certificate")
    link.add_argument("--plain", action="store_true", help="no TLS; for a lab only")
    link.add_argument(
        "--wifi", action="append", default=[], metavar="NAME", help="a Wi-Fi network; its password is asked for"
    )
    link.add_argument("--wifi-file", type=Path, help='JSON: [{"ssid": "...", "password": "..."}, ...]')
    link.add_argument("--ethernet", action="store_true", help="the board has a wired connection")
    parser.add_argument("--board", default="", help="type of the board, see firmware/boards (default esp32_devkit)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=JSON", help="any other setting, see ansim/settings.py"
    )


def read_networks(options: argparse.Namespace) -> list[dict]:
    """Return the Wi-Fi networks of --wifi-file and --wifi; asks for passwords, so call it once for all boards."""
    networks = []
    if options.wifi_file:
        try:
            networks += json.loads(options.wifi_file.read_text())
        except (OSError, ValueError, TypeError) as error:
            raise ToolError(f'{options.wifi_file} should be JSON: [{{"ssid": "...", "password": "..."}}]') from error
    for name in options.wifi:
        if not sys.stdin.isatty():
            raise ToolError(f"the password of {name} can only be asked for in a terminal; use --wifi-file")
        networks.append({"ssid": name, "password": getpass.getpass(f"Password of {name}: ")})
    return networks


def prepare(name: str, options: argparse.Namespace, wifi: list[dict]) -> Provision:
    """
    Return the settings for a board and a function that enrols the sensor; nothing is changed yet.

    With a claim code the server generates the key and enrols the sensor at once. Raises ToolError.
    """
    if not topics.is_device(name):
        raise ToolError(f"{name!r} cannot be a sensor's name; use 1..32 of a-z, 0-9 and -")
    if options.claim or options.server:
        if not (options.claim and options.server):
            raise ToolError("--server and --claim go together")
        granted = claim(options.server, options.claim, name, options.label)
        return Provision(name, _settings(name, granted.pop("key", ""), options, wifi, granted), lambda: None)
    key = secrets.token_bytes(envelope.KEY_BYTES)
    with _database(options.data) as (sessions, _):
        _check_name(sessions, name, options.new_key)
    return Provision(name, _settings(name, key.hex(), options, wifi, {}), lambda: _enrol(name, key, options))


def write(board: device.Board, provision: Provision) -> None:
    """Write the settings to a connected board in one step, compare them, and enrol the sensor. Raises ToolError."""
    files = {"/incoming" + SETTINGS: json.dumps(provision.settings).encode()}
    board.put(files)
    device.verify_incoming(board, files)
    board.call("move_incoming")
    provision.enrol()


def claim(url: str, code: str, name: str, label: str = "") -> dict:
    """
    Enrol a sensor over the network with a claim code; return {"key": 64 hex digits, ...}.

    POST <url>/api/v1/claims {"code", "device", "label"} responds 201 with "key" and, if the server
    knows them, "broker", "port", "tls" and "ca"; any other response is a problem document (RFC 9457).
    Raises ToolError.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in THIS_MACHINE):
        raise ToolError(f"{url} would send the sensor's key unencrypted; use https://")
    body = json.dumps({"code": code, "device": name, "label": label}).encode()
    request = urllib.request.Request(url.rstrip("/") + CLAIM_PATH, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=CLAIM_TIMEOUT_S) as response:
            granted = json.load(response)
    except urllib.error.HTTPError as error:
        raise ToolError(
            f"{url} refused the claim code: {_problem_text(error)}; make a new one on the sensors page"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise ToolError(f"{url} does not answer ({reason}); check the address of --server") from error
    if not isinstance(granted, dict) or not isinstance(granted.get("key"), str):
        raise ToolError(f"{url} sent no key; check that --server is the address of an Ansim server")
    return {field: granted[field] for field in ("key", "broker", "port", "tls", "ca") if field in granted}


def _problem_text(error):
    """Return the text of a problem document."""
    try:
        document = json.load(error)
        return str(document.get("detail") or document.get("title") or error.reason)[:200]
    except (ValueError, AttributeError, OSError):
        return f"HTTP {error.code}"


def _settings(name, key, options, wifi, granted):
    """Return the checked settings. The command line takes precedence over what the server granted."""
    settings = {"device": name, "key": key, **granted}
    if options.broker:
        settings["broker"] = options.broker
    if options.plain or options.broker_port or "port" not in settings:
        settings["tls"] = not options.plain
        settings["port"] = options.broker_port or (1883 if options.plain else 8883)
    if options.ca:
        try:
            settings["ca"] = options.ca.read_text()
        except (OSError, UnicodeError) as error:
            raise ToolError(f"cannot read {options.ca}; give a PEM file with --ca") from error
    if settings["tls"] and "BEGIN CERTIFICATE" not in settings.get("ca", ""):
        raise ToolError("TLS needs the authority of the broker's certificate; give it with --ca (or --plain in a lab)")
    if options.ethernet:
        settings["uplink"] = "ethernet"
    if options.board:
        settings["board"] = options.board
    if wifi:
        settings["wifi"] = wifi
    for assignment in options.set:
        field, _, value = assignment.partition("=")
        try:
            settings[field] = json.loads(value)
        except ValueError as error:
            raise ToolError(f"--set {field}: the value should be JSON, such as 60, true or '\"text\"'") from error
    try:
        return checked(settings)
    except BadSettings as error:
        raise ToolError("; ".join(str(error).splitlines()) + " (see --help)") from error


@contextlib.contextmanager
def _database(data: Path) -> Iterator[tuple["sessionmaker[Session]", "Vault"]]:
    """Open the session factory and the vault of a server that has run before. Raises ToolError."""
    from sqlalchemy.exc import SQLAlchemyError

    from server import config, db, vault

    settings = server_data.load_settings(data)
    if not settings.database_url.get_secret_value() and not (data / "ansim.db").is_file():
        raise ToolError(
            f"no server's data in {data}; start the server once, name its folder with --data, or use --claim"
        )
    try:
        keys = vault.open_vault(settings)
    except config.BadSettings as error:
        raise ToolError("; ".join(str(error).splitlines())) from error
    sessions = db.open_sessions(settings.url())
    try:
        yield sessions, keys
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
        raise ToolError(f"the server's database refused ({reason}); check that the server has this version") from error
    finally:
        sessions.engine.dispose()


def was_heard_since(data: Path, name: str, since_s: int) -> bool:
    """Return True if the server heard a sensor at or after a time (seconds UTC). Raises ToolError."""
    from server.services.people.accounts import SYSTEM
    from server.services.sensors import fleet

    with _database(data) as (sessions, _), sessions() as session:
        return (fleet.load(session, SYSTEM, name).last_seen_s or 0) >= since_s


def _check_name(sessions, name, new_key):
    """Raise ToolError if a name is enrolled; with --new-key, if it is not."""
    from server.services.errors import NotFound
    from server.services.people.accounts import SYSTEM
    from server.services.sensors import fleet

    with sessions() as session:
        try:
            fleet.load(session, SYSTEM, name)
        except NotFound:
            if new_key:
                raise ToolError(f"there is no sensor {name}; enrol it without --new-key") from None
            return
    if not new_key:
        raise ToolError(
            f"{name} is enrolled already; choose another name, or use --new-key to replace that sensor's key"
        )


def _enrol(name, key, options):
    from server.services.errors import Refused
    from server.services.people.accounts import SYSTEM
    from server.services.sensors import enrolment, fleet

    with _database(options.data) as (sessions, vault):
        try:
            with sessions.begin() as session:
                if options.new_key:
                    fleet.load(session, SYSTEM, name).key_sealed = vault.seal(key)
                else:
                    enrolment.enrol(session, vault, name, options.label, key)
        except Refused as error:
            raise ToolError(f"the server refused {name} ({error.code}); choose another name") from error


def main() -> None:
    parser = arguments.full_parser(__doc__)
    parser.add_argument("name", help="name of the sensor: 1..32 of a-z, 0-9 and -")
    device.add_options(parser)
    add_options(parser)
    options = parser.parse_args()
    bootstrap.enter_for("mpremote")
    port = options.port or device.only_port()
    provision = prepare(options.name, options, read_networks(options))
    with device.connect(port, options.via) as board:
        board.call("identify")
        write(board, provision)
        board.restart()
    print(f"{options.name}: settings are on the board on {port}, the sensor is enrolled, the board restarts")


if __name__ == "__main__":
    errors.run(main)
