"""
Proximity: whether the sensor moves towards one emitter or away from it.

    near = Proximity()
    near.add(at_ms, rssi_dbm)          # each frame of the emitter
    reading = near.reading(now_ms)     # Reading(rssi_dbm, smoothed_dbm, sigma_db, trend, halvings)

The level of single frames varies by 10 dB within 10 cm (fading), and the wearer's body in
between attenuates by 5-10 dB. So frames are averaged over half a second, and the level is
that of the strongest three of the last twelve half seconds: turning round changes nothing,
an approach shows at once, and moving away shows when the strong half seconds are 6 s old (at
once if the change is more than a body can cause).

`halvings` says how often the distance has halved since the start (negative: doubled). It
changes by one step at a time, and only well past the step, so it does not jump.

Sources of error: an emitter that changes its power, an access point that switches antennas,
a metal door in between. The other end of a stream (its access point) is another emitter:
compare only readings of one subject.

Source: log-distance path loss with exponent 2.3 (indoor, same room) to 2.7, ITU-R P.1238;
body shadow 5-10 dB at 2.4 GHz and Rician fading as simulated in
tests/support/walks.py, which also measures this file's figures.
"""

from array import array
from collections import namedtuple

WARMER, COLDER, SAME, LOST = "warmer", "colder", "same", "lost"

BUCKET_MS = 500  # at 0.6 m/s some 2.5 wavelengths: fading averages out if there are enough frames
BUCKETS = 12  # 6 s, longer than a person faces away
STRONGEST = 3
BACK = 8  # buckets: compare with 4 s ago
STEP_16 = 16  # all levels are in 1/16 dB

WARMER_16 = 4 * STEP_16  # change within 4 s; at rest the smoothed level varies by 2 dB (one sigma)
COLDER_16 = 5 * STEP_16
CALM_16 = 2 * STEP_16  # hysteresis of "same"
DEEP_16 = 14 * STEP_16  # more than a body attenuates
DEEP_BUCKETS = 3
LOST_MS = 6000
SIGMA_MAX_DB = 30

HALVING_16 = 7 * STEP_16  # half the distance at a path loss exponent of 2.3
HALVING_SURE_16 = 5 * STEP_16  # distance beyond the last step before halvings changes
START_BUCKETS = 4  # 2 s: the reference for the distance

# rssi_dbm      of the newest frame
# smoothed_dbm  level with fading and body attenuation removed
# sigma_db      its uncertainty, one sigma
# trend         WARMER, COLDER, SAME or LOST
# halvings      int, how often the distance has halved since the start
Reading = namedtuple("Reading", ("rssi_dbm", "smoothed_dbm", "sigma_db", "trend", "halvings"))


class Proximity:
    """Follow the level of one emitter."""

    def __init__(self):
        self._rssi_dbm = -128
        self._heard = False
        self._last_ms = 0
        self._bucket = None  # number of the current half second
        self._sum = self._count = 0
        self._levels = array("h", bytes(2 * BUCKETS))  # means of the last half seconds, a ring
        self._filled = 0
        self._smoothed = array("h", bytes(2 * (BACK + 1)))  # the last 4 s of the smoothed level, a ring
        self._rounds = 0
        self._swing = 3 * STEP_16  # mean step between neighbouring half seconds
        self._trend = SAME
        self._start = None
        self._halvings = 0

    def add(self, at_ms: int, rssi_dbm: int) -> None:
        """Take the level of one frame. Frames come in order of time; a late one counts as new."""
        bucket = at_ms // BUCKET_MS
        if self._bucket is not None and bucket > self._bucket:
            self._close()
            if at_ms - self._last_ms >= LOST_MS:
                self._forget_levels()  # the situation may have changed during the silence
        if self._bucket is None or bucket > self._bucket:
            self._bucket = bucket
        self._sum += rssi_dbm
        self._count += 1
        self._rssi_dbm = rssi_dbm
        self._heard = True
        self._last_ms = at_ms

    def reading(self, now_ms: int) -> Reading:
        """Return the current Reading; before the first frame the trend is LOST and the levels are -128."""
        if not self._heard:
            return Reading(-128, -128, SIGMA_MAX_DB, LOST, 0)
        if self._bucket is not None and now_ms // BUCKET_MS > self._bucket:
            self._close()
            self._bucket = None
        silent_ms = max(0, now_ms - self._last_ms)
        trend = LOST if silent_ms >= LOST_MS else self._trend
        if self._rounds:
            # The strongest three are above the mean by half of the step between neighbours (measured on walks).
            level = self._now() - self._swing // 2
            sigma = self._swing * 3 // 4 + abs(self._now() - self._before()) // 2  # it lags behind while walking
        else:
            level = self._sum * STEP_16 // self._count
            sigma = 2 * self._swing
        sigma_db = (sigma + STEP_16 // 2) // STEP_16 + max(0, silent_ms - 1000) // 1000
        smoothed_dbm = max(-128, (level + STEP_16 // 2) // STEP_16)
        return Reading(self._rssi_dbm, smoothed_dbm, max(1, min(SIGMA_MAX_DB, sigma_db)), trend, self._halvings)

    def _close(self):
        """Take the mean of a finished half second."""
        if not self._count:
            return
        level = self._sum * STEP_16 // self._count
        self._sum = self._count = 0
        if self._filled:
            step = abs(level - self._levels[(self._filled - 1) % BUCKETS])
            self._swing += (step - self._swing) // 8
        self._levels[self._filled % BUCKETS] = level
        self._filled += 1
        strongest = sorted(self._levels[: min(self._filled, BUCKETS)])[-STRONGEST:]
        smoothed = sum(strongest) // len(strongest)
        if self._rounds:
            smoothed = (smoothed + self._now()) // 2
        self._smoothed[self._rounds % (BACK + 1)] = smoothed
        self._rounds += 1
        self._judge_trend(smoothed)
        self._judge_distance(smoothed)

    def _now(self):
        return self._smoothed[(self._rounds - 1) % (BACK + 1)]

    def _before(self):
        """Return the smoothed level of 4 s ago, or the oldest one."""
        return self._smoothed[self._rounds % (BACK + 1)] if self._rounds > BACK else self._smoothed[0]

    def _judge_trend(self, smoothed):
        if self._rounds < 3:
            return
        change = smoothed - self._before()
        if change >= WARMER_16:
            self._trend = WARMER
        elif change <= -COLDER_16 or self._deep(smoothed):
            self._trend = COLDER
        else:
            calm = change < WARMER_16 - CALM_16 if self._trend == WARMER else change > CALM_16 - COLDER_16
            if calm:
                self._trend = SAME

    def _deep(self, smoothed):
        """Return True if the last half seconds are all weaker than a body can explain."""
        if self._filled < DEEP_BUCKETS:
            return False
        for back in range(1, DEEP_BUCKETS + 1):
            if self._levels[(self._filled - back) % BUCKETS] > smoothed - DEEP_16:
                return False
        return True

    def _judge_distance(self, smoothed):
        if self._start is None:
            if self._rounds >= START_BUCKETS:
                self._start = smoothed
            return
        past = smoothed - self._start - self._halvings * HALVING_16
        if past >= HALVING_SURE_16:
            self._halvings += 1
        elif past <= -HALVING_SURE_16:
            self._halvings -= 1

    def _forget_levels(self):
        self._filled = self._rounds = 0
        self._trend = SAME
