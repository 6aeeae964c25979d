"""Fixtures of the tests that run the server's processes."""

import pytest

from server import migrations
from server.config import Settings
from tests.support.paho_sensor import PahoSensor
from tests.support.server_kit import Server


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """An empty database file with the newest schema."""
    settings = Settings(data=tmp_path_factory.mktemp("empty"))
    migrations.upgrade(settings)
    return settings.data / "ansim.db"


@pytest.fixture
def server(tmp_path, empty_database):
    """An installation, not started yet."""
    made = Server(tmp_path / "data", empty_database)
    yield made
    made.end()


@pytest.fixture
def sensors(server):
    """A function that enrols a sensor and returns its model; all are closed at the end."""
    made = []

    def make(name, **fields):
        sensor = PahoSensor(name, server.enrol(name, **fields), server.port)
        made.append(sensor)
        return sensor

    yield make
    for sensor in made:
        sensor.close()
