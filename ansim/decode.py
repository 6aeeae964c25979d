"""
Decode and check messages.

    message = decode_message(topics.REPORT, data)    # raises BadMessage
    problems = argument_problems("dwell", {"channel": 6, "seconds": 30})    # []

The schemas are loaded when they are needed: a sensor never decodes reports, and has no memory
for the schemas of the messages that it sends itself.
"""

import json

from ansim import topics
from ansim.messages import FORMAT_VERSION, REPORT_VERSIONS
from ansim.schema import check

_MOST_PROBLEMS = 8  # in the text of a BadMessage


class BadMessage(Exception):
    """The data is not a message of this format."""


class UnknownVersion(BadMessage):
    """The message has a format version that this program does not know."""


def decode_message(leaf: str, data: bytes) -> dict:
    """
    Return the checked message that came on a topic's leaf.

    Raises UnknownVersion, or BadMessage with all problems in one line. An unknown command name
    is not an error here; see argument_problems().
    """
    is_from_sensor = leaf not in topics.TO_SENSOR
    try:
        # Of bytes, CPython's json also accepts UTF-16, UTF-32 and halves of surrogate pairs.
        text = data.decode() if is_from_sensor else data
        message = json.loads(text)  # pyright: ignore[reportArgumentType]  (the stubs of MicroPython want one type)
    except (ValueError, UnicodeError, RuntimeError) as error:
        raise BadMessage("not JSON: %s" % type(error).__name__)
    if type(message) is not dict:
        raise BadMessage("not a JSON object")
    versions = REPORT_VERSIONS if leaf == topics.REPORT else (FORMAT_VERSION,)
    if message.get("v") not in versions:
        raise UnknownVersion("format version is not %s" % " or ".join([str(version) for version in versions]))
    if not is_from_sensor:
        from ansim import downlink_schemas

        problems = check(downlink_schemas.message(leaf), message)
    else:
        from ansim import uplink_schemas

        problems = check(uplink_schemas.message(leaf), message)
        if not problems and leaf == topics.REPORT:
            body_problems = check(uplink_schemas.body(message["kind"]), message["body"])
            problems = ["body: " + problem for problem in body_problems]
        if not problems and not _is_storable(message):
            problems = ["a text has U+0000 or half of a surrogate pair"]
    if problems:
        raise BadMessage("; ".join(problems[:_MOST_PROBLEMS]))
    return message


def argument_problems(name: str, args: dict) -> list | None:
    """Return the problems of a command's arguments as a list of sentences, or None if there is no such command."""
    from ansim import downlink_schemas

    schema = downlink_schemas.arguments(name)
    return None if schema is None else check(schema, args)


def _is_storable(value):
    """Return False for texts that JSON can spell, but that UTF-8 cannot encode or PostgreSQL cannot store."""
    if type(value) is str:
        return not any(c == "\0" or 0xD800 <= ord(c) < 0xE000 for c in value)
    if type(value) is dict:
        return all(_is_storable(item) for item in value.values())
    if type(value) is list:
        return all(_is_storable(item) for item in value)
    return True
