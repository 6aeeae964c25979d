"""Messages: the documented examples are good, and rubbish is refused with its reason."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansim import messages, topics, uplink_schemas
from ansim.decode import BadMessage, UnknownVersion, argument_problems, decode_message
from ansim.finding import ALARM, ALARM_SCORE, CLEARED, NOTICE, Finding
from ansim.uplink_schemas import level_of
from tests.support.message_examples import EXAMPLES

REPORTS = {message["kind"]: message for leaf, message in EXAMPLES if leaf == topics.REPORT}
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(("leaf", "message"), EXAMPLES)
def test_a_documented_example_passes_its_check(leaf, message):
    assert decode_message(leaf, messages.encode(message)) == message


def test_every_leaf_kind_and_command_has_a_documented_example():
    assert {leaf for leaf, _ in EXAMPLES} == set(topics.FROM_SENSOR + topics.TO_SENSOR)
    assert set(REPORTS) == set(messages.KINDS)
    commands = {message["name"]: message["args"] for leaf, message in EXAMPLES if leaf == topics.CMD}
    assert set(commands) == set(messages.COMMANDS)
    assert all(argument_problems(name, args) == [] for name, args in commands.items())


def test_an_unknown_command_has_no_arguments_to_check():
    assert argument_problems("dance", {}) is None


@pytest.mark.parametrize("kind", messages.KINDS)
def test_a_report_without_one_of_its_fields_is_refused_by_name(kind):
    message = REPORTS[kind]
    field = min(name for name in message["body"] if name in uplink_schemas.body(kind))
    broken = dict(message, body={key: value for key, value in message["body"].items() if key != field})

    with pytest.raises(BadMessage, match=f"body: {field} is missing"):
        decode_message(topics.REPORT, messages.encode(broken))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"seq": 0}, "seq should be 1"),
        ({"seq": True}, "seq should be a whole number, is bool"),
        ({"seq": 1.5}, "seq should be a whole number, is float"),
        ({"prev": "XYZ"}, "prev should be 16 hex digits"),
        ({"kind": "gossip"}, "kind should be one of"),
        ({"extra": 1}, "extra is not known here"),
        ({"at_s": "now"}, "at_s should be a whole number"),
    ],
)
def test_a_wrong_field_is_named(change, complaint):
    with pytest.raises(BadMessage, match=complaint):
        decode_message(topics.REPORT, messages.encode(dict(REPORTS[messages.SWEEP], **change)))


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"[]", b"null", b'{"v":', b"[" * 100_000])
def test_anything_but_a_json_object_is_refused(data):
    with pytest.raises(BadMessage):
        decode_message(topics.REPORT, data)


def test_a_newer_format_is_distinguished_from_rubbish():
    with pytest.raises(UnknownVersion):
        decode_message(topics.REPORT, b'{"v":3,"brand":"new"}')


@given(st.sampled_from(topics.FROM_SENSOR + topics.TO_SENSOR), ANY_JSON)
def test_no_json_raises_another_exception(leaf, value):
    data = json.dumps(dict(value, v=1) if isinstance(value, dict) else value).encode()
    try:
        decode_message(leaf, data)
    except BadMessage as error:
        assert "\n" not in str(error)


@given(st.sampled_from(EXAMPLES), st.data())
def test_a_mutated_example_is_good_or_refused_never_more(example, data):
    leaf, message = example
    message = json.loads(json.dumps(message))
    where = data.draw(st.sampled_from(sorted(message)))
    message[where] = data.draw(ANY_JSON)
    try:
        decode_message(leaf, messages.encode(message))
    except BadMessage:
        pass


def _finding_report(version=messages.REPORT_VERSION, **fields):
    finding = Finding(
        CLEARED, "camera_stream", "c0:ff:ee:00:00:01", 9, 1, 0, 6, -50, "", [], [], "", NOTICE, "video_call"
    )
    body = {**messages.finding_body(finding), **fields}
    body = {name: value for name, value in body.items() if value is not None}
    report = messages.report(1, 1, "", 9, None, "", messages.FINDING, body)
    return {**report, "v": version}


def test_a_finding_s_level_and_likely_cause_are_in_its_report():
    body = decode_message(topics.REPORT, messages.encode(_finding_report()))["body"]

    assert (level_of(body), body["likely"]) == (NOTICE, "video_call")


@pytest.mark.parametrize(("score", "level"), [(0, NOTICE), (ALARM_SCORE - 1, NOTICE), (ALARM_SCORE, ALARM)])
def test_a_report_of_version_1_has_no_level_and_is_an_alarm_from_the_alarm_score_on(score, level):
    report = _finding_report(version=1, level=None, likely=None, score=score)

    body = decode_message(topics.REPORT, messages.encode(report))["body"]

    assert level_of(body) == level
