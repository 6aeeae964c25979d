"""
Decodes good reports ten times as fast as ansim/messages.py, from the same tables.

    message = decode(body)      # a checked report, or None: ask report.decode(), which also says what is wrong

Rows, such as those of `channels`, come as tuples here and as lists there.

ansim/schema.py has to run on a sensor, so its rules are plain Python functions; checking a
SWEEP with them takes longer than storing it. Here the functions' own tables are read once and
handed to pydantic-core, which parses and checks in compiled code. A rule it does not know
ends the program at its start; tests hold the two decoders against each other.
"""

from functools import cache

from pydantic_core import SchemaValidator, ValidationError, core_schema

from ansim import messages, schema, topics, uplink_rules


def decode(body: bytes) -> dict | None:
    """Return the report if it is a good one beyond doubt, else None."""
    try:
        return _validator().validate_json(body)
    except ValidationError:
        return None


@cache
def _validator():
    kinds = {}
    for kind in messages.KINDS:
        fields = dict(_given(uplink_rules.message(topics.REPORT))["fields"])
        fields["kind"] = schema.one_of(kind)
        fields["body"] = uplink_rules.body(kind)
        kinds[kind] = _translate(schema.record(fields))
    return SchemaValidator(core_schema.tagged_union_schema(kinds, discriminator="kind"))


def _given(rule) -> dict:
    """What the function that made a rule was given: {"low": 0, "high": 14} for whole(0, 14)."""
    return {
        name: cell.cell_contents for name, cell in zip(rule.__code__.co_freevars, rule.__closure__ or (), strict=True)
    }


def _translate(rule):
    maker = rule.__qualname__.split(".")[0]
    return _MAKERS[maker](**_given(rule))


def _whole(low, high):
    return core_schema.int_schema(ge=low, le=high, strict=True)


def _text(longest, shortest):
    return core_schema.str_schema(min_length=shortest, max_length=longest, strict=True)


def _hexadecimal(digits):
    return core_schema.str_schema(pattern=f"^[0-9a-f]{{{digits}}}$", strict=True)


def _address():
    return core_schema.str_schema(pattern="^[0-9a-f]{2}(:[0-9a-f]{2}){5}$", strict=True)


def _one_of(choices):
    literal = core_schema.literal_schema(list(choices))
    if all(type(choice) is int for choice in choices):
        # A literal 1 alone would take true and 1.0 for it.
        return core_schema.chain_schema([core_schema.int_schema(strict=True), literal])
    return literal


def _maybe(inner):
    return core_schema.nullable_schema(_translate(inner))


def _either(first, second):
    return core_schema.union_schema([_translate(first), _translate(second)], mode="left_to_right")


def _items(inner, most, least):
    return core_schema.list_schema(_translate(inner), min_length=least, max_length=most, strict=True)


def _row(inner):
    return core_schema.tuple_schema([_translate(one) for one in inner])


def _record(fields, others):
    known = {}
    for name, rule in fields.items():
        optional = name.endswith("?")
        known[name.rstrip("?")] = core_schema.typed_dict_field(_translate(rule), required=not optional)
    return core_schema.typed_dict_schema(known, extra_behavior="ignore" if others else "forbid", strict=True)


_MAKERS = {
    "whole": _whole,
    "text": _text,
    "hexadecimal": _hexadecimal,
    "address": _address,
    "true_or_false": lambda: core_schema.bool_schema(strict=True),
    "one_of": _one_of,
    "maybe": _maybe,
    "either": _either,
    "items": _items,
    "row": _row,
    "record": _record,
    "any_object": lambda: core_schema.dict_schema(strict=True),
}
