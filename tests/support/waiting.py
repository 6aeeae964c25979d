"""Waiting for a condition, with limits that a busy machine keeps."""

import os
import time
from collections.abc import Callable
from typing import TypeVar

# Limits are those of an idle machine times this; a test that passes never waits longer than it has to.
PATIENCE = float(os.environ.get("ANSIM_TEST_PATIENCE", "10"))

Result = TypeVar("Result")


def wait_for(condition: Callable[[], Result], seconds: float = 20, every_s: float = 0.02) -> Result:
    """Return what condition() returns as soon as it is true. Raises AssertionError after seconds * PATIENCE."""
    end_s = time.monotonic() + seconds * PATIENCE
    while True:
        result = condition()
        if result:
            return result
        name = getattr(condition, "__qualname__", condition)
        assert time.monotonic() < end_s, f"{name} is not true after {seconds * PATIENCE:.0f} s"
        time.sleep(every_s)
