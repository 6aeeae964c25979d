"""The MQTT client on the real MicroPython: against mosquitto and amqtt, over TLS, and against faulty brokers."""

import json
import random
import signal
import socket
import struct
import subprocess
import threading

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.conftest import ROOT
from tests.support import brokers
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE, wait_for

SCRIPT = str(ROOT / "tests/integration/mqtt_on_micropython.py")
CONNACK = b"\x20\x02\x00\x00"


@pytest.fixture
def client(micropython, tmp_path):
    """client(what, port, **given) -> the last thing the script printed; begin(...) -> its running process."""
    processes = []

    class Client:
        def begin(self, what, port, **given):
            file = tmp_path / f"given-{len(processes)}.json"
            file.write_text(json.dumps({"what": what, "port": port} | given))
            processes.append(
                subprocess.Popen(
                    [micropython, "-X", "heapsize=160k", SCRIPT, str(file)],
                    env={"MICROPYPATH": f"{ROOT}:.frozen"},
                    cwd=ROOT,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
            return processes[-1]

        def end(self, process):
            output = process.communicate(timeout=30 * PATIENCE)[0]
            assert output.strip() and output.strip().splitlines()[-1].startswith("{"), output
            return json.loads(output.strip().splitlines()[-1])

        def __call__(self, what, port, **given):
            return self.end(self.begin(what, port, **given))

    yield Client()
    for process in processes:
        process.kill()


@pytest.fixture
def start():
    """start(broker) -> the broker, running until the test is over."""
    running = []

    def started(broker):
        running.append(broker.start())
        return broker

    yield started
    for broker in running:
        broker.kill()


@pytest.fixture(params=[pytest.param("mosquitto", marks=pytest.mark.mosquitto), "amqtt"])
def port(request, start, tmp_path):
    """The port of a running broker that accepts every client."""
    return start(getattr(brokers, request.param)(tmp_path, free_port())).port


class FakeBroker:
    """Accepts one connection, answers the CONNECT, then sends `script`, reads what comes, answers pings."""

    def __init__(self, *script: bytes, connack: bytes = CONNACK, close: bool = False):
        self._script, self._connack, self._close = script, connack, close
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.came = b""
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        connection = self._listener.accept()[0]
        connection.recv(4096)
        connection.sendall(self._connack)
        try:
            for part in self._script:
                connection.sendall(part)
            while not self._close and (data := connection.recv(4096)):
                self.came += data
                connection.sendall(b"\xd0\x00" * data.count(b"\xc0\x00"))
        except ConnectionError:  # the client has had enough
            pass
        connection.close()


def publish_packet(topic: bytes, payload: bytes, qos=0, packet_id=7) -> bytes:
    rest = struct.pack("!H", len(topic)) + topic + (struct.pack("!H", packet_id) if qos else b"") + payload
    length, head = len(rest), bytearray([0x30 | qos << 1])
    while length > 127:
        head.append(0x80 | length & 127)
        length >>= 7
    return bytes(head) + bytes([length]) + rest


@pytest.mark.parametrize("qos", [0, 1])
def test_messages_of_all_sizes_come_back(client, port, qos):
    sizes = [0, 1, 100, 127, 128, 5000, 12000]

    told = client("echo", port, sizes=sizes, qos=qos)

    assert told["answer"]["came"] == [["t/echo", size] for size in sizes]


def test_a_message_that_is_too_long_is_skipped_and_the_next_one_comes(client, port):
    told = client("echo", port, sizes=[10, 19000, 20])

    assert told["answer"] == {"came": [["t/echo", 10], ["t/echo", 20]]}


def test_a_retained_message_comes_with_the_subscription(client, port):
    assert client("retained", port)["answer"] == "kept"


def test_waiting_messages_are_bounded(client, port):
    told = client("flood", port, messages=40, size=1500)["answer"]

    assert 0 < len(told["waiting"]) <= 8 and told["waiting"] == list(range(40))[-len(told["waiting"]) :]


def test_the_will_is_published_when_the_client_is_killed_and_not_when_it_leaves(client, port):
    came, subscribed = [], threading.Event()
    watcher = paho.Client(CallbackAPIVersion.VERSION2, "watcher")
    watcher.on_subscribe = lambda *_: subscribed.set()
    watcher.on_message = lambda _client, _data, message: came.append((message.topic, message.payload))
    watcher.connect("127.0.0.1", port)
    watcher.subscribe("t/will", 1)
    watcher.loop_start()
    wait_for(subscribed.is_set)

    client("echo", port, sizes=[1], will=True)
    process = client.begin("vanish", port, will=True)
    assert "connected" in process.stdout.readline()
    assert came == []
    process.kill()

    wait_for(lambda: came, 5)
    watcher.loop_stop()
    assert ("t/will", b"gone") in came


@pytest.mark.mosquitto
def test_a_wrong_password_is_refused_in_one_line(client, start, tmp_path):
    broker = start(brokers.mosquitto(tmp_path, free_port(), users={"u": "right"}))

    assert "answer" in client("retained", broker.port, password="right")
    told = client("retained", broker.port, password="wrong")

    assert told["error"].startswith("127.0.0.1:") and "the broker refuses: not authorised" in told["error"]


@pytest.fixture
def tls(tmp_path):
    """Two authorities, a broker's certificate for localhost by the first, a device's by the first."""
    ours = brokers.certificate(tmp_path, "ca")
    brokers.certificate(tmp_path, "other-ca")
    brokers.certificate(tmp_path, "broker", ours, host="localhost")
    brokers.certificate(tmp_path, "elsewhere", ours, host="elsewhere.example")
    brokers.certificate(tmp_path, "device", ours)
    return lambda name: (tmp_path / name).read_text()


@pytest.mark.mosquitto
def test_a_broker_of_the_pinned_authority_is_trusted(client, start, tmp_path, tls):
    broker = start(brokers.mosquitto(tmp_path, free_port(), tls="broker"))

    told = client("echo", broker.port, host="localhost", ca=tls("ca.pem"), sizes=[10, 5000, 19000, 20])
    both = client("retained", broker.port, host="localhost", ca=tls("other-ca.pem") + tls("ca.pem"))

    assert told["answer"]["came"] == [["t/echo", size] for size in (10, 5000, 20)]
    assert both["answer"] == "kept"


@pytest.mark.mosquitto
@pytest.mark.parametrize(
    ("certificate", "ca"), [("broker", "other-ca.pem"), ("elsewhere", "ca.pem")], ids=["authority", "name"]
)
def test_a_broker_that_is_not_ours_is_not_talked_to(client, start, tmp_path, tls, certificate, ca):
    broker = start(brokers.mosquitto(tmp_path, free_port(), tls=certificate))

    told = client("retained", broker.port, host="localhost", ca=tls(ca))

    assert "localhost" in told["error"] and "CERT" in told["error"].upper()
    assert "as c1" not in broker.log(), "it saw our CONNECT"


@pytest.mark.mosquitto
def test_the_device_shows_its_own_certificate_where_the_broker_wants_one(client, start, tmp_path, tls):
    broker = start(brokers.mosquitto(tmp_path, free_port(), tls="broker", client_ca="ca"))
    given = {"host": "localhost", "ca": tls("ca.pem")}

    without = client("retained", broker.port, **given)
    with_it = client("retained", broker.port, client_cert=tls("device.pem"), client_key=tls("device.key"), **given)

    assert "error" in without and with_it["answer"] == "kept"


def test_a_broker_that_does_not_speak_tls_or_does_not_answer_is_given_up(client, tls):
    silent = socket.create_server(("127.0.0.1", 0))

    plain = client("retained", FakeBroker(connack=b"HTTP/1.1 400 Bad Request\r\n\r\n").port, ca=tls("ca.pem"))
    nothing = client("retained", silent.getsockname()[1], connect_s=0.5)
    foreign = client("retained", FakeBroker(connack=b"SSH-2.0-x\r\n").port)
    closed = client("retained", FakeBroker(connack=b"", close=True).port)

    assert "127.0.0.1" in plain["error"]
    assert "no answer" in nothing["error"]
    assert "this is no MQTT broker" in foreign["error"]
    assert "127.0.0.1" in closed["error"]


@pytest.mark.mosquitto
@pytest.mark.parametrize(
    ("given", "problem", "most_ms"),
    [
        ({"publish": True, "answer_s": 0.5}, "the broker does not acknowledge any more", 2500),
        ({"keepalive_s": 1, "answer_s": 0.5}, "the broker does not answer any more", 3000),
        ({"fill": True, "answer_s": 0.5}, "the broker accepts no data any more", 4000),
    ],
    ids=["publish", "ping", "full"],
)
def test_a_broker_that_freezes_is_noticed(client, start, tmp_path, given, problem, most_ms):
    broker = start(brokers.mosquitto(tmp_path, free_port()))
    process = client.begin("wait_for_the_end", broker.port, **given)
    assert "connected" in process.stdout.readline()
    broker._process.send_signal(signal.SIGSTOP)

    told = client.end(process)

    assert told["answer"]["problem"] == problem
    assert told["answer"]["ms"] < most_ms * PATIENCE


def test_a_broker_that_goes_away_is_noticed_at_once(client):
    told = client("wait_for_the_end", FakeBroker(close=True).port)

    assert told["answer"]["problem"] in ("the broker closed the connection", "connection lost: ECONNRESET")
    assert told["answer"]["ms"] < 1000 * PATIENCE


def test_a_ping_keeps_a_silent_connection(client):
    broker = FakeBroker()
    process = client.begin("vanish", broker.port, keepalive_s=1, answer_s=3, seconds=4)

    client.end(process)

    assert broker.came.count(b"\xc0\x00") >= 2 and broker.came.endswith(b"\xe0\x00")


MALFORMED = {
    "length of five bytes": b"\x30\xff\xff\xff\xff\x01",
    "qos 3": b"\x36\x05\x00\x01a\x00\x01",
    "qos 2": b"\x34\x05\x00\x01a\x00\x01",
    "topic longer than the packet": b"\x30\x04\x00\x09ab",
    "no room for the id": b"\x32\x03\x00\x01a",
    "publish without a topic": b"\x30\x01\x00",
    "topic that is no text": b"\x30\x04\x00\x02\xff\xfe",
    "second connack": CONNACK,
    "puback with flags": b"\x41\x02\x00\x01",
    "long puback": b"\x40\x03\x00\x01\x00",
    "giant pingresp": b"\xd0\xff\xff\xff\x7f",
    "kind 0": b"\x00\x00",
    "kind 15": b"\xf0\x00",
    "a client's packet": b"\x82\x03\x00\x01a",
}


@pytest.mark.parametrize("packet", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_packet_ends_the_connection_with_one_line(client, packet):
    told = client("wait_for_the_end", FakeBroker(packet).port, answer_s=0.5)

    assert "malformed" in told["answer"]["problem"]


def test_a_giant_message_is_swallowed_without_being_held(client):
    giant = publish_packet(b"t/x", b"x" * 3_000_000, qos=1, packet_id=513)
    long_topic = publish_packet(b"t" * 60_000, b"", qos=1, packet_id=514)
    broker = FakeBroker(giant, long_topic, b"\x00\x00")

    told = client("wait_for_the_end", broker.port)

    assert "malformed packet of kind 0" in told["answer"]["problem"]
    assert broker.came == b"\x40\x02\x02\x01\x40\x02\x02\x02", "both were acknowledged, or they would come for ever"


def test_rubbish_never_gets_further_than_one_line(client):
    for seed in range(12):
        chance = random.Random(seed)
        rubbish = chance.randbytes(chance.randint(1, 4000))

        told = client("wait_for_the_end", FakeBroker(rubbish, close=True).port, answer_s=0.5)

        assert "problem" in told["answer"] or told["answer"] is None, told
