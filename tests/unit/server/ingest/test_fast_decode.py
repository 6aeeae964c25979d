"""The fast decoder accepts only what ansim/decode.py accepts, and returns the same."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim import messages, topics, uplink_schemas
from ansim.decode import BadMessage, decode_message
from server.ingest import fast_decode
from server.models import Report, SensorBoot, Sweep
from server.services.intake import bulk_sql
from tests.support.paho_sensor import finding_body, sweep_body

BODIES = {
    messages.SWEEP: sweep_body(),
    messages.FINDING: finding_body(label="IPCAM"),
    messages.SELFTEST: {"passed": True, "checks": [["radio", False, -3]], "took_ms": 900},
    messages.CLOCK: {"at_tick_ms": 5, "time_s": 1_800_000_000, "source": "ntp"},
    messages.DROPPED: {"first": 1, "last": 4, "reports": 4},
    messages.RESET: {"cause": "power", "crashes": 0, "version": "0.1.0", "slot": "a"},
    messages.SESSION: {"what": "started", "by": "cmd"},
    messages.STIMULUS: {
        "subject": "c0:ff:ee:00:00:01",
        "slots": 8,
        "p_ppm": 20,
        "effect_permille": -5,
        "heard_permille": 1000,
    },
}
JUNK = [
    None,
    True,
    False,
    0,
    1,
    -1,
    1 << 31,
    1 << 70,
    1.0,
    1.5,
    "",
    "ntp",
    "\ud83d",
    "a\0",
    "x" * 500,
    [],
    [1],
    {},
    [[[]]],
]


def message(kind):
    return messages.report(3, 9, "0123456789abcdef", 5000, None, "", kind, BODIES[kind])


def as_lists(value):
    """Rows are tuples here and lists there."""
    return json.loads(json.dumps(value))


def changed(value, draw):
    """The same JSON with one thing changed, added or taken away somewhere."""
    if isinstance(value, dict) and value:
        name = draw(st.sampled_from(sorted(value)))
        how = draw(st.sampled_from(["inside", "inside", "away", "added"]))
        if how == "away":
            return {key: inner for key, inner in value.items() if key != name}
        if how == "added":
            return {**value, "more": 1}
        return {**value, name: changed(value[name], draw)}
    if isinstance(value, list) and value and draw(st.booleans()):
        place = draw(st.integers(0, len(value) - 1))
        return [*value[:place], changed(value[place], draw), *value[place + 1 :]]
    return draw(st.sampled_from(JUNK))


@pytest.mark.parametrize("kind", messages.KINDS)
def test_every_kind_is_understood_alike(kind):
    body = messages.encode(message(kind))

    assert as_lists(fast_decode.decode(body)) == decode_message(topics.REPORT, body)


@given(st.sampled_from(messages.KINDS), st.data())
@settings(max_examples=400, deadline=None)
def test_it_accepts_nothing_that_the_sensors_own_rules_refuse(kind, data):
    body = json.dumps(changed(message(kind), data.draw)).encode()
    report = fast_decode.decode(body)

    if report is not None:
        assert as_lists(report) == decode_message(topics.REPORT, body)


@pytest.mark.parametrize("text", [b"\xed\xa0\x80", rb"\ud800", rb"\u0000", b"\x00", b"\xff"])
def test_both_decoders_refuse_texts_that_no_database_stores(text):
    body = messages.encode(message(messages.RESET)).replace(b'"power"', b'"%s"' % text)

    assert fast_decode.decode(body) is None
    with pytest.raises(BadMessage):
        decode_message(topics.REPORT, body)


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_it_takes_no_rubbish(data):
    assert fast_decode.decode(data) is None


def test_every_kind_has_a_body_here():
    assert set(BODIES) == set(messages.KINDS) == set(uplink_schemas.BODIES)


@pytest.mark.parametrize(
    ("columns", "table", "left_out"),
    [
        (bulk_sql.REPORT, Report, set()),
        (bulk_sql.SWEEP, Sweep, set()),
        (bulk_sql.BOOT, SensorBoot, {"first_received_s"}),
    ],
)
def test_the_drivers_own_statements_name_every_column(columns, table, left_out):
    assert set(columns) == {column.name for column in table.__table__.columns} - left_out
