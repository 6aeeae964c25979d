"""What was dropped: each counted; logged in one line, and not more than once a minute per sensor and reason."""

from collections import Counter

import structlog

LOG_EVERY_S = 60
MOST_REMEMBERED = 10_000  # (sensor, reason) pairs

log = structlog.get_logger()


class Refusals:
    """Counts and logs dropped messages."""

    def __init__(self):
        self.counts = Counter()  # (sensor name, reason) -> how many since the counts were last taken away
        self._logged = {}  # (sensor name, reason) -> [time of the last line, how many since]

    def add(self, why: str, sensor: str, detail: str, now_s: int) -> None:
        """Count one message, and say() so."""
        self.counts[sensor, why] += 1
        self.say(why, sensor, detail, now_s)

    def say(self, why: str, sensor: str, detail: str, now_s: int) -> None:
        """Log a dropped message if it is the first of its kind for a while."""
        key = (sensor, why)
        last = self._logged.get(key)
        if last is not None and now_s - last[0] < LOG_EVERY_S:
            last[1] += 1
            return
        log.warning("message dropped", why=why, sensor=sensor or None, detail=detail, unlogged=last[1] if last else 0)
        if len(self._logged) >= MOST_REMEMBERED:
            self._logged.clear()
        self._logged[key] = [now_s, 0]

    def take_counts(self) -> Counter:
        """Return the counts and begin anew."""
        counts, self.counts = self.counts, Counter()
        return counts
