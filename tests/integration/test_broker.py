"""The embedded broker: authentication and access to topics."""

import asyncio
import contextlib
import socket
import struct
import threading
import time
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode
from structlog.testing import capture_logs

from ansim import envelope, topics
from server.broker import listener
from server.broker import main as broker_main
from server.services.intake import counters
from server.services.people.accounts import SYSTEM
from server.services.sensors import enrolment, fleet
from tests.support.certificates import make
from tests.support.server_kit import Server, is_open
from tests.support.waiting import wait_for


class Client:
    """A plain MQTT client that records what it receives."""

    def __init__(
        self, port, client_id, user=None, password=None, clean=True, keepalive=30, will=None, will_qos=1, ca=None
    ):
        self.reason: ReasonCode | None = None
        self.granted: list[ReasonCode] | None = None
        self.received = []
        self.ended = False
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=clean)
        self._client.username_pw_set(user or client_id, password)
        if will:
            self._client.will_set(*will, qos=will_qos, retain=True)
        if ca:
            self._client.tls_set(str(ca))
        self._client.on_connect = lambda _c, _d, _f, reason, _p: setattr(self, "reason", reason)
        self._client.on_disconnect = lambda *_: setattr(self, "ended", True)
        self._client.on_subscribe = lambda _c, _d, _m, reasons, _p: setattr(self, "granted", reasons)
        self._client.on_message = lambda _c, _d, message: self.received.append((message.topic, message.payload))
        self._client.connect("localhost" if ca else "127.0.0.1", port, keepalive)
        self._running = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while self._running and self._client.loop(0.02) == mqtt.MQTT_ERR_SUCCESS:
            pass

    def connected(self):
        wait_for(lambda: self.reason is not None)
        assert self.reason and not self.reason.is_failure
        return self

    def refused(self):
        wait_for(lambda: self.reason is not None or self.ended)
        return self.reason is None or self.reason.is_failure

    def subscribe(self, *filters):
        self.granted = None
        self._client.subscribe([(one, 1) for one in filters])
        granted = wait_for(lambda: self.granted)
        return [not reason.is_failure for reason in granted or ()]

    def publish(self, topic, payload=b"x", qos=1, retain=False):
        info = self._client.publish(topic, payload, qos, retain)
        with contextlib.suppress(RuntimeError):  # raised by is_published() if the connection ended meanwhile
            wait_for(lambda: self.ended or info.is_published())

    def publish_later(self, topic, payload, qos=1):
        """Publish without waiting for the acknowledgement."""
        self._client.publish(topic, payload, qos)

    def freeze(self):
        """Stop doing anything, as a device that hangs: the connection stays open."""
        self._running = False
        self._thread.join()

    def close(self):
        self.freeze()
        self._client.disconnect()


@pytest.fixture
def broker(server):
    return server.run_broker_inside()


@pytest.fixture
def connect(broker):
    """Connect as an enrolled sensor (enrolled on the way), or as whom one likes."""
    made = []
    keys = {}

    def make(client_id, **how):
        if "password" not in how:
            if client_id not in keys:
                keys[client_id] = broker.enrol(client_id)
            how["password"] = envelope.broker_password(keys[client_id])
        client = Client(broker.port, client_id, **how)
        made.append(client)
        return client

    yield make
    for client in made:
        with contextlib.suppress(OSError):
            client.close()


@pytest.fixture
def ingest(broker, connect):
    """Our own service account, subscribed to everything it may."""
    client = connect("_ingest-9", user="_ingest", password=broker.service_password()).connected()
    assert all(client.subscribe(*[topics.everyone(leaf) for leaf in topics.FROM_SENSOR]))
    return client


def test_a_sensor_gets_in_with_its_own_password(connect):
    connect("hall").connected()


@pytest.mark.parametrize(
    ("client_id", "user", "password"),
    [
        ("hall", "hall", "0" * 64),
        ("hall", "hall", ""),
        ("hall", "hall", None),
        ("hall", "hall", "ü" * 20),
        ("nobody", "nobody", "0" * 64),
        ("nobody", "nobody", None),
        ("_ingest-1", "_ingest", "0" * 64),
    ],
)
def test_nobody_else_gets_in(broker, connect, client_id, user, password):
    broker.enrol("hall")

    with capture_logs() as lines:
        assert connect(client_id, user=user, password=password).refused()
        wait_for(lambda: broker.tally(counters.REFUSED_LOGIN) == 1)

    assert [line["why"] for line in lines if line["event"] == "message dropped"] == [counters.REFUSED_LOGIN]
    assert "0" * 64 not in str(lines)


def test_a_sensor_cannot_come_as_another_client(broker, connect):
    key = broker.enrol("hall")

    assert connect("other", user="hall", password=envelope.broker_password(key)).refused()


def test_a_revoked_sensor_is_cut_off_and_stays_out(broker, connect):
    hall = connect("hall").connected()
    with broker.sessions.begin() as session:
        enrolment.revoke(session, fleet.load(session, SYSTEM, "hall"))

    wait_for(lambda: hall.ended)

    assert connect("hall").refused()


def test_a_sensor_writes_on_its_own_topics_only(broker, connect, ingest):
    hall = connect("hall").connected()

    with capture_logs() as lines:
        for leaf in ("other/report", "hall/cmd", "hall/stored", "hall/else", "hall", "hall/report/x"):
            hall.publish("ansim/1/" + leaf, b"foreign")
        hall.publish("ansim/1/hall/report", b"own")
        wait_for(lambda: ingest.received)

    assert ingest.received == [("ansim/1/hall/report", b"own")]
    wait_for(lambda: broker.tally(counters.REFUSED_TOPIC, "hall") == 6)
    assert [line["why"] for line in lines] == [counters.REFUSED_TOPIC]


def test_a_sensor_reads_its_own_topics_only(broker, connect, ingest):
    hall = connect("hall").connected()
    asked = [
        "ansim/1/hall/cmd",
        "ansim/1/hall/stored",
        "ansim/1/other/cmd",
        "ansim/1/hall/report",
        "ansim/1/+/cmd",
        "#",
    ]

    assert hall.subscribe(*asked) == [True, True, False, False, False, False]

    ingest.publish("ansim/1/other/stored", b"other", retain=True)
    ingest.publish("ansim/1/hall/stored", b"own", retain=True)
    wait_for(lambda: hall.received)
    assert hall.received == [("ansim/1/hall/stored", b"own")]


def test_who_connects_sees_nobody_elses_retained_messages(connect, ingest):
    other = connect("other").connected()
    other.publish("ansim/1/other/state", b"secret", retain=True)
    ingest.publish("ansim/1/hall/stored", b"own", retain=True)
    wait_for(lambda: ingest.received)

    hall = connect("hall").connected()
    hall.subscribe("ansim/1/hall/stored")

    wait_for(lambda: hall.received)
    time.sleep(0.2)
    assert {topic for topic, _ in hall.received} == {"ansim/1/hall/stored"}


def test_a_will_for_somebody_elses_topic_is_refused(connect):
    assert connect("hall", will=("ansim/1/other/state", b"lost")).refused()


def test_the_will_of_a_sensor_that_falls_silent_is_published(connect, ingest):
    hall = connect("hall", keepalive=2, will=("ansim/1/hall/state", b"lost")).connected()

    hall.freeze()

    wait_for(lambda: ("ansim/1/hall/state", b"lost") in ingest.received, 10)


def test_the_will_of_a_lost_connection_is_out_before_the_next_one_speaks(connect, ingest):
    first = connect("hall", will=("ansim/1/hall/state", b"lost")).connected()
    first.freeze()
    second = connect("hall", will=("ansim/1/hall/state", b"lost")).connected()
    second.publish("ansim/1/hall/state", b"init", retain=True)

    wait_for(lambda: len(ingest.received) >= 2)
    time.sleep(0.2)

    assert [payload for _, payload in ingest.received] == [b"lost", b"init"]


@pytest.mark.parametrize("clean", [True, False])
def test_a_stranger_cannot_end_another_ones_connection(broker, connect, ingest, clean):
    hall = connect("hall").connected()

    assert connect("hall", password="wrong", clean=clean).refused()
    assert connect("_ingest-9", user="_ingest", password="wrong", clean=clean).refused()

    hall.publish("ansim/1/hall/report", b"still there")
    wait_for(lambda: ("ansim/1/hall/report", b"still there") in ingest.received)


def test_a_message_that_is_too_large_ends_the_connection_and_is_counted(broker, connect, ingest):
    hall = connect("hall").connected()
    hall.publish("ansim/1/hall/report", b"x" * envelope.MAX_MESSAGE_BYTES)
    wait_for(lambda: ingest.received)

    hall.publish("ansim/1/hall/report", b"x" * 1_000_000)

    wait_for(lambda: hall.ended)
    wait_for(lambda: broker.tally(counters.TOO_LARGE, "hall") == 1)
    assert len(ingest.received) == 1


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x10\xff\xff\xff\xff\x7f",
        b"\x10\xff\xff\x03" + b"x" * 5000,
        b"\x10\x0a\x00\x04MQTT\x04\x02\x00\x0a",
        b"\x10\x05\x00\x04MQTT",
        b"\x30\x05\x00\x01xab",
        b"\x10\x10\x00\x04MQTT\x04\xc2\x00\x0a\x00\x01h\xff\xff\xff",
        b"\x10\x17\x00\x04MQTT\x04\xc2\x00\x0a\x00\x03a\0b\x00\x03a\0b\x00\x01p",
        b"\x10\x15\x00\x04MQTT\x04\xc2\x00\x0a\x00\x02\xed\xa0\x00\x02\xed\xa0\x00\x01p",
        bytes(300),
    ],
    ids=range(10),
)
def test_whoever_speaks_no_mqtt_is_sent_away_and_the_broker_goes_on(broker, connect, said):
    with socket.create_connection(("127.0.0.1", broker.port), 5) as stranger:
        stranger.sendall(said)
        with contextlib.suppress(ConnectionError):
            assert stranger.recv(100) in (b"", b"\x20\x02\x00\x05")

    connect("hall").connected()
    wait_for(lambda: broker.tally(counters.REFUSED_LOGIN) == 1)


def test_a_packet_that_lies_about_its_inside_harms_only_its_own_connection(broker, connect, ingest):
    key = broker.enrol("liar")
    password = envelope.broker_password(key).encode()
    body = b"\x00\x04MQTT\x04\xc2\x00\x1e" + b"".join(
        struct.pack(">H", len(part)) + part for part in (b"liar", b"liar", password)
    )
    hall = connect("hall").connected()
    with socket.create_connection(("127.0.0.1", broker.port), 5) as liar:
        liar.sendall(b"\x10" + bytes([len(body)]) + body)
        assert liar.recv(4) == b"\x20\x02\x00\x00"
        liar.sendall(b"\x32\x06\xff\xffabcd" * 50)
        time.sleep(0.2)

        hall.publish("ansim/1/hall/report", b"fine")
        wait_for(lambda: ("ansim/1/hall/report", b"fine") in ingest.received)


def test_what_came_while_ingest_was_away_is_handed_over(broker, connect):
    def come():
        client = connect("_ingest-9", user="_ingest", password=broker.service_password(), clean=False).connected()
        client.subscribe(topics.everyone(topics.REPORT))
        return client

    come().close()
    hall = connect("hall").connected()
    for number in range(20):
        hall.publish("ansim/1/hall/report", b"%d" % number)

    back = come()

    wait_for(lambda: len(back.received) == 20)


def test_it_stops_at_once_when_asked(server):
    server.broker.start()
    wait_for(lambda: is_open(server.port))

    assert server.broker.stop() == 0


def test_when_it_stops_no_connection_is_left_over(server):
    loop, stop, started = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    run = threading.Thread(
        target=lambda: loop.run_until_complete(broker_main.serve(server.settings, started.set, stop))
    )
    run.start()
    assert started.wait(15)
    key = server.enrol("hall")
    sensor = Client(server.port, "hall", password=envelope.broker_password(key)).connected()
    stranger = socket.create_connection(("127.0.0.1", server.port), 5)
    wait_for(lambda: sum("Listener._handle_connection" in repr(task) for task in asyncio.all_tasks(loop)) == 2)

    loop.call_soon_threadsafe(stop.set)
    run.join(15)

    assert not run.is_alive()
    assert not [task for task in asyncio.all_tasks(loop) if not task.done()]
    assert stranger.recv(1) == b""
    wait_for(lambda: sensor.ended)
    stranger.close()
    loop.close()


def test_a_taken_port_is_told_in_one_line(server):
    with socket.socket() as other:
        other.bind(("127.0.0.1", server.port))
        other.listen()
        server.broker.start()
        wait_for(lambda: server.broker.status is not None)

    assert server.broker.status == 1
    assert [line for line in server.broker.output.splitlines() if line.startswith("error: cannot listen on")]
    assert "Traceback" not in server.broker.output


def test_with_a_certificate_it_speaks_tls_only(tmp_path, empty_database):
    authority, certificate, key = make(tmp_path)
    server = Server(
        tmp_path / "tls", empty_database, mqtt_cert=certificate, mqtt_key=key, mqtt_ca=authority, mqtt_host="localhost"
    )
    try:
        server.start_inside()
        with socket.create_connection(("127.0.0.1", server.port), 5) as plain:
            plain.sendall(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x0a\x00\x00")
            with contextlib.suppress(ConnectionError):
                assert plain.recv(100)[:1] != b"\x20"
    finally:
        server.end()


def resident_kb(process_id):
    """Return the resident memory of a process."""
    status = Path(f"/proc/{process_id}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def idle_sockets(port, count):
    """Return connections that say nothing."""
    return [socket.create_connection(("127.0.0.1", port), 10) for _ in range(count)]


@pytest.mark.parametrize("with_tls", [False, True])
def test_idle_strangers_keep_no_sensor_out_and_cost_little(tmp_path, empty_database, with_tls):
    authority, certificate, key = make(tmp_path)
    tls = {"mqtt_cert": certificate, "mqtt_key": key, "mqtt_ca": authority, "mqtt_host": "localhost"}
    server = Server(tmp_path / "data", empty_database, **(tls if with_tls else {}))
    passwords = {f"hall-{number}": envelope.broker_password(server.enrol(f"hall-{number}")) for number in range(40)}
    ca, clients = authority if with_tls else None, []
    try:
        server.broker.start()
        wait_for(lambda: is_open(server.port))
        before_kb = resident_kb(server.broker.process_id)
        strangers = idle_sockets(server.port, 220)
        for name, password in passwords.items():
            clients.append(Client(server.port, name, password=password, ca=ca))
        for client in clients:
            client.connected()

        strangers += idle_sockets(server.port, 980)

        assert resident_kb(server.broker.process_id) - before_kb < 60_000
        for stranger in strangers[:220]:
            stranger.close()  # paho cannot use file numbers above 1,023
        late = Client(server.port, "hall-0", password=passwords["hall-0"], ca=ca)
        clients.append(late.connected())
        assert not any(client.ended for client in clients[1:])
        assert server.broker.status is None and "Traceback" not in server.broker.output, server.broker.output[-3000:]
        for stranger in strangers:
            stranger.close()
    finally:
        for client in clients:
            with contextlib.suppress(OSError):
                client.close()
        server.end()


def test_a_stranger_that_does_not_finish_its_handshake_is_sent_away(tmp_path, empty_database, monkeypatch):
    monkeypatch.setattr(listener, "HANDSHAKE_WITHIN_S", 0.3)
    authority, certificate, key = make(tmp_path)
    server = Server(
        tmp_path / "tls", empty_database, mqtt_cert=certificate, mqtt_key=key, mqtt_ca=authority, mqtt_host="localhost"
    )
    try:
        server.run_broker_inside()
        with socket.create_connection(("127.0.0.1", server.port), 5) as silent:
            assert silent.recv(100) == b""
        with socket.create_connection(("127.0.0.1", server.port), 5) as cut_off:
            cut_off.sendall(b"\x16\x03\x01\x02\x00\x01")
            with contextlib.suppress(ConnectionError):
                assert cut_off.recv(100) == b""
    finally:
        server.end()


def test_a_stranger_that_sends_half_a_connect_is_sent_away(broker, monkeypatch):
    monkeypatch.setattr(listener, "CONNECT_WITHIN_S", 0.3)
    with socket.create_connection(("127.0.0.1", broker.port), 5) as stranger:
        stranger.sendall(b"\x10\x20\x00\x04MQTT")

        assert stranger.recv(100) == b""


def test_qos_2_is_not_offered(broker, connect, ingest):
    hall = connect("hall").connected()
    hall.publish_later("ansim/1/hall/report", b"twice", qos=2)

    wait_for(lambda: hall.ended)
    wait_for(lambda: broker.tally(counters.BAD_PACKET, "hall") == 1)
    assert not ingest.received
    assert connect("yard", will=("ansim/1/yard/state", b"lost"), will_qos=2).refused()


def test_names_that_nobody_enrolled_are_one_counter_and_one_line(broker, connect):
    with capture_logs() as lines:
        for number in range(30):
            assert connect(f"nobody-{number}", password="x").refused()
        wait_for(lambda: broker.tally(counters.REFUSED_LOGIN, "") == 30)

    assert len([line for line in lines if line["event"] == "message dropped"]) == 1


def test_a_sensor_over_its_quota_is_slowed_down_and_counted(tmp_path, empty_database):
    server = Server(tmp_path / "data", empty_database, quota_messages_minute=60)
    received = []
    try:
        server.run_broker_inside()
        password = server.service_password()
        reader = Client(server.port, "_ingest-9", user="_ingest", password=password).connected()
        assert all(reader.subscribe(topics.everyone(topics.REPORT)))
        received = reader.received
        hall = Client(server.port, "hall", password=envelope.broker_password(server.enrol("hall"))).connected()
        yard = Client(server.port, "yard", password=envelope.broker_password(server.enrol("yard"))).connected()
        began = time.monotonic()
        for number in range(62):
            hall.publish_later("ansim/1/hall/report", b"%d" % number)
        yard.publish("ansim/1/yard/report", b"not slowed down")

        wait_for(lambda: ("ansim/1/yard/report", b"not slowed down") in received)
        wait_for(lambda: len(received) == 63, 20)

        assert time.monotonic() - began > 1
        assert not hall.ended
        wait_for(lambda: 2 <= server.tally(counters.THROTTLED, "hall") <= 4)
        assert server.tally(counters.THROTTLED, "yard") == 0
        for client in (hall, yard, reader):
            client.close()
    finally:
        server.end()


def test_it_listens_on_ipv6(tmp_path, empty_database):
    server = Server(tmp_path / "data", empty_database, mqtt_bind="[::]")
    try:
        server.run_broker_inside()
        for host in ("::1", "127.0.0.1"):
            socket.create_connection((host, server.port), 5).close()
    finally:
        server.end()
