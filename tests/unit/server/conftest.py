"""An installation's database for each test, made once and copied."""

import csv
import shutil

import pytest
from argon2 import PasswordHasher

from server import db, migrations
from server import vault as vault_
from server.config import Settings
from server.models import User
from server.services.findings.pseudonyms import Pseudonyms
from server.services.people import accounts
from server.services.places import facilities, imports, organisations, restrooms
from server.services.sensors import enrolment
from tests.support import restroom_files

REAL_HASHER = accounts._hasher  # kept from before any test replaces it


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """A database file of the newest form, without a row."""
    settings = Settings(data=tmp_path_factory.mktemp("empty"))
    migrations.upgrade(settings)
    return settings.data / "ansim.db"


@pytest.fixture
def settings(tmp_path, empty_database):
    shutil.copy(empty_database, tmp_path / "ansim.db")
    return Settings(data=tmp_path)


@pytest.fixture
def vault(settings):
    return vault_.open_vault(settings)


@pytest.fixture
def sessions(settings):
    made = db.open_sessions(settings.url())
    yield made
    made.engine.dispose()


@pytest.fixture
def session(sessions):
    """A session whose changes are forgotten at the end."""
    with sessions() as session:
        yield session


@pytest.fixture
def pseudonyms(vault):
    return Pseudonyms(vault)


@pytest.fixture
def hall(session):
    """A restroom."""
    facility = facilities.add(session, organisations.add(session, "City"), "Hall", "Hall", "1 Road")
    return restrooms.add(session, facility, "Women's", name_en="Women's", block="women", stalls=4)


@pytest.fixture(scope="session", autouse=True)
def real_hasher():
    """
    Hash passwords with the least work, because argon2's real cost would fill most of the time; return the real one.
    """
    real = REAL_HASHER()
    with pytest.MonkeyPatch.context() as patch:
        cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr(accounts, "_hasher", lambda: cheap)
        yield real


@pytest.fixture(scope="session")
def hashed(real_hasher):
    """The hash of "correct horse battery"."""
    return accounts._hasher().hash("correct horse battery")


@pytest.fixture
def kim(session, hashed):
    """A manager."""
    made = User(
        login="kim", name="Kim", role="manager", password_hash=hashed, session_word="0" * 32, created_s=1_800_000_000
    )
    session.add(made)
    session.flush()
    return made


@pytest.fixture
def sensor(session, vault):
    return enrolment.enrol(session, vault, "hall-1", "First")[0]


@pytest.fixture
def table(tmp_path):
    """A function that writes rows as a national file and returns its path."""

    def write(rows=restroom_files.ROWS, encoding="cp949", columns=restroom_files.NATIONAL, name="file.csv"):
        path = tmp_path / name
        with path.open("w", encoding=encoding, newline="", errors="surrogateescape") as file:
            writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
        return path

    return write


@pytest.fixture
def take(sessions):
    """A function that looks at a file and applies it; returns what it preview like."""

    def run(path, **options):
        with sessions() as session:
            preview = imports.make_preview(session, path, imports.Options(**options))
        imports.apply(sessions, path, preview, None)
        return preview

    return run
