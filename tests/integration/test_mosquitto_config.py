"""The files of `flask broker-config mosquitto`, tried with the real mosquitto."""

import contextlib
import os
import shutil
import signal
import ssl
import stat

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from ansim import envelope, topics
from server import create_app
from server.broker import topic_rules
from server.services.people.accounts import SYSTEM
from server.services.sensors import enrolment, fleet
from tests.support import certificates
from tests.support.ports import free_port
from tests.support.server_kit import Process, is_open
from tests.support.waiting import wait_for

pytestmark = pytest.mark.mosquitto
NAMES = ("hall", "attic", "cellar", "thief")
TLS = {"ca": "authority.pem", "cert": "broker.pem", "key": "broker.key"}


class Client:
    """A client that notes what became of its connection, subscriptions and messages."""

    def __init__(self, port, user, password, client_id="", ca=None):
        self.connected = None
        self.received = []
        self.granted = {}
        self.ended = False
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id or user)
        self._client.username_pw_set(user, password)
        if ca:
            self._client.tls_set_context(ssl.create_default_context(cafile=str(ca)))
        self._client.on_connect = lambda _c, _d, _f, reason, _p: setattr(self, "connected", not reason.is_failure)
        self._client.on_disconnect = lambda *_: setattr(self, "ended", True)
        self._client.on_message = lambda _c, _d, message: self.received.append(message.topic)
        self._client.on_subscribe = self._subscribed
        self._client.connect("localhost", port, 30)
        self._client.loop_start()
        wait_for(lambda: self.connected is not None)

    def _subscribed(self, _client, _data, mid, reasons, _properties):
        self.granted[mid] = not reasons[0].is_failure

    def subscribe(self, topic):
        mid = self._client.subscribe(topic, 1)[1]
        wait_for(lambda: mid in self.granted)

    def publish(self, topic):
        self._client.publish(topic, b"x", 1).wait_for_publish(20)

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def place(tmp_path, server):
    """An installation with four sensors, and a function that runs broker-config for it."""
    with server.sessions.begin() as session:
        keys = {
            name: enrolment.enrol(session, server.vault, name, name)[1] for name in ("hall", "attic", "cellar", "thief")
        }
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    ports = free_port(), free_port()
    certificates.make(tmp_path)

    def write(*more):
        runner = create_app(server.settings).test_cli_runner()
        arguments = [str(folder), "--listen", f"127.0.0.1:{ports[0]}", "--ingest", f"127.0.0.1:{ports[1]}"]
        tls = [f"--{option}={tmp_path}/{name}" for option, name in TLS.items()]
        return runner.invoke(args=["broker-config", "mosquitto", *arguments, *tls, *more])

    return folder, ports, keys, write


@pytest.fixture
def mosquitto(place, tmp_path):
    """mosquitto with the written files."""
    folder, ports, _, write = place
    assert write().exit_code == 0
    if os.geteuid() == 0:  # else it gives up the rights to read the test's folder
        with (folder / "mosquitto.conf").open("a") as file:
            file.write("\nuser root\n")
    program = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")
    process = Process([program, "-c", folder / "mosquitto.conf"], tmp_path / "mosquitto.log").start()
    try:
        wait_for(lambda: is_open(ports[0]) and is_open(ports[1]))
        yield process
    finally:
        process.end()


def test_a_sensor_writes_and_reads_its_own_topics_only_and_by_tls(mosquitto, place, tmp_path, server):
    _, (sensors, inside), keys, _ = place
    ca = tmp_path / "authority.pem"
    ingest = Client(inside, topic_rules.SERVICE, server.vault.service_password(topic_rules.SERVICE), "_ingest-1")
    for leaf in topics.FROM_SENSOR:
        ingest.subscribe(topics.everyone(leaf))
    hall = Client(sensors, "hall", envelope.broker_password(keys["hall"]), ca=ca)
    attic = Client(sensors, "attic", envelope.broker_password(keys["attic"]), ca=ca)
    hall.subscribe(topics.topic("hall", topics.CMD))
    # A sensor that subscribes to everything is granted it, and receives nothing of others.
    greedy = Client(sensors, "cellar", envelope.broker_password(keys["cellar"]), ca=ca)
    for topic in ("#", topics.everyone(topics.CMD), topics.topic("attic", topics.CMD)):
        greedy.subscribe(topic)
    attic.subscribe(topics.topic("attic", topics.CMD))

    for topic in (topics.topic("attic", topics.REPORT), topics.topic("attic", topics.CMD)):
        thief = Client(sensors, "thief", envelope.broker_password(keys["thief"]), ca=ca)
        with contextlib.suppress(RuntimeError):  # mosquitto ends the connection
            thief.publish(topic)
        thief.close()
    hall.publish(topics.topic("hall", topics.REPORT))
    for name in ("hall", "attic"):
        ingest.publish(topics.topic(name, topics.CMD))
    hall.publish(topics.topic("hall", topics.INFO))

    wait_for(lambda: hall.received and attic.received and len(ingest.received) >= 2)
    assert ingest.received == [topics.topic("hall", topics.REPORT), topics.topic("hall", topics.INFO)]
    assert (set(hall.received), attic.received) == (
        {topics.topic("hall", topics.CMD)},
        [topics.topic("attic", topics.CMD)],
    )
    assert greedy.received == []
    for client in (ingest, hall, attic, greedy):
        client.close()


def test_wrong_passwords_strangers_and_foreign_client_ids_get_nowhere(mosquitto, place, tmp_path):
    _, (sensors, _), keys, _ = place
    ca = tmp_path / "authority.pem"
    password = envelope.broker_password(keys["hall"])
    assert not Client(sensors, "hall", "0" * 64, ca=ca).connected
    assert not Client(sensors, "nobody", password, ca=ca).connected

    attic = Client(sensors, "attic", envelope.broker_password(keys["attic"]), ca=ca)
    hall = Client(sensors, "hall", password, client_id="attic", ca=ca)
    attic.subscribe(topics.topic("attic", topics.CMD))

    assert hall.connected and not attic.ended
    hall.close()
    attic.close()


def test_sensors_come_and_go_without_a_restart(mosquitto, place, tmp_path, server):
    folder, (sensors, _), keys, write = place
    ca = tmp_path / "authority.pem"
    hall = Client(sensors, "hall", envelope.broker_password(keys["hall"]), ca=ca)
    with server.sessions.begin() as session:
        enrolment.revoke(session, fleet.load(session, SYSTEM, "hall"))
        new_key = enrolment.enrol(session, server.vault, "roof", "new")[1]

    mark = tmp_path / "reloaded"
    result = write("--reload", f"touch {mark}; kill -{int(signal.SIGHUP)} {mosquitto.process_id}")

    assert result.exit_code == 0 and mark.exists() and "4 sensors" in result.output
    wait_for(lambda: hall.ended)
    roof = Client(sensors, "roof", envelope.broker_password(new_key), ca=ca)
    assert roof.connected
    assert not Client(sensors, "hall", envelope.broker_password(keys["hall"]), ca=ca).connected
    roof.close()
    assert stat.S_IMODE((folder / "passwords").stat().st_mode) == 0o640


def test_nothing_is_written_again_when_nothing_has_changed(place, tmp_path):
    folder, _, keys, write = place
    write()
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    mark = tmp_path / "reloaded"

    write("--reload", f"touch {mark}")

    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before and not mark.exists()
    assert envelope.broker_password(keys["hall"]) not in (folder / "passwords").read_text()


def test_a_half_certificate_is_refused(place):
    _, _, _, write = place

    result = write("--key=")

    assert result.exit_code and "go together" in str(result.exception)
