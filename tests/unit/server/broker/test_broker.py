import pytest
from sqlalchemy import event

from server.broker import amqtt_plugin, authentication, listener, topic_rules
from server.services.intake import counters


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

    assert authenticator.is_password_of(name, "p") is False and not asked

    authenticator.add_counts({(name, counters.REFUSED_LOGIN): 2, ("hall", counters.REFUSED_LOGIN): 1})
    assert not [values for values in asked if name and name in str(values)]
    with sessions() as session:
        assert counters.list_today(session) == [("", counters.REFUSED_LOGIN, 3)]


def test_a_snapshot_dictionary_may_change_while_it_is_iterated_over():
    snapshot = amqtt_plugin._SnapshotDict(a=1, b=2)

    for key in snapshot:
        snapshot[key + "x"] = 0
    for key, _ in snapshot.items():
        snapshot[key + "y"] = 0

    assert len(snapshot) == 8


def test_packets_are_followed_wherever_they_are_cut():
    stream = b"\x30\x05abcde" + b"\xc0\x00" + b"\x32\x80\x01" + bytes(128) + b"\xe0\x00"
    for size in (1, 2, 3, 7, 1000):
        framing = listener._Framing()
        assert all(framing.feed(stream[at : at + size]) for at in range(0, len(stream), size))


@pytest.mark.parametrize("head", [b"\x30\xff\xff\x7f", b"\x30\xff\xff\xff\xff\x01", b"\xc0\x00\x30\xc0\xa2\x01"])
def test_a_packet_that_is_too_large_is_noticed_by_its_header(head):
    assert listener._Framing().feed(head) is False
