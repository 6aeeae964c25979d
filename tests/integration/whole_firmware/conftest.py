"""A real broker, a small server, and virtual sensors that run the whole firmware."""

import pytest

from tests.support import brokers
from tests.support.delivery import DEVICE, KEY, TinyServer
from tests.support.ports import free_port
from tests.support.recording_sensor import RecordingSensor
from tests.support.simulated_board import SILENCE
from tools.simulate import settings_for
from tools.traffic.scene import Scene


@pytest.fixture
def broker(tmp_path):
    """A mosquitto broker without TLS."""
    broker = brokers.mosquitto(tmp_path, free_port()).start()
    yield broker
    broker.kill()


@pytest.fixture
def server(broker):
    """A small server that confirms reports and sends commands."""
    server = TinyServer(broker.port).start()
    yield server
    server.stop()


@pytest.fixture
def sensor(tmp_path, broker):
    """A function that starts a virtual sensor on the broker; it is stopped at the end."""
    started = []

    def start(scene=SILENCE, uplink="wifi", environ=None, speed=20, provision=True, **more):
        settings = settings_for(DEVICE, KEY, port=broker.port, uplink=uplink, **more) if provision else None
        sensor = RecordingSensor(settings, Scene(scene), tmp_path / "sensor", speed, "1M", environ=environ)
        sensor.start()
        started.append(sensor)
        return sensor

    yield start
    for sensor in started:
        sensor.stop()
