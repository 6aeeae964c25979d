import json
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ansim import envelope, messages, topics
from ansim.decode import argument_problems, decode_message
from server import envelope_signer
from server.config import Settings
from server.ingest import decode, main, messages_to_sensors, mqtt_client, rejections
from server.ingest.keyring import Keyring, SensorKey
from server.services.intake import counters, idempotent_store
from server.services.people.accounts import SYSTEM
from server.services.sensors import enrolment, fleet
from tests.support.message_examples import EXAMPLES
from tests.support.paho_sensor import finding_body, sweep_body
from tests.support.sensor_messages import NOW_S

KEY = bytes(range(32))
TOPIC = "ansim/1/hall/report"
HALL = SensorKey(1, "hall", envelope_signer.Signer(KEY), False, NOW_S)


class TwoSensors(Keyring):
    """A keyring with two sensors, for tests without a database."""

    def __init__(self):
        pass

    def find(self, name, now_s):
        return {"hall": HALL, "gone": HALL._replace(name="gone", revoked=True)}.get(name)

    def reload(self, name, now_s):
        return self.find(name, now_s)


def sweep(**changes):
    message = messages.report(1, 1, "", 5, None, "", messages.SWEEP, sweep_body())
    message.update(changes)
    return message


def sealed(message, topic=TOPIC, key=KEY):
    body = message if isinstance(message, bytes) else messages.encode(message)
    return envelope.seal(key, topic, body)


def rejection(topic, payload):
    with pytest.raises(decode.RejectedMessage) as rejected:
        decode.decode(TwoSensors(), topic, payload, NOW_S)
    return rejected.value.reason


@given(st.binary(min_size=2, max_size=400), st.binary(min_size=32, max_size=32))
@settings(max_examples=40, deadline=None)
def test_seals_are_those_of_the_sensor(body, key):
    sensors = envelope.seal(key, TOPIC, body)

    assert envelope_signer.seal(key, TOPIC, body) == sensors
    assert (
        envelope_signer.unseal(key, TOPIC, sensors)
        == body
        == envelope.unseal(key, TOPIC, envelope_signer.seal(key, TOPIC, body))
    )


def test_a_good_message_is_decoded():
    message = decode.decode(TwoSensors(), TOPIC, sealed(sweep()), NOW_S)

    assert (message.sensor, message.leaf) == (HALL, topics.REPORT)
    assert messages.encode(message.fields).count(b"[") == message.body.count(b"[")
    assert message.body == messages.encode(sweep())


def deep(levels):
    return b'{"v":1,"x":' + b"[" * levels + b"]" * levels + b"}"


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        ("elsewhere", b"", counters.BAD_TOPIC),
        ("ansim/1/hall/cmd", sealed(sweep(), "ansim/1/hall/cmd"), counters.BAD_TOPIC),
        ("ansim/1/HALL/report", b"", counters.BAD_TOPIC),
        ("ansim/1/nobody/report", sealed(sweep()), counters.UNKNOWN_SENSOR),
        ("ansim/1/gone/report", sealed(sweep(), "ansim/1/gone/report"), counters.REVOKED),
        (TOPIC, b"", counters.BAD_SIGNATURE),
        (TOPIC, messages.encode(sweep()), counters.BAD_SIGNATURE),
        (TOPIC, sealed(sweep(), key=b"x" * 32), counters.BAD_SIGNATURE),
        (TOPIC, sealed(sweep(), "ansim/1/other/report"), counters.BAD_SIGNATURE),
        (TOPIC, sealed(sweep())[:-1] + b"\xff", counters.BAD_SIGNATURE),
        (TOPIC, b"x" * 1_000_000, counters.TOO_LARGE),
        (TOPIC, sealed(b"{not json"), counters.MALFORMED),
        (TOPIC, sealed(b"[1, 2]"), counters.MALFORMED),
        (TOPIC, sealed(b"\xff\xfe\x00"), counters.MALFORMED),
        (TOPIC, sealed(deep(7000)), counters.MALFORMED),
        (TOPIC, sealed(deep(20)), counters.MALFORMED),
        (TOPIC, sealed(b'{"v":1,"boot":' + b"9" * 9000 + b"}"), counters.MALFORMED),
        (TOPIC, sealed(sweep(v=3)), counters.UNKNOWN_VERSION),
        (TOPIC, sealed(sweep(seq=0)), counters.MALFORMED),
    ],
    ids=lambda value: value if isinstance(value, str) else len(value),
)
def test_a_bad_message_is_rejected_with_its_reason(topic, payload, reason):
    assert rejection(topic, payload) == reason


@pytest.mark.parametrize("text", [b"\xed\xa0\x80", rb"\ud800", rb"a\u0000b", b"\xff", b"\x00"])
@pytest.mark.parametrize(
    ("leaf", "field"), [(topics.INFO, "version"), (topics.STATE, "nonce"), (topics.ACK, "error"), (topics.ACK, "id")]
)
def test_a_text_that_no_database_stores_is_malformed(leaf, field, text):
    topic = topics.topic("hall", leaf)
    body = messages.encode({**dict(EXAMPLES)[leaf], field: "QQ"})
    decode.decode(TwoSensors(), topic, sealed(body, topic), NOW_S)

    body = body.replace(b"QQ", text)

    assert rejection(topic, sealed(body, topic)) == counters.MALFORMED


def test_a_part_beyond_every_file_is_malformed():
    topic = topics.topic("hall", topics.WANT)

    assert rejection(topic, sealed(messages.want(1, "0" * 64, (1 << 31) - 1), topic)) == counters.MALFORMED


def test_the_info_of_no_other_encoding_is_decoded():
    topic = topics.topic("hall", topics.INFO)

    assert (
        rejection(topic, sealed(json.dumps(dict(EXAMPLES)[topics.INFO]).encode("utf-16"), topic)) == counters.MALFORMED
    )


@pytest.mark.parametrize(
    "odd",
    [
        {"tick_ms": float("nan")},
        {"inspection": "\ud800"},
        {"inspection": "a\u0000b"},
        {"kind": "gossip"},
        {"body": {"from_ms": -1}},
        {"colour": "red"},
    ],
    ids=str,
)
def test_a_signed_report_that_is_not_of_this_format_keeps_its_number_and_nothing_else(odd):
    message = decode.decode(TwoSensors(), TOPIC, sealed(sweep(seq=7, **odd)), NOW_S)

    assert message.fields == messages.report(1, 7, "", 0, None, "", idempotent_store.UNREADABLE, {})


@pytest.mark.parametrize("text", [rb"\u0000", b"\x00", b"\xff", rb"\ud800", rb"\u0085", rb"\n", b"\x7f"], ids=repr)
def test_no_label_makes_a_finding_unreadable(text):
    report = messages.report(1, 7, "", 5, None, "", messages.FINDING, finding_body(label="V380_QQabc"))
    body = messages.encode(report).replace(b"QQ", text)

    message = decode.decode(TwoSensors(), TOPIC, sealed(body), NOW_S)

    assert message.fields["kind"] == messages.FINDING and message.body == body
    assert message.fields["body"]["label"].replace("\ufffd", "?") == "V380_?abc"


def test_a_label_that_grows_by_what_is_not_unicode_is_cut():
    report = messages.report(1, 7, "", 5, None, "", messages.FINDING, finding_body(label="V380_QQ"))
    body = messages.encode(report).replace(b"QQ", b"\xff" * 64)

    fields = decode.decode(TwoSensors(), TOPIC, sealed(body), NOW_S).fields

    assert fields["body"]["label"] == "V380_" + "\ufffd" * 59


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_no_signed_bytes_break_the_decoder(body):
    try:
        decode.decode(TwoSensors(), TOPIC, sealed(body), NOW_S)
    except decode.RejectedMessage:
        pass


def mutations(value, draw):
    """The same JSON with one thing changed somewhere."""
    junk = draw(st.sampled_from([None, True, -1, 1 << 70, 1.5, "", "\ud83d", "x" * 500, [], {}, [[[]]]]))
    if isinstance(value, dict) and value and draw(st.booleans()):
        name = draw(st.sampled_from(sorted(value)))
        return {**value, name: mutations(value[name], draw)}
    if isinstance(value, list) and value and draw(st.booleans()):
        place = draw(st.integers(0, len(value) - 1))
        return [*value[:place], mutations(value[place], draw), *value[place + 1 :]]
    return junk


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_no_odd_report_breaks_the_decoder(data):
    base = data.draw(
        st.sampled_from([sweep(), messages.report(1, 1, "", 5, 9, "", messages.FINDING, finding_body())]),
        label="report",
    )
    odd = json.dumps(mutations(base, data.draw)).encode()
    try:
        decode.decode(TwoSensors(), TOPIC, sealed(odd), NOW_S)
    except decode.RejectedMessage as rejected:
        assert rejected.reason in counters.REJECTED


def test_the_keyring_notices_new_keys_and_revocations(sessions, vault):
    with sessions.begin() as session:
        first, key = enrolment.enrol(session, vault, "hall")
    keyring = Keyring(sessions, vault)
    hall = keyring.find("hall", NOW_S)
    assert hall and hall.signer.key == key and keyring.find("nobody", NOW_S) is None

    with sessions.begin() as session:
        session.merge(first).key_sealed = vault.seal(KEY)
    assert decode.decode(keyring, TOPIC, sealed(sweep()), NOW_S + 1).body == messages.encode(sweep())

    with sessions.begin() as session:
        enrolment.revoke(session, fleet.load(session, SYSTEM, "hall"))
    with pytest.raises(decode.RejectedMessage, match="revoked"):
        decode.decode(keyring, TOPIC, sealed(sweep()), NOW_S + 2)


def test_a_signed_report_that_is_malformed_is_logged_like_other_dropped_messages(tmp_path):
    process = main.Ingest(Settings(data=tmp_path))
    process._keyring = TwoSensors()  # the sensors of a database
    report = sealed({**sweep(seq=7), "kind": "no_such_kind", "secret": "content"})
    with capture_logs() as lines:
        process._receive([(TOPIC, report, 1, False), (TOPIC, report, 2, False)])

    dropped = [line for line in lines if line["event"] == "message dropped"]
    assert [(line["why"], line["log_level"]) for line in dropped] == [("malformed", "warning")]
    assert dropped[0]["sensor"] and dropped[0]["detail"] and "content" not in str(dropped)


def test_each_rejection_is_counted_and_logged_once_a_minute():
    rejected = rejections.Rejections()

    with capture_logs() as lines:
        for second in range(61):
            rejected.add(counters.MALFORMED, "hall", "not JSON", NOW_S + second)
        rejected.add(counters.MALFORMED, "other", "not JSON", NOW_S)

    assert [(line["sensor"], line["unlogged"]) for line in lines] == [("hall", 0), ("hall", 59), ("other", 0)]
    assert rejected.take_counts() == {("hall", counters.MALFORMED): 61, ("other", counters.MALFORMED): 1}
    assert not rejected.take_counts()


def test_rejections_do_not_fill_the_memory():
    rejected = rejections.Rejections()

    with capture_logs():
        for number in range(rejections.MAX_REMEMBERED + 10):
            rejected.warn(counters.BAD_TOPIC, str(number), "", NOW_S)

    assert len(rejected._logged) == 10


def test_a_sensor_is_confirmed_at_once_and_then_not_too_often():
    confirmations = messages_to_sensors.Confirmations()
    confirmations.add(HALL, {1: 5})
    assert confirmations.due(1.0) == [(HALL, messages.stored([[1, 5]]))]

    confirmations.add(HALL, {1: 6})
    confirmations.add(HALL, {2: 1})

    assert confirmations.due(1.1) == [] and confirmations.is_waiting()
    assert confirmations.due(1.21) == [(HALL, messages.stored([[1, 6], [2, 1]]))]
    assert confirmations.due(1.5) == [] and not confirmations.is_waiting()


def test_the_newest_boots_and_the_one_just_delivered_fit_into_a_confirmation():
    confirmations = messages_to_sensors.Confirmations()
    confirmations.add(HALL, dict.fromkeys(range(3, 11), 9))
    confirmations.add(HALL, {1: 4})

    [(_, message)] = confirmations.due(0.0)

    assert message["upto"] == [[1, 4]] + [[boot, 9] for boot in range(4, 11)]
    decode_message(topics.STORED, messages.encode(message))


def test_the_time_is_sent_once_per_connection():
    replies = messages_to_sensors.TimeReplies()

    first = replies.make(HALL, "0" * 16, NOW_S, 5.0)

    assert first and first["args"] == {"time_s": NOW_S, "nonce": "0" * 16}
    assert argument_problems(first["name"], first["args"]) == []
    assert replies.make(HALL, "0" * 16, NOW_S + 1, 6.0) is None
    assert replies.make(HALL, "1" * 16, NOW_S + 1, 6.0)
    assert replies.make(HALL, "1" * 16, NOW_S - 9 * 86400, 9.0)


@pytest.fixture
def line():
    """(BufferedSocket, the broker's end of it)."""
    near, far = socket.socketpair()
    near.setblocking(False)
    with near, far:
        yield mqtt_client.BufferedSocket(near), far


def publish(topic=b"ansim/1/hall/report", payload=b"{}", mid=7, retain=0):
    body = len(topic).to_bytes(2, "big") + topic + (mid.to_bytes(2, "big") if mid else b"") + payload
    size, length = len(body), b""
    while size > 127:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([0x30 | (2 if mid else 0) | retain]) + length + bytes([size]) + body


def test_the_socket_cuts_out_publish_packets_and_leaves_the_rest_to_paho(line):
    near, far = line
    far.sendall(b"\x90\x03\x00\x01\x01" + publish() + b"\xd0\x00" + publish(b"b", b"x" * 300, 0, 1) + b"\x40\x02\x00")

    assert near.read_publishes() == [
        ("ansim/1/hall/report", b"{}", 7, False),
        ("b", b"x" * 300, 0, True),
    ]
    assert near.has_data_for_paho() and near.recv(1) == b"\x90" and near.recv(99) == b"\x03\x00\x01\x01\xd0\x00"
    with pytest.raises(BlockingIOError):
        near.recv(1)
    far.sendall(b"\x05")
    assert near.read_publishes() == [] and near.recv(99) == b"\x40\x02\x00\x05"


@given(st.lists(st.integers(1, 40), max_size=30), st.integers(0, 300))
@settings(max_examples=50, deadline=None)
def test_packets_are_whole_wherever_the_stream_is_cut(cuts, size):
    near, far = socket.socketpair()
    near.setblocking(False)
    stream = publish(payload=b"a" * size) + b"\xd0\x00" + publish(payload=b"b", mid=0) + publish(payload=b"c" * 200)
    with near, far:
        line = mqtt_client.BufferedSocket(near)
        packets, at = [], 0
        for cut in [*cuts, len(stream)]:
            far.sendall(stream[at : at + cut])
            at += cut
            packets += line.read_publishes()

    assert [(packet.payload, packet.packet_id) for packet in packets] == [(b"a" * size, 7), (b"b", 0), (b"c" * 200, 7)]
    assert line.recv(99) == b"\xd0\x00"


def test_of_a_packet_that_is_too_large_only_the_beginning_is_kept(line):
    near, far = line
    big = publish(payload=b"x" * 3_000_000, mid=9)
    packets = []
    far.setblocking(False)
    stream = memoryview(big + publish(mid=10))
    while stream:
        try:
            stream = stream[far.send(stream) :]
        except BlockingIOError:
            packets += near.read_publishes()
            assert len(near._raw) < 3 * mqtt_client.MAX_KEPT_BYTES
    while len(packets) < 2:
        packets += near.read_publishes()

    assert [(packet.packet_id, len(packet.payload)) for packet in packets] == [
        (9, envelope.MAX_MESSAGE_BYTES + 1),
        (10, 2),
    ]


@pytest.mark.parametrize(
    "rubbish", [b"\x30\xff\xff\xff\xff\x01", b"\x32\x04\xff\xffab", b"\x30\x00", b"\x30\x01a", b"\x32\x03\0\0a"]
)
def test_data_that_is_not_mqtt_is_reported(line, rubbish):
    near, far = line
    far.sendall(rubbish)

    with pytest.raises(mqtt_client.BadPacket):
        near.read_publishes()


def test_a_topic_that_is_no_text_is_no_topic(line):
    near, far = line
    far.sendall(publish(topic=b"\xff\xfe"))

    assert near.read_publishes() == [("", b"{}", 7, False)]


def test_the_end_of_the_connection_is_for_paho_to_see(line):
    near, far = line
    far.close()

    assert near.read_publishes() == [] and near.has_data_for_paho() and near.recv(1) == b""


def test_the_socket_keeps_what_is_written_while_corked(line):
    near, far = line
    far.setblocking(False)
    near.corked = True
    assert near.send(b"one ") == 4 and near.send(b"two") == 3
    with pytest.raises(BlockingIOError):
        far.recv(9)

    near.flush()
    assert far.recv(99) == b"one two"
    near.send(b"now")
    assert far.recv(9) == b"now"
