"""
Set-up of an installation: data folder, secret, database, first administrator, demo data.

    admin = prepare(settings, demo=False)      # before the broker, ingest and the web server start

Repeating it is quick and changes only a one-time password that was not used yet.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from server import db, migrations, vault
from server.config import Settings

SENSORS_FILE = "sensors.json"  # for tools.simulate; it holds keys, so only its owner may read it
# The scene of each demo sensor: generated files in tools/scenes. The first one leads to an alarm, the second to notices
# that end by themselves.
DEMO_SCENES = ("camera_station.json", "look_alikes.json", "crowded.json")


def prepare(settings: Settings, demo: bool = False) -> tuple[str, str] | None:
    """
    Make what is missing; return (login, one-time password) of the first administrator, None once they have signed in.

    demo  also add the sample restrooms and sensors, and write SENSORS_FILE
    Raises BadSettings, migrations.WrongForm, OSError if the data folder cannot be written.
    """
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys = vault.open_vault(settings)
    migrations.upgrade(settings)
    from server.services.people import accounts

    sessions = db.open_sessions(settings.url())
    try:
        vault.check(settings, sessions)
        with sessions.begin() as session:
            admin = accounts.create_first_admin(session)
            if demo:
                from server import demo as sample

                write_sensors(settings.data, sample.fill(session, keys, len(DEMO_SCENES)))
    finally:
        sessions.engine.dispose()
    return admin


def write_sensors(folder: Path, sensors: Iterable[tuple[str, bytes]]) -> None:
    """Write SENSORS_FILE: [{"device", "key" (hex), "scene"}, ...]. sensors: [(name, key), ...]."""
    rows = [
        {"device": name, "key": key.hex(), "scene": DEMO_SCENES[number % len(DEMO_SCENES)]}
        for number, (name, key) in enumerate(sensors)
    ]
    path = folder / SENSORS_FILE
    draft = path.with_name(f".{SENSORS_FILE}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(rows, file, indent=1)
    draft.replace(path)
