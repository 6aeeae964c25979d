"""Other programs on the embedded broker: the read-only account, Home Assistant's discovery, and MQTT 5 clients."""

import json
import re
import socket

import paho.mqtt.client as mqtt
import pytest
from jinja2 import Environment
from paho.mqtt.enums import CallbackAPIVersion

from ansim import messages, topics
from server.broker import topic_rules
from server.services.people.accounts import SYSTEM
from server.services.sensors import enrolment, fleet
from tests.support.message_examples import EXAMPLES
from tests.support.server_kit import Server
from tests.support.waiting import wait_for

INFO = next(message for leaf, message in EXAMPLES if leaf == topics.INFO)


class Reader:
    """A program that subscribes with the reader's account."""

    def __init__(self, server, *filters, client_id="_reader-1", password=None, protocol=mqtt.MQTTv311):
        self.received: dict[str, bytes] = {}
        self.granted: list = []
        self.refused = None
        self.ended = False
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=protocol)
        self.client.username_pw_set("_reader", password or server.vault.service_password("_reader"))
        self.client.on_connect = lambda _c, _d, _f, reason, properties: self._connected(reason, properties, filters)
        self.client.on_subscribe = lambda _c, _d, _m, reasons, _p: self.granted.extend(reasons)
        self.client.on_disconnect = lambda *_: setattr(self, "ended", True)
        self.client.on_message = lambda _c, _d, message: self.received.update({message.topic: bytes(message.payload)})
        self.client.connect("127.0.0.1", server.port)
        self.client.loop_start()

    def _connected(self, reason, properties, filters):
        if reason.is_failure:
            self.refused = (reason, properties)
        elif filters:
            self.client.subscribe([(text, 1) for text in filters])

    def close(self):
        self.client.loop_stop()
        self.client.disconnect()


@pytest.fixture
def server(tmp_path, empty_database):
    made = Server(tmp_path / "data", empty_database, mqtt_reader=True, home_assistant=True)
    yield made
    made.end()


@pytest.fixture
def read(server):
    """A function that returns a Reader; all are closed at the end."""
    made = []

    def connect(*filters, **options):
        made.append(Reader(server, *filters, **options))
        return made[-1]

    yield connect
    for reader in made:
        reader.close()


def test_the_reader_gets_state_and_info_and_nothing_else(server, sensors, read):
    server.start_inside()
    hall = sensors("hall").connect().wait_ready()
    reader = read("ansim/1/+/state", "ansim/1/+/info", "ansim/1/hall/report", "ansim/1/+/live", "ansim/1/+/cmd", "#")
    wait_for(lambda: reader.granted)

    hall.publish(topics.INFO, INFO, retain=True)
    hall.append()

    wait_for(lambda: "ansim/1/hall/info" in reader.received and not hall.journal)
    assert [reason.is_failure for reason in reader.granted] == [False, False, True, True, True, True]
    assert {topic for topic in reader.received if topic.startswith("ansim/")} == {
        "ansim/1/hall/state",
        "ansim/1/hall/info",
    }


def test_the_reader_writes_nothing(server, sensors, read):
    server.start_inside()
    hall = sensors("hall").connect().wait_ready()
    reader = read("ansim/1/+/state")
    wait_for(lambda: reader.granted)

    for topic in (
        "ansim/1/hall/state",
        "ansim/1/hall/cmd",
        "homeassistant/device/ansim_hall/config",
        "homeassistant/status",
    ):
        reader.client.publish(topic, b"{}", qos=0, retain=True)
    hall.append()
    wait_for(lambda: not hall.journal)

    other = read("ansim/1/+/state", "homeassistant/#", client_id="_reader-2")
    wait_for(lambda: len(other.received) >= 2)
    assert b"{}" not in other.received.values() and "homeassistant/status" not in other.received
    assert not reader.ended and set(reader.received) <= {"ansim/1/hall/state"}


@pytest.mark.parametrize(
    "options", [{"password": "0" * 64}, {"client_id": "hall"}, {"client_id": "_ingest-1"}, {"client_id": "_reader"}]
)
def test_another_password_or_client_id_is_refused(server, read, options):
    server.run_broker_inside()

    reader = read("ansim/1/+/state", **options)

    wait_for(lambda: reader.refused)


def test_without_the_setting_there_is_no_reader(tmp_path, empty_database):
    made = Server(tmp_path / "other", empty_database)
    made.run_broker_inside()
    reader = Reader(made, "ansim/1/+/state")
    try:
        wait_for(lambda: reader.refused)
    finally:
        reader.close()
        made.end()


def render(template, payload):
    """Render a template as Home Assistant does, with its filter from_json."""
    environment = Environment()
    environment.filters["from_json"] = json.loads
    return environment.from_string(template).render(value=payload.decode())


def test_home_assistant_is_told_each_sensor_and_can_read_its_values(server, sensors, read):
    server.start_inside()
    hall = sensors("hall").connect().wait_ready()
    hall.publish(topics.INFO, {**INFO, "battery_percent": 71, "rssi_dbm": -58}, retain=True)
    reader = read("homeassistant/#", "ansim/1/+/state", "ansim/1/+/info")
    topic = topic_rules.discovery_topic("hall")
    wait_for(lambda: b"battery" in reader.received.get(topic, b"") and "ansim/1/hall/info" in reader.received)

    announced = json.loads(reader.received[topic])

    parts = announced["components"]
    values = {key: render(part["value_template"], reader.received[part["state_topic"]]) for key, part in parts.items()}
    assert values == {
        "state": "ready",
        "rssi": "-58",
        "started": str(INFO["up_s"]),
        "waiting": str(INFO["journal_reports"]),
        "dropped": str(INFO["journal_dropped"]),
        "memory": str(INFO["free_heap_bytes"]),
        "crashes": str(INFO["crashes"]),
        "safe": "OFF",
        "battery": "71",
    }
    (availability,) = parts["rssi"]["availability"]
    state = reader.received["ansim/1/hall/state"]
    lost = re.sub(rb'"state":"ready"', b'"state":"lost"', state)
    assert [render(availability["value_template"], payload) for payload in (state, lost)] == ["online", "offline"]
    assert parts["state"]["options"] == list(messages.STATES)
    assert len({part["unique_id"] for part in parts.values()}) == len(parts)
    assert b"c0:ff:ee" not in reader.received[topic]


def test_a_revoked_sensor_disappears_from_home_assistant(server, sensors, read, monkeypatch):
    monkeypatch.setattr("server.ingest.main.DISCOVERY_EVERY_S", 0.2)
    server.start_inside()
    sensors("hall")
    topic = topic_rules.discovery_topic("hall")
    reader = read("homeassistant/#")
    wait_for(lambda: reader.received.get(topic))

    with server.sessions.begin() as session:
        enrolment.revoke(session, fleet.load(session, SYSTEM, "hall"))

    wait_for(lambda: reader.received[topic] == b"")


def test_a_client_of_mqtt_5_reads_why_it_is_refused(server, read):
    server.run_broker_inside()

    reader = read(protocol=mqtt.MQTTv5)

    wait_for(lambda: reader.refused)
    reason, properties = reader.refused
    assert (reason.value, reason.getName()) == (0x84, "Unsupported protocol version")
    assert "3.1.1" in properties.ReasonString


@pytest.mark.parametrize(
    "connect", [b"\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x01x", b"\x00\x04MQTT\x03\x02\x00\x3c\x00\x01x"]
)
def test_a_client_of_another_version_is_answered_with_return_code_1(server, connect):
    server.run_broker_inside()

    with socket.create_connection(("127.0.0.1", server.port), 10) as client:
        client.sendall(bytes((0x10, len(connect))) + connect)
        assert client.recv(10) == b"\x20\x02\x00\x01" and client.recv(10) == b""
