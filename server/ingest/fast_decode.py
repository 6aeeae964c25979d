"""
Decode valid reports with compiled code: about ten times as fast as ansim/decode.py.

    message = decode(body)      # a checked report, or None: then decode_message() names the problems

Rows, such as those of `channels`, are tuples here and lists there.

ansim/schema.py also runs on sensors, so it interprets its schemas in Python; checking a SWEEP report that way
takes longer than storing it. This module compiles the same schemas to msgspec's types, once, when the first report
comes. Tests compare the two decoders.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Literal, Union

import msgspec
from msgspec import UNSET, DecodeError, Meta, UnsetType, structs

from ansim import messages, topics, uplink_schemas

# Escapes of what no database stores as text: U+0000, and what may be half of a character.
_NOT_STORED = re.compile(rb"\\u(0000|[dD])")
_ADDRESS = "[0-9a-f]{2}(:[0-9a-f]{2}){5}"


def decode(body: bytes) -> dict | None:
    """Return the report if it is valid beyond doubt, else None."""
    if b"\\" in body and _NOT_STORED.search(body):
        return None
    try:
        report = _decoder().decode(body)
    except (DecodeError, RecursionError):
        return None
    fields, inner = structs.asdict(report), structs.asdict(report.body)
    for name in _OPTIONAL[type(report.body)]:
        if inner[name] is UNSET:
            del inner[name]
    fields["kind"] = report.__struct_config__.tag
    fields["body"] = inner
    return fields


_OPTIONAL: dict[type, tuple[str, ...]] = {}  # type of a body -> its fields that may be missing


@cache
def _decoder() -> msgspec.json.Decoder:
    kinds = []
    for kind in messages.KINDS:
        fields = uplink_schemas.body(kind)
        body = _object(fields)
        _OPTIONAL[body] = tuple(name[:-1] for name in fields if name.endswith("?"))
        report = {name: _compile(schema) for name, schema in uplink_schemas.message(topics.REPORT).items()}
        report["body"] = body
        del report["kind"]
        kinds.append(_struct(report, {}, tag_field="kind", tag=kind))
    return msgspec.json.Decoder(Union[tuple(kinds)])  # noqa: UP007 - the types are made at run time


def _struct(required, optional, **options):
    fields = [*required.items(), *((name, kind | UnsetType, UNSET) for name, kind in optional.items())]
    return msgspec.defstruct("Fields", fields, forbid_unknown_fields=True, gc=False, **options)


def _compile(schema: dict | tuple) -> Any:
    """Return msgspec's form of a schema of ansim/schema.py. Raises KeyError for a kind that it does not know."""
    if isinstance(schema, dict):
        return _object(schema)
    kind, *arguments = schema
    return _COMPILERS[kind](*arguments)


def _object(fields):
    required = {name: _compile(schema) for name, schema in fields.items() if not name.endswith("?")}
    optional = {name[:-1]: _compile(schema) for name, schema in fields.items() if name.endswith("?")}
    return _struct(required, optional)


def _int(low, high):
    return Annotated[int, Meta(ge=low, le=high)]


def _text(shortest, longest):
    return Annotated[str, Meta(min_length=shortest, max_length=longest)]


def _pattern(*choices):
    return Annotated[str, Meta(pattern=rf"\A(?:{'|'.join(choices)})\Z")]


def _pattern_of(schema):
    """Return the regular expression of a schema for a short text. Raises KeyError for any other."""
    kind, *arguments = schema
    patterns: dict[str, Callable[..., str]] = {
        "hex": lambda digits: f"[0-9a-f]{{{digits}}}",
        "address": lambda: _ADDRESS,
        "one_of": lambda choices: "|".join(re.escape(choice) for choice in choices),
    }
    return patterns[kind](*arguments)


def _list(schema, least, most):
    return Annotated[list[_compile(schema)], Meta(min_length=least, max_length=most)]


_COMPILERS: dict[str, Callable[..., Any]] = {
    "int": _int,
    "text": _text,
    "hex": lambda digits: _pattern(_pattern_of(("hex", digits))),
    "address": lambda: _pattern(_ADDRESS),
    "bool": lambda: bool,
    "one_of": lambda choices: Literal[tuple(choices)],
    "nullable": lambda schema: _compile(schema) | None,
    "either": lambda first, second: _pattern(_pattern_of(first), _pattern_of(second)),
    "list": _list,
    "row": lambda schemas: tuple[tuple(_compile(schema) for schema in schemas)],
    "any_object": lambda: dict,
}
