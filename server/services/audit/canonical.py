"""
Canonical JSON: one form for each value, so that its digest is reproducible.

    text({"b": 1, "a": "é"})      # '{"a":"é","b":1}'

The form is RFC 8785's for the types in the log: texts, integers below 2**53, true, false, null, lists, and
objects with ASCII names. Python's `json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)`
writes the same, so a verifier needs no code of ours. Fractions are refused, because programs write them differently:
use a smaller unit.
"""

import json

MAX_INTEGER = 2**53 - 1  # the largest integer that every JSON reader keeps exactly

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def text(value: object) -> str:
    """Return the canonical form. Raises ValueError for a value that has none."""
    _check(value)
    return _encode(value)


def _check(value: object) -> None:
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        value.encode()  # raises ValueError for a lone surrogate
    elif isinstance(value, int):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise ValueError(f"{value} is larger than every JSON reader keeps exactly")
    elif isinstance(value, list | tuple):
        for item in value:
            _check(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(name, str) or not name.isascii():
                raise ValueError(f"{name!r} is not an ASCII name")
            _check(item)
    else:
        raise ValueError(f"a {type(value).__name__} has no canonical form; fractions are written in a smaller unit")
