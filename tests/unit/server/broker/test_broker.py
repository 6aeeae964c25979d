import asyncio
import subprocess
import sys
import threading
import time
from typing import cast

import pytest
from amqtt.adapters import BufferReader
from amqtt.mqtt.connect import ConnectPacket
from amqtt.session import Session
from sqlalchemy import event

from server.broker import amqtt_plugin, authentication, login_queue, topic_rules, unauthenticated_limits
from server.broker.connection import Connection, Control
from server.services.intake import counters
from server.services.intake.quotas import BYTES, MESSAGES, Limits, Quotas
from tests.conftest import ROOT
from tests.support.waiting import PATIENCE

CONNECT = b"\x10\x16\0\4MQTT\4\x82\0\x1e\0\4hall\0\4hall"
NO_QUOTAS = Quotas(Limits({MESSAGES: (10**9, 10**9), BYTES: (10**9, 10**9)}, 1))


@pytest.mark.parametrize(
    ("user", "client_id", "fits"),
    [
        ("hall", "hall", True),
        ("hall", "other", False),
        ("_ingest", "_ingest-1", True),
        ("_ingest", "hall", False),
        ("hall", "_ingest-1", False),
    ],
)
def test_a_client_id_belongs_to_its_user(user, client_id, fits):
    assert topic_rules.client_id_fits(user, client_id) is fits


@pytest.mark.parametrize(
    ("user", "topic", "writes", "reads"),
    [
        ("hall", "ansim/1/hall/report", True, False),
        ("hall", "ansim/1/hall/cmd", False, True),
        ("hall", "ansim/1/hall/stored", False, True),
        ("hall", "ansim/1/other/report", False, False),
        ("hall", "ansim/1/other/cmd", False, False),
        ("hall", "ansim/1/+/cmd", False, False),
        ("hall", "ansim/1/hall/#", False, False),
        ("hall", "#", False, False),
        ("hall", "$SYS/broker", False, False),
        ("_ingest", "ansim/1/hall/stored", True, False),
        ("_ingest", "ansim/1/hall/report", False, True),
        ("_ingest", "ansim/1/+/report", False, True),
        ("_ingest", "ansim/1/+/cmd", False, False),
        ("_ingest", "#", False, False),
    ],
)
def test_users_write_and_read_only_their_topics(user, topic, writes, reads):
    assert (topic_rules.may_write(user, topic), topic_rules.may_read(user, topic)) == (writes, reads)


@pytest.mark.parametrize("name", ["a\0b", "hall\0", "Hall", "b'\\xff'", "x" * 4000, "\ud800", ""])
def test_the_database_is_not_asked_for_what_is_no_sensors_name(vault, sessions, name):
    asked = []
    event.listen(sessions.engine, "before_cursor_execute", lambda *args: asked.append(args[3]))
    authenticator = authentication.Authenticator(sessions, vault)

    assert authenticator.check_all([(name, "p")]) == [authentication.UNKNOWN] and not asked

    authenticator.add_counts({(name, counters.REFUSED_LOGIN): 2, ("hall", counters.REFUSED_LOGIN): 1})
    assert not [values for values in asked if name and name in str(values)]
    with sessions() as session:
        assert counters.list_today(session) == [("", counters.REFUSED_LOGIN, 3)]


def session(name, clean=True):
    made = Session()
    made.client_id, made.clean_session = name, clean
    return made


def test_subscriptions_may_change_while_they_are_iterated_over():
    table = amqtt_plugin._Subscriptions()
    for name in ("a/b", "a/+"):
        table[name] = []
        table.note(name, session("ingest", clean=False))

    for name in table:
        table[name + "x"] = []
    for name, _ in table.items():
        del table[name]

    assert len(table) == 0 and table.candidates("a/b") == []


def test_a_message_finds_its_subscriptions_without_looking_at_the_others():
    table = amqtt_plugin._Subscriptions()
    ingest, hall = session("ingest", clean=False), session("hall")
    for name, subscriber in [("ansim/1/+/report", ingest), ("ansim/1/hall/cmd", hall), ("ansim/1/hall/stored", hall)]:
        table[name] = [(subscriber, 1)]
        table.note(name, subscriber)

    assert table.candidates("ansim/1/hall/cmd") == ["ansim/1/hall/cmd", "ansim/1/+/report"]
    assert table.candidates("ansim/1/other/cmd") == ["ansim/1/+/report"]
    assert list(table) == ["ansim/1/+/report"]  # hall's session is clean: nothing is retained for it
    assert table.take_filters(hall) == {"ansim/1/hall/cmd", "ansim/1/hall/stored"} and not table.take_filters(hall)


class Slow(authentication.Authenticator):
    """An authenticator that answers when it is told to."""

    def __init__(self):
        self.go_on = threading.Event()
        self.together = []

    def check_all(self, logins):
        self.go_on.wait(20)
        self.together.append(len(logins))
        if any(user == "broken" for user, _ in logins):
            raise OSError("disk")
        return [authentication.RIGHT if user == password else authentication.WRONG for user, password in logins]


def test_logins_that_wait_are_checked_together_each_with_its_own_outcome():
    slow = Slow()

    async def run():
        queue = login_queue.LoginQueue(slow)
        waiting = [asyncio.create_task(queue.check("here", f"s{n}", f"s{n % 2}")) for n in range(10)]
        await asyncio.sleep(0.05)
        slow.go_on.set()
        return await asyncio.gather(*waiting)

    assert asyncio.run(run()) == [authentication.RIGHT] * 2 + [authentication.WRONG] * 8
    assert sum(slow.together) == 10 and len(slow.together) <= 2


def test_only_so_many_logins_wait_of_one_network(monkeypatch):
    monkeypatch.setattr(login_queue, "MAX_PER_NETWORK", 3)
    slow = Slow()

    async def run():
        queue = login_queue.LoginQueue(slow)
        waiting = [asyncio.create_task(queue.check("there", "a", "a")) for _ in range(5)]
        other = asyncio.create_task(queue.check("here", "b", "b"))
        await asyncio.sleep(0.05)
        slow.go_on.set()
        first = await asyncio.gather(*waiting, return_exceptions=True), await other
        return *first, await queue.check("there", "a", "a")

    outcomes, other, later = asyncio.run(run())
    assert [type(outcome) is login_queue.Busy for outcome in outcomes] == [False] * 3 + [True] * 2
    assert other == later == authentication.RIGHT


def test_a_failure_reaches_each_login_that_waited_and_no_later_one():
    slow = Slow()
    slow.go_on.set()

    async def run():
        queue = login_queue.LoginQueue(slow)
        first = await asyncio.gather(queue.check("here", "broken", ""), return_exceptions=True)
        return first[0], await queue.check("here", "a", "a")

    error, later = asyncio.run(run())
    assert isinstance(error, OSError) and later == authentication.RIGHT


class Transport:
    """The part of a transport that a Connection uses."""

    def __init__(self):
        self.aborted = False

    @property
    def transport(self):
        return self

    def abort(self):
        self.aborted = True

    def is_closing(self):
        return self.aborted


async def read_all(stream, step, quotas=NO_QUOTAS, has_room=lambda _client: True):
    """Return (bytes that amqtt would read after CONNECT, rejections, packets that waited)."""
    reader, writer, rejected, throttled = asyncio.StreamReader(), Transport(), [], []
    control = Control(quotas, has_room, lambda user, reason, detail: rejected.append(reason), throttled.append)
    connection = Connection(
        control, reader, cast(asyncio.StreamWriter, writer), b"", await ConnectPacket.from_stream(BufferReader(CONNECT))
    )

    async def send():
        for at in range(0, len(stream), step):
            reader.feed_data(stream[at : at + step])
            await asyncio.sleep(0)
        reader.feed_eof()

    sending, data = asyncio.create_task(send()), b""
    while part := await connection.read(1):
        data += part
    await sending
    return data, rejected, throttled


def publish(topic=b"ansim/1/hall/report", payload=b"x", qos=1, packet_id=b"\0\1"):
    body = len(topic).to_bytes(2, "big") + topic + (packet_id if qos else b"") + payload
    length = bytes([len(body) & 0x7F | 0x80, len(body) >> 7]) if len(body) > 127 else bytes([len(body)])
    return bytes([0x30 | qos << 1]) + length + body


SUBSCRIBE = b"\x82\x08\0\1\0\3a/b\1"
PING, BYE = b"\xc0\0", b"\xe0\0"


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_allowed_packets_are_passed_on_wherever_they_are_cut(step):
    stream = publish(qos=0) + PING + publish(payload=bytes(200)) + SUBSCRIBE + b"\x40\2\0\1" + BYE

    assert asyncio.run(read_all(stream, step)) == (stream, [], [])


@pytest.mark.parametrize("head", [b"\x30\xff\xff\x7f", PING + b"\x30\xc0\xa2\x01"])
def test_a_packet_that_is_too_large_is_noticed_by_its_header(head):
    _, rejected, _ = asyncio.run(read_all(head + bytes(100), 1000))

    assert rejected == [counters.TOO_LARGE]


@pytest.mark.parametrize(
    "packet",
    [
        publish(qos=2),
        publish(qos=3),
        publish(packet_id=b"\0\0"),
        publish(topic=b""),
        publish(topic=b"ansim/1/+/report"),
        publish(topic=b"a\0b"),
        publish(topic=b"\xff\xfe"),
        b"\x32\x06\xff\xffabcd",
        b"\x32\x00",
        b"\x30\xff\xff\xff\xff\x01",
        b"\x10\x0c\0\4MQTT\4\2\0\x0a\0\0",
        b"\x00\0",
        b"\xf0\0",
        b"\x50\2\0\1",
        b"\x62\2\0\1",
        b"\x70\2\0\1",
        b"\xc1\0",
        b"\xc0\1x",
        b"\x40\3\0\1x",
        b"\x80\x08\0\1\0\3a/b\1",
        b"\x82\2\0\1",
        b"\x82\x08\0\0\0\3a/b\1",
        b"\x82\x08\0\1\0\3a/b\3",
        b"\x82\x07\0\1\0\3a/b",
        b"\x82\x05\0\1\0\0\1",
    ],
    ids=range(25),
)
def test_other_packets_end_the_connection_and_are_counted(packet):
    data, rejected, _ = asyncio.run(read_all(PING + packet + PING, 1000))

    assert (data, rejected) == (PING, [counters.BAD_PACKET])


def test_a_client_over_its_quota_is_read_more_slowly_and_loses_nothing():
    quotas = Quotas(Limits({MESSAGES: (600, 1000), BYTES: (10_000, 10_000)}, 1))
    quotas.wait_s("hall", MESSAGES, 598, time.monotonic())
    began = time.monotonic()

    data, rejected, throttled = asyncio.run(read_all(PING * 6, 1000, quotas))

    assert (data, rejected) == (PING * 6, [])
    assert throttled == ["hall"] * 4 and 0.3 < time.monotonic() - began < 5


def test_a_client_is_not_read_while_the_broker_has_no_room():
    looks = []

    def has_room(_client):
        looks.append(1)
        return len(looks) > 3

    assert asyncio.run(read_all(PING, 1000, has_room=has_room)) == (PING, [], [])
    assert len(looks) == 4


class TestStrangers:
    def made(self, *networks, most=4, most_per_network=3):
        dropped = []
        made = unauthenticated_limits.Strangers(most, most_per_network)
        for key, network in enumerate(networks):
            made.add(network, key, lambda key=key: dropped.append(key))
        return made, dropped

    def test_a_further_one_takes_the_place_of_the_oldest_of_its_network(self):
        made, dropped = self.made("a", "a", "a", "a", "a")

        assert dropped == [0, 1] and len(made) == 3 and made.dropped == 2

    def test_or_of_the_network_that_has_most(self):
        made, dropped = self.made("a", "b", "b", "c", "d", "b")

        assert dropped == [1, 0] and len(made) == 4

    def test_what_has_authenticated_is_never_dropped(self):
        made, dropped = self.made("a", "a", "a")
        made.remove("a", 0)
        made.add("a", 3, lambda: dropped.append(3))

        assert not dropped
        made.add("a", 4, lambda: dropped.append(4))
        made.remove("a", 0)
        assert dropped == [1] and len(made) == 3


HANGING = """
import asyncio
from server.broker import main
main.END_WITHIN_S = 0.3
async def serve(settings, stop):
    print("serving", flush=True)
    await stop.wait()
    await asyncio.Event().wait()
main.serve = serve
asyncio.run(main._run(None))
"""


def test_an_end_that_hangs_is_cut_short():
    process = subprocess.Popen([sys.executable, "-c", HANGING], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "serving\n"

    process.terminate()

    assert process.wait(20 * PATIENCE) == 0
    process.stdout.close()
