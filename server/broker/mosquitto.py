"""
Write the configuration, passwords and access list of a mosquitto, with the rules of the embedded broker.

    files = mosquitto.make_files(accounts, ingest, place)      # {name: text}
    mosquitto.write(folder, files)                        # True if a file has changed: mosquitto should reload (SIGHUP)

The rules follow topic_rules.py: a sensor writes and reads its own topics, ingest all of them, the reader reads state
and health of all sensors. Sensors have a listener
of their own, where the client id is the user name, so that none of them ends another one's connection. Several ingest
workers have one user name and different client ids; they use the other listener, which is for this machine.

Source: mosquitto.conf(5), mosquitto_passwd(1).
"""

import base64
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from ansim import envelope, topics
from ansim.envelope import MAX_MESSAGE_BYTES
from server.broker import topic_rules
from server.config import Settings
from server.models.sensors import Sensor
from server.vault import Vault

WRITTEN = "# Written by `flask --app server broker-config mosquitto`; changes by hand are lost."
CONFIGURATION, PASSWORDS, ACCESS = "mosquitto.conf", "passwords", "access"
MODE = 0o640  # the group is mosquitto's
SALT_BYTES = 12
# As mosquitto_passwd's default. The passwords are 256 bits long, so nobody finds one by trying, however fast.
ITERATIONS = 101
MAX_PACKET_BYTES = MAX_MESSAGE_BYTES + 1024  # with topic and packet id


class Place(NamedTuple):
    """
    Where mosquitto listens, and where it finds its files.

    folder        of the files, as mosquitto sees it
    sensors       (address, port) for sensors
    ingest        (address, port) for ingest, without TLS
    certificate   (authority, certificate, key) for sensors, paths as mosquitto sees them; None: without TLS
    in_flight     packets that ingest may take at a time, three of its batches
    """

    folder: Path
    sensors: tuple[str, int]
    ingest: tuple[str, int]
    certificate: tuple[str, str, str] | None
    in_flight: int


def load_accounts(session: Session, vault: Vault, settings: Settings) -> dict[str, str]:
    """Return {user: password} of ingest and of all sensors that may connect. Raises BadSeal."""
    user = settings.mqtt_user or topic_rules.SERVICE
    password = settings.mqtt_password.get_secret_value() or vault.service_password(topic_rules.SERVICE)
    accounts = {user: password}
    if settings.mqtt_reader:
        accounts[topic_rules.READER] = vault.service_password(topic_rules.READER)
    query = select(Sensor.name, Sensor.key_sealed).where(Sensor.revoked_s.is_(None)).order_by(Sensor.name)
    for name, sealed_key in session.execute(query):
        accounts[name] = envelope.broker_password(vault.unseal(sealed_key))
    return accounts


def make_files(accounts: Mapping[str, str], ingest: str, place: Place) -> dict[str, str]:
    """Return {name: text} of the three files; `ingest` is the user of ingest."""
    return {
        CONFIGURATION: _configuration(place),
        PASSWORDS: "".join(f"{user}:{_hash(user, password)}\n" for user, password in accounts.items()),
        ACCESS: _access(ingest),
    }


def _configuration(place):
    lines = [
        WRITTEN,
        "per_listener_settings true",
        "# mosquitto's default of 1,000 drops messages while ingest restarts.",
        "max_queued_messages 0",
        f"max_inflight_messages {place.in_flight}",
        f"max_packet_size {MAX_PACKET_BYTES}",
        "persistence false",
        "log_type error",
        "log_type warning",
        "connection_messages false",
    ]
    for (address, port), options in (
        (place.sensors, ["use_username_as_clientid true", "max_qos 1", *_tls(place.certificate)]),
        (place.ingest, []),
    ):
        lines += ["", f"listener {port} {address}", "allow_anonymous false"]
        lines += [f"password_file {place.folder / PASSWORDS}", f"acl_file {place.folder / ACCESS}", *options]
    return "\n".join(lines) + "\n"


def _tls(certificate):
    if not certificate:
        return []
    authority, certificate, key = certificate
    return [f"cafile {authority}", f"certfile {certificate}", f"keyfile {key}", "tls_version tlsv1.2"]


def _access(ingest):
    lines = [WRITTEN]
    lines += [f"pattern write {topics.everyone(leaf).replace('+', '%u')}" for leaf in topics.FROM_SENSOR]
    lines += [f"pattern read {topics.everyone(leaf).replace('+', '%u')}" for leaf in topics.TO_SENSOR]
    lines += ["", f"user {ingest}"]
    lines += [f"topic read {topics.everyone(leaf)}" for leaf in topics.FROM_SENSOR]
    lines += [f"topic write {topics.everyone(leaf)}" for leaf in topics.TO_SENSOR]
    lines += [f"topic write {topic_rules.DISCOVERY}#", "", f"user {topic_rules.READER}"]
    lines += [f"topic read {topics.everyone(leaf)}" for leaf in topic_rules.READABLE]
    lines += [f"topic read {topic_rules.DISCOVERY}#"]
    return "\n".join(lines) + "\n"


def _hash(user, password):
    """Return a password as mosquitto keeps it: PBKDF2 with SHA-512, with a salt made of both, so that files compare."""
    salt = hashlib.sha256(f"{user}\0{password}".encode()).digest()[:SALT_BYTES]
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
    return f"$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def write(folder: Path, files: Mapping[str, str]) -> bool:
    """Replace the files that differ, each in one step; return True if there was one. Raises OSError."""
    has_changed = False
    for name, text in files.items():
        path = folder / name
        if path.exists() and path.read_text() == text:
            continue
        has_changed = True
        draft = folder / f".{name}.new"
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), "w") as file:
            os.fchmod(file.fileno(), MODE)  # whatever the umask is
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    return has_changed
