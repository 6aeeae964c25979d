"""The server's clock, in one place so that tests can stop it."""

import time


def now_s() -> int:
    """Seconds since 1970-01-01 UTC, whole."""
    return int(time.time())


def day(at_s: int) -> int:
    """The UTC day a time belongs to, as days since 1970-01-01."""
    return at_s // 86400
