"""
One spelling for JSON, so that a digest of it means something.

    text({"b": 1, "a": "é"})      # '{"a":"é","b":1}'

The form is RFC 8785's for what the log holds: texts, whole numbers up to 2**53, true, false, null, lists, and
objects with ASCII names. Python's `json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)`
writes the same, so an outsider needs no code of ours. Fractions are refused, because programs write them differently:
use a smaller unit.
"""

import json

MOST = 2**53 - 1  # the largest number that every JSON reader keeps exactly

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def text(value) -> str:
    """Return the canonical form. Raises ValueError on anything that has none."""
    _check(value)
    return _encode(value)


def _check(value):
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        value.encode()  # half a surrogate pair has no UTF-8, and raises a ValueError
    elif isinstance(value, int):
        if not -MOST <= value <= MOST:
            raise ValueError(f"{value} is larger than every JSON reader keeps exactly")
    elif isinstance(value, list | tuple):
        for one in value:
            _check(one)
    elif isinstance(value, dict):
        for name, one in value.items():
            if not isinstance(name, str) or not name.isascii():
                raise ValueError(f"{name!r} is not an ASCII name")
            _check(one)
    else:
        raise ValueError(f"a {type(value).__name__} has no canonical form; fractions are written in a smaller unit")
