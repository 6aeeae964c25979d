"""The generated parts of docs/messages.md and the AsyncAPI document agree with the schemas that programs check by."""

import copy
import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansim import messages, settings, topics
from ansim.decode import BadMessage, argument_problems, decode_message
from firmware.inspecting import selftest
from server.wording import selftest as selftest_wording
from tests.support.message_examples import EXAMPLES
from tools import messages as command
from tools.message_reference import asyncapi, contents, descriptions, tables

DOCUMENT = asyncapi.make(command.DOCUMENT.read_text("utf-8"))
VALUES = st.none() | st.booleans() | st.integers(-5, 200) | st.text(max_size=5) | st.lists(st.integers(), max_size=2)


def schema_of(leaf, message):
    """Return the JSON Schema of a message in the AsyncAPI document, None if it has none."""
    word = {topics.REPORT: "kind", topics.CMD: "name"}.get(leaf)
    name = f"{leaf}_{message.get(word)}" if word else leaf
    found = DOCUMENT["components"]["messages"].get(name)
    return found and found["payload"]


def is_good(leaf, message):
    try:
        decode_message(leaf, messages.encode(message))
    except BadMessage:
        return False
    return leaf != topics.CMD or argument_problems(message["name"], message["args"]) == []


def test_the_generated_files_are_not_stale():
    assert command.stale() == [], "run tools/messages.py"


def test_every_generated_part_is_in_the_document():
    assert sorted(tables.section_names(command.DOCUMENT.read_text("utf-8"))) == sorted(tables.sections())


def test_every_field_column_and_value_has_a_description_and_no_other_has():
    fields, columns, values = {}, {}, {}
    for part in contents.parts():
        fields[part.where] = {name.removesuffix("?") for name in part.schema}
        for name, schema in part.schema.items():
            path = f"{part.where}.{name.removesuffix('?')}"
            schema = schema[1] if schema[0] == "list" else schema
            if schema[0] == "row":
                columns[path] = len(schema[1])
            elif schema[0] == "one_of" and name != "v":
                values[path] = set(schema[1])

    assert {where: set(known) for where, known in descriptions.FIELDS.items()} == fields
    assert {path: len(rows) for path, rows in descriptions.COLUMNS.items()} == columns
    assert {path: set(known) for path, known in descriptions.VALUES.items()} == values


def test_the_topics_are_those_of_the_program():
    leaves = {leaf.name: leaf for leaf in contents.leaves()}

    assert [name for name, leaf in leaves.items() if leaf.writer == "sensor"] == list(topics.FROM_SENSOR)
    assert [name for name, leaf in leaves.items() if leaf.writer == "server"] == list(topics.TO_SENSOR)


def test_the_checks_of_a_self_test_are_those_of_the_firmware():
    named = {name for name in descriptions.CHECKS if name != "channel_<n>"}

    assert named == set(selftest_wording.CHECKS)
    assert all(name in (selftest.__doc__ or "") for name in descriptions.CHECKS)


def test_a_setting_s_name_is_in_the_document():
    assert all(f"| `{name}` |" in tables.sections()["settings"] for name in settings.fields() if name != "device")


@pytest.mark.parametrize(("leaf", "message"), EXAMPLES)
def test_an_example_is_valid_by_the_asyncapi_document(leaf, message):
    jsonschema.Draft7Validator(schema_of(leaf, message)).validate(message)


def places(value, path=()):
    """Yield the path of every value inside a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


@given(st.sampled_from(EXAMPLES), st.data())
def test_the_asyncapi_document_accepts_a_changed_example_exactly_if_the_program_does(example, data):
    leaf, message = example
    message = copy.deepcopy(message)
    path = data.draw(st.sampled_from([path for path in places(message) if path and path != ("v",)]))
    target = message
    for key in path[:-1]:
        target = target[key]
    change = data.draw(st.sampled_from(["replace", "remove", "add"]))
    if change == "replace" or (change == "add" and not isinstance(target, dict)):
        target[path[-1]] = data.draw(VALUES)
    elif change == "remove":
        del target[path[-1]]
    else:
        target["extra"] = 1
    schema = schema_of(leaf, message)

    documented = schema is not None and jsonschema.Draft7Validator(schema).is_valid(message)

    assert documented == is_good(leaf, message)


def test_the_command_reports_a_stale_file(monkeypatch, tmp_path):
    old = tmp_path / "messages.md"
    old.write_text(command.DOCUMENT.read_text("utf-8").replace("| `deaf_ms` |", "| `dull_ms` |"))
    monkeypatch.setattr(command, "DOCUMENT", old)

    assert command.stale() == [old]
    old.write_text(command.make()[old])
    assert command.stale() == []
    assert json.loads(command.ASYNCAPI.read_text("utf-8"))["asyncapi"] == "3.0.0"
