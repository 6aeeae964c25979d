"""
Quotas of each sensor: what a stolen key, or a sensor that is broken, can make the server do.

    quotas = Quotas(Limits.of(settings))
    wait_s = quotas.wait_s("hall-1", MESSAGES, 1, time.monotonic())    # 0: within the quota, and charged

A quota has an amount a minute and an amount a day. Each is a token bucket: full at first, refilled evenly. So a
sensor may deliver a whole journal at once, and then goes on at the rate of the quota. Nothing is lost by it: the
embedded broker reads a sensor over its quota more slowly, and ingest does not confirm a report over its quota, so
it stays in the sensor's journal and is sent again.

The buckets are in the memory of a process: a restart fills them, and each ingest worker has its own.
"""

from collections.abc import Mapping
from typing import NamedTuple

from ansim import finding, messages
from ansim.uplink_schemas import level_of
from server.config import Settings

MESSAGES = "messages"  # all MQTT packets at the embedded broker, all messages at ingest
BYTES = "bytes"
FINDINGS = "findings"  # FINDING reports with the score of an alarm: each may write to the log and notify people
NOTICES = "notices"  # the other FINDING reports
GAPS = "gaps"  # reports that leave a gap behind them, or begin a boot
HELD_S = 60
REFILL_EVERY_S = 1  # a bucket that has enough is refilled no more often
_DAY_S = 86400
_MAX_IDLE_S = 2 * _DAY_S  # a bucket is full by then, and forgotten


class Limits(NamedTuple):
    """The amounts of each quota, {name: (a minute, a day)}, and the largest jump of `seq`."""

    amounts: Mapping[str, tuple[int, int]]
    seq_jump: int

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """Return the limits of the settings."""
        return cls(
            {
                MESSAGES: (settings.quota_messages_minute, settings.quota_messages_day),
                BYTES: (settings.quota_bytes_minute, settings.quota_bytes_day),
                FINDINGS: (settings.quota_findings_minute, settings.quota_findings_day),
                NOTICES: (settings.quota_notices_minute, settings.quota_notices_day),
                GAPS: (settings.quota_gaps_minute, settings.quota_gaps_day),
            },
            settings.quota_seq_jump,
        )


class Bucket:
    """A token bucket. Times are of the monotonic clock, so that setting the clock of the machine changes nothing."""

    __slots__ = ("_capacity", "_per_s", "tokens", "updated")

    def __init__(self, capacity: int, period_s: int, now: float):
        self._capacity = capacity
        self._per_s = capacity / period_s
        self.tokens = float(capacity)
        self.updated = now

    def wait_s(self, amount: float, now: float) -> float:
        """Return in how many seconds `amount` is there; 0: now. More than the capacity waits for a full bucket."""
        # Ingest asks often: min() and max() would take a third of its time here.
        if now > self.updated:
            tokens = self.tokens + (now - self.updated) * self._per_s
            self.tokens = tokens if tokens < self._capacity else float(self._capacity)
            self.updated = now
        missing = (amount if amount < self._capacity else self._capacity) - self.tokens
        return missing / self._per_s if missing > 0 else 0.0

    def take(self, amount: float) -> None:
        """Take an amount. The bucket may owe then: an amount above the capacity is paid back first."""
        self.tokens -= amount

    def is_unused_since(self, then: float) -> bool:
        """Return True if nobody has asked since a time."""
        return self.updated < then


class Quotas:
    """The buckets of all sensors, by name."""

    def __init__(self, limits: Limits):
        self.limits = limits
        self._buckets: dict[tuple[str, str], tuple[Bucket, Bucket]] = {}  # (sensor, quota) -> of the minute, the day
        self._held: dict[str, tuple[tuple[int, int], float]] = {}  # sensor -> ((boot, seq) not admitted, until when)
        self._pruned = 0.0

    def wait_s(self, sensor: str, quota: str, amount: float, now: float) -> float:
        """Take an amount, if it is there, and return 0; else take nothing and return when to ask again, in seconds."""
        of_minute, of_day = self._buckets.get((sensor, quota)) or self._make(sensor, quota, now)
        if (
            amount <= of_minute.tokens
            and amount <= of_day.tokens
            and now - of_minute.updated < REFILL_EVERY_S > now - of_day.updated
        ):
            of_minute.tokens -= amount
            of_day.tokens -= amount
            return 0.0
        wait_s = max(of_minute.wait_s(amount, now), of_day.wait_s(amount, now))
        if not wait_s:
            of_minute.take(amount)
            of_day.take(amount)
        return wait_s

    def admit(self, sensor: str, message: Mapping, highest: int, now: float) -> bool:
        """
        Return True if a new report may be stored.

        message  the decoded report
        highest  the highest seq stored of its boot; 0: none

        After a report that may not, the later ones may not either until it comes again, so that they leave no gap;
        but not for longer than HELD_S, because it may never come again.
        """
        number = (message["boot"], message["seq"])
        held, until = self._held.get(sensor, (number, now))
        if held < number and now < until:
            return False
        jump = message["seq"] - highest
        if message["kind"] == messages.DROPPED:
            jump = message["body"]["first"] - highest
        wait_s = 0.0
        if jump > self.limits.seq_jump:
            return False
        if jump > 1 or not highest:
            wait_s = self.wait_s(sensor, GAPS, 1, now)
        if not wait_s and message["kind"] == messages.FINDING:
            is_alarm = level_of(message["body"]) == finding.ALARM
            wait_s = self.wait_s(sensor, FINDINGS if is_alarm else NOTICES, 1, now)
        if wait_s > 0:
            self._held[sensor] = (number, now + HELD_S)
            return False
        self._held.pop(sensor, None)
        return True

    def _make(self, sensor, quota, now):
        minute, day = self.limits.amounts[quota]
        buckets = self._buckets[sensor, quota] = (Bucket(minute, 60, now), Bucket(day, _DAY_S, now))
        self._prune(now)
        return buckets

    def _prune(self, now):
        """Forget full buckets once an hour."""
        if now - self._pruned < 3600:
            return
        self._pruned = now
        for key in [key for key, (_, of_day) in self._buckets.items() if of_day.is_unused_since(now - _MAX_IDLE_S)]:
            del self._buckets[key]
