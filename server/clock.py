"""The server's clock, in one place so that tests can stop it."""

import time


def now_s() -> int:
    """Return whole seconds since 1970-01-01 UTC."""
    return int(time.time())


def now_ms() -> int:
    """Return the time in milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


def day(at_s: int) -> int:
    """Return the UTC day of a time, in days since 1970-01-01."""
    return at_s // 86400
