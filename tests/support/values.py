"""Values that a test needs to exist: they fail the test at once, with what was there instead."""

import re
from typing import TypeVar

T = TypeVar("T")


def present(value: T | None) -> T:
    """Return `value`; fails if it is None."""
    assert value is not None
    return value


def match(pattern: str, text: str) -> re.Match[str]:
    """Return the first match of a regular expression in `text`; fails with the beginning of the text."""
    hit = re.search(pattern, text)
    assert hit, f"no {pattern!r} in: {text[:2000]}"
    return hit
