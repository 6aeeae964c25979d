"""
The messages and their schemas, as docs/messages.md and docs/asyncapi.json list them.

    for part in parts(): part.where, part.schema       # "state", "report sweep", "cmd dwell"...
"""

import re
from typing import NamedTuple

from ansim import downlink_schemas, messages, topics, uplink_schemas


class Leaf(NamedTuple):
    """One row of the table of topics: the last part of the topic, who writes it, and how."""

    name: str
    writer: str  # "sensor" or "server"
    retained: bool
    qos: int
    content: str


class Part(NamedTuple):
    """A message, the body of a kind of report, or the arguments of a command."""

    where: str  # as in descriptions.FIELDS
    leaf: str
    name: str  # kind or command; "": the message itself
    schema: dict


def leaves() -> list[Leaf]:
    """Return the topics, read from the table in ansim/topics.py."""
    rows = re.findall(r"^    (\w+) +(sensor|server) +(yes|no) +(\d) +(.+)$", topics.__doc__ or "", re.MULTILINE)
    return [Leaf(name, writer, retained == "yes", int(qos), content) for name, writer, retained, qos, content in rows]


def message_schema(leaf: str) -> dict:
    """Return the schema of the messages on a leaf."""
    return (uplink_schemas if leaf in topics.FROM_SENSOR else downlink_schemas).message(leaf)


def parts() -> list[Part]:
    """Return every message, body and set of arguments."""
    found = []
    for leaf in leaves():
        found.append(Part(leaf.name, leaf.name, "", message_schema(leaf.name)))
        if leaf.name == topics.REPORT:
            found += [Part(f"report {kind}", leaf.name, kind, uplink_schemas.body(kind)) for kind in messages.KINDS]
        if leaf.name == topics.CMD:
            for name in messages.COMMANDS:
                arguments = downlink_schemas.arguments(name)
                assert arguments is not None, name
                found.append(Part(f"cmd {name}", leaf.name, name, arguments))
    return found
