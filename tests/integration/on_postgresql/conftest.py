"""
Fixtures of tests on a PostgreSQL database. The tests are marked `postgresql`.

database   a function that makes an empty database and returns its URL; one server for a test file
settings   of an installation with the newest schema
"""

import pytest
from pydantic import SecretStr

from server import db, migrations
from server.config import Settings
from tests.support import postgresql


@pytest.fixture(scope="module")
def database():
    with postgresql.server() as make:
        yield make


@pytest.fixture
def settings(database, tmp_path):
    settings = Settings(data=tmp_path / "data", database_url=SecretStr(database()))
    migrations.upgrade(settings)
    return settings


@pytest.fixture
def sessions(settings):
    sessions = db.open_sessions(settings.url())
    yield sessions
    sessions.engine.dispose()


@pytest.fixture
def session(sessions):
    """A session whose changes are forgotten at the end."""
    with sessions() as session:
        yield session
