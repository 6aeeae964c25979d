"""Whether the installation can do its work: migrations, disk, secret and ingest."""

import shutil

from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from server import migrations
from server.config import Settings
from server.models.sensors import Sensor
from server.services.intake import heartbeat
from server.vault import BadSeal, Vault

DATABASE = "database"  # it does not answer, or not as it should
MIGRATIONS = "migrations"  # the schema is not the one of this program
SECRET = "secret"  # it does not open the key of the first sensor
DISK = "disk"  # less than FREE_BYTES free in the data folder
INGEST = "ingest"  # not running, or not connected to the broker
PROBLEMS = (DATABASE, MIGRATIONS, SECRET, DISK, INGEST)
FREE_BYTES = 50_000_000


def list_problems(sessions: sessionmaker[Session], settings: Settings, vault: Vault) -> list[str]:
    """Return the codes of what is wrong; an empty list if all is well."""
    try:
        with sessions() as session:
            problems = _list_database_problems(session, vault)
    except SQLAlchemyError:
        problems = [DATABASE]
    try:
        if shutil.disk_usage(settings.data).free < FREE_BYTES:
            problems.append(DISK)
    except OSError:
        problems.append(DISK)
    if not heartbeat.is_beating(settings.data):
        problems.append(INGEST)
    return problems


def _list_database_problems(session, vault):
    if session.scalar(text("SELECT version_num FROM alembic_version")) != migrations.HEAD:
        return [MIGRATIONS]
    query = select(Sensor.key_sealed).where(Sensor.revoked_s.is_(None)).order_by(Sensor.id).limit(1)
    sealed_key = session.scalar(query)
    try:
        if sealed_key is not None:
            vault.unseal(sealed_key)
    except BadSeal:
        return [SECRET]
    return []
