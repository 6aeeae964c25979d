"""Counts rejected messages, and logs them at most once a minute per sensor and reason."""

from collections import Counter

import structlog

LOG_EVERY_S = 60
MAX_REMEMBERED = 10_000  # (sensor, reason) pairs

log = structlog.get_logger()


class Rejections:
    """Rejected messages, counted and logged."""

    def __init__(self):
        self.counts: Counter[tuple[str, str]] = Counter()  # (sensor name, reason) -> count since take_counts()
        self._logged: dict[tuple[str, str], list[float]] = {}  # -> [time of last line, count since]

    def add(self, reason: str, sensor: str, detail: str, now: float) -> None:
        """Count one message, and log it with warn(). now: of the monotonic clock."""
        self.counts[sensor, reason] += 1
        self.warn(reason, sensor, detail, now)

    def warn(self, reason: str, sensor: str, detail: str, now: float) -> None:
        """Log a dropped message if none of its kind was logged in the last LOG_EVERY_S."""
        key = (sensor, reason)
        previous = self._logged.get(key)
        if previous is not None and now - previous[0] < LOG_EVERY_S:
            previous[1] += 1
            return
        unlogged = previous[1] if previous else 0
        log.warning("message dropped", why=reason, sensor=sensor or None, detail=detail, unlogged=unlogged)
        if len(self._logged) >= MAX_REMEMBERED:
            self._logged.clear()
        self._logged[key] = [now, 0]

    def take_counts(self) -> Counter[tuple[str, str]]:
        """Return the counts and reset them."""
        counts, self.counts = self.counts, Counter()
        return counts
