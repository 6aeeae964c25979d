"""The server's clock and the site's time zone, in one place so that tests can stop and move them."""

import time
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

DEFAULT_ZONE = "Asia/Seoul"
_zone = ZoneInfo(DEFAULT_ZONE)
_EPOCH_DAY = date(1970, 1, 1).toordinal()


def now_s() -> int:
    """Return whole seconds since 1970-01-01 UTC."""
    return int(time.time())


def now_ms() -> int:
    """Return the time in milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


def use_zone(name: str) -> None:
    """Set the site's time zone, as a process does at its start."""
    global _zone
    _zone = ZoneInfo(name)


def zone() -> ZoneInfo:
    """Return the site's time zone."""
    return _zone


def local(at_s: int) -> datetime:
    """Return a time in the site's time zone."""
    return datetime.fromtimestamp(at_s, UTC).astimezone(_zone)


def day(at_s: int) -> int:
    """Return the site's own day of a time, in days since 1970-01-01."""
    return local(at_s).date().toordinal() - _EPOCH_DAY
