"""
Stimulus: test whether a stream follows movement in this room.

A camera's encoder sends more when the picture moves. The panel or the phone asks for
movement (or for switching the light on and off) in some slots and for stillness in the
others, the sensor stays on the stream's channel, and this test correlates the stream's bytes
with the slots:

    test = Stimulus("c0:ff:ee:00:00:01", plan_slots(seed=7))
    test.begin(now_ms)                       # when the first slot is announced
    test.listening(from_ms, to_ms)           # for each stay on the channel
    test.take(records, count, now_ms)        # header records from the sniffer
    result = test.result()                   # Result(subject, slots, p_ppm, effect_permille, heard_permille)

The test shifts the slots circularly around the series. The statistic is the difference of the
mean level (see _level) between movement and stillness, maximised over the delays that a
person and an encoder can have; p is the share of shifts with a statistic as high as the true
one. The shifts are multiples of the width of the delay window, so they form a group and p is
exact for any series, with or without key frames. Its minimum is one over the number of
shifts: 120 s give 120 shifts and p >= 0.0083.

The slots must be irregular, because regular ones repeat after a shift by one period; use
plan_slots().

Only more bytes during movement count as a response. Fewer bytes would fit some encoders too, but
also any other stream: the moving person is sometimes between it and the sensor. Retransmitted
frames are left out for the same reason: the body causes losses.

Legitimate causes of a response: a video call in the same room; at p = 0.01, one in a hundred
of any streams. No response does not prove that the stream is harmless: the movement may have
been outside the picture, the encoder may have a constant rate (most of these were missed, see
tools/traffic/stimulus_data/README.md), or too little was heard.

Source: Singh et al., SnoopDog, USENIX Security 2021 (traffic follows motion); Liu et al.,
MobiSys 2018 (light). Circular-shift test: as for spike trains, Harrison et al., Neural
Computation 27 (2015).
"""

from array import array
from collections import namedtuple

from ansim.frame_header import ADDR2, FLAG_RETRY, FLAGS, LENGTH, RECORD_BYTES, TIME_WRAPS_AT, address_bytes

BIN_MS = 100
MAX_BINS = 1200  # 120 s: 6 kB at its end
MIN_BINS = 300  # 30 s: 30 shifts
HEARD_MS = 80  # a bin with less listening time is left out
MIN_HEARD = 50  # heard bins of movement, and of stillness, that are needed

# The shortest and longest delay from the announcement of a slot to the change in the traffic: a person reacts in
# 0.2-0.7 s, an encoder and its network take 0.1-0.4 s.
FIRST_LAG = 2  # bins
LAGS = 10  # bins; also the step of the shifts

SURE_PPM = 10000  # p <= 0.01
UNSURE_PPM = 100000
MIN_HEARD_PERMILLE = 600

RESPONDS, NO_RESPONSE, UNCLEAR = "responds", "no_response", "unclear"

# subject          address text
# slots            number of slots
# p_ppm            p-value in parts per million, 0..1000000
# effect_permille  bytes per second in movement over those in stillness, minus one
# heard_permille   share of the slots' time in which the sensor listened
Result = namedtuple("Result", ("subject", "slots", "p_ppm", "effect_permille", "heard_permille"))

_UNHEARD = 255  # more than any level


class BadSlots(ValueError):
    """These slots cannot be used for a test; the text says why."""


def verdict(p_ppm: int, heard_permille: int) -> str:
    """Return RESPONDS, NO_RESPONSE (which proves nothing) or UNCLEAR (repeat the test)."""
    if heard_permille < MIN_HEARD_PERMILLE:
        return UNCLEAR
    if p_ppm <= SURE_PPM:
        return RESPONDS
    return NO_RESPONSE if p_ppm > UNSURE_PPM else UNCLEAR


class Stimulus:
    """
    One test of one emitter.

    subject  address text of the transmitter
    slots    rows (start_ms, length_ms, 1 movement or 0 stillness), in order of time, counted from begin();
             time in no slot counts as stillness

    Raises BadSlots.
    """

    def __init__(self, subject: str, slots: list):
        self.subject = subject
        self._address = address_bytes(subject)
        self._slots = len(slots)
        self._marks = []  # (first bin, bins) of the movement slots
        end = 0
        for start_ms, length_ms, mark in slots:
            if start_ms < end:
                raise BadSlots("slots overlap or are out of order")
            end = start_ms + length_ms
            if mark:
                self._marks.append((start_ms // BIN_MS, end // BIN_MS - start_ms // BIN_MS))
        self._bins = end // BIN_MS // LAGS * LAGS
        if not MIN_BINS <= self._bins <= MAX_BINS:
            raise BadSlots("slots take %d s, should be %d..%d" % (end // 1000, MIN_BINS // 10, MAX_BINS // 10))
        if not self._marks:
            raise BadSlots("no slot asks for movement")
        self._bytes = array("H", range(self._bins))  # from a range, which needs no second block of the heap
        self._heard_ms = bytearray(self._bins)
        self.begin(0)
        self._begun = False

    def begin(self, at_ms: int) -> None:
        """Start the test: the first slot is announced now. Forgets what was heard before."""
        self._begun = True
        self._begin_ms = at_ms
        for place in range(self._bins):
            self._bytes[place] = self._heard_ms[place] = 0

    def over(self, now_ms: int) -> bool:
        """Return True once the last slot has ended."""
        return self._begun and now_ms - self._begin_ms >= self._bins * BIN_MS

    def listening(self, from_ms: int, to_ms: int) -> None:
        """Note that the sniffer was on the emitter's channel from `from_ms` to `to_ms`. Periods must not overlap."""
        at = max(0, from_ms - self._begin_ms)
        end = min(self._bins * BIN_MS, to_ms - self._begin_ms)
        while at < end:
            place = at // BIN_MS
            until = min(end, (place + 1) * BIN_MS)
            self._heard_ms[place] = min(BIN_MS, self._heard_ms[place] + until - at)
            at = until

    def frame(self, at_ms: int, length_bytes: int) -> None:
        """Count a frame of the emitter."""
        place = (at_ms - self._begin_ms) // BIN_MS
        if 0 <= place < self._bins:
            self._bytes[place] = min(65535, self._bytes[place] + length_bytes)

    def take(self, records: bytes | bytearray | memoryview, count: int, now_ms: int) -> None:
        """
        Take `count` header records of 36 bytes, the newest of them heard at `now_ms`; those of other emitters are
        skipped.
        """
        newest_us = None
        address = self._address
        for at in range((count - 1) * RECORD_BYTES, -1, -RECORD_BYTES):
            if newest_us is None:
                newest_us = _whole(records, at, 4)
            if not records[at + FLAGS] & FLAG_RETRY and records[at + ADDR2 : at + ADDR2 + 6] == address:
                ago_ms = (newest_us - _whole(records, at, 4)) % TIME_WRAPS_AT // 1000
                self.frame(now_ms - ago_ms, _whole(records, at + LENGTH, 2))

    def result(self) -> Result:
        """
        Return the Result. Takes about half a second and 3 kB on an ESP32, so call it when the test is over.

        p_ppm is 1000000 and the effect 0 if too little of movement or of stillness was heard.
        """
        heard = sum(self._heard_ms)
        heard_permille = heard * 1000 // (self._bins * BIN_MS)
        differences = self._differences(self._levels())
        true, lag = _best(differences)
        moved, still = self._bytes_at(lag)
        if true is None or not still:
            return Result(self.subject, self._slots, 1000000, 0, heard_permille)
        shifts = self._bins // LAGS
        as_good = 1
        for _ in range(1, shifts):
            shifted, _ = _best(differences)
            # A shift that cannot be judged counts against a response.
            if shifted is None or shifted >= true:
                as_good += 1
        effect = max(-1000, min(100000, moved * 1000 // still - 1000))
        return Result(self.subject, self._slots, as_good * 1000000 // shifts, effect, heard_permille)

    def _levels(self):
        """
        Return the level of each bin, _UNHEARD where too little was heard; as bytes, because a fragmented heap has no
        large block.
        """
        levels = bytearray(self._bins)
        for place in range(self._bins):
            heard_ms = self._heard_ms[place]
            good = heard_ms >= HEARD_MS
            levels[place] = _level(self._bytes[place] * BIN_MS // heard_ms) if good else _UNHEARD
        return levels

    def _differences(self, levels):
        """
        Yield 1,000 times the mean level in movement minus that in stillness, for each lag from FIRST_LAG on, once
        around.

        Yields None where too little of one of them was heard.
        """
        bins = self._bins
        total = heard = moved = number = 0
        for level in levels:
            if level != _UNHEARD:
                total += level
                heard += 1
        for start, length in self._marks:
            for place in range(start + FIRST_LAG, start + FIRST_LAG + length):
                level = levels[place % bins]
                if level != _UNHEARD:
                    moved += level
                    number += 1
        for lag in range(FIRST_LAG, FIRST_LAG + bins):
            others = heard - number
            if number < MIN_HEARD or others < MIN_HEARD:
                yield None
            else:
                yield moved * 1000 // number - (total - moved) * 1000 // others
            for start, length in self._marks:  # move each slot by one bin
                level = levels[(start + lag) % bins]
                if level != _UNHEARD:
                    moved -= level
                    number -= 1
                level = levels[(start + lag + length) % bins]
                if level != _UNHEARD:
                    moved += level
                    number += 1

    def _bytes_at(self, lag):
        """Return the mean bytes per bin, times 100, in movement and in stillness at this delay."""
        sums, numbers = [0, 0], [0, 0]
        if lag is None:
            return 0, 0
        marked = bytearray(self._bins)
        for start, length in self._marks:
            for place in range(start, start + length):
                marked[(place + lag) % self._bins] = 1
        for place in range(self._bins):
            heard_ms = self._heard_ms[place]
            if heard_ms >= HEARD_MS:
                sums[marked[place]] += self._bytes[place] * BIN_MS // heard_ms
                numbers[marked[place]] += 1
        return [sums[mark] * 100 // (numbers[mark] or 1) for mark in (1, 0)]


def _best(differences):
    """Return (the best of the next LAGS differences, its lag): the maximum over the delays of one shift."""
    best = best_lag = None
    for lag in range(FIRST_LAG, FIRST_LAG + LAGS):
        difference = next(differences)
        if difference is not None and (best is None or difference > best):
            best, best_lag = difference, lag
    return best, best_lag


def plan_slots(seed: int, seconds: int = 120) -> list:
    """
    Return irregular slots as rows (start_ms, length_ms, 1 movement | 0 stillness), at most 40.

    seed     int
    seconds  total length, 30..120

    Draws eight plans and returns the one with the lowest autocorrelation.
    """
    best, least = [], seconds + 1
    for attempt in range(8):
        rows = _draw(seed * 8 + attempt, seconds)
        alike = _likeness(rows, seconds)
        if alike < least:
            best, least = rows, alike
    return best


def _draw(seed, seconds):
    state = seed * 7919 % 65521 + 1
    rows = []
    at, mark = 0, 0
    while at < seconds:
        state = state * 17364 % 65521
        length = 3 + state % 5  # less than 3 s is hard to follow, more than 7 s gives few changes
        if seconds - at - length < 3:
            length = seconds - at
        rows.append((at * 1000, length * 1000, mark))
        at += length
        mark = 1 - mark
    return rows


def _likeness(rows, seconds):
    """
    Return the maximum number of seconds (0..seconds) in which the slots agree with themselves shifted by 2 s or more.
    """
    marks = []
    for _, length_ms, mark in rows:
        marks.extend([mark] * (length_ms // 1000))
    worst = 0
    for shift in range(2, seconds // 2 + 1):
        alike = sum([1 for at in range(seconds) if marks[at] == marks[(at + shift) % seconds]])
        worst = max(worst, alike)
    return worst


def _level(count):
    """
    Return about 16 * log2(1 + count / 64), so that a key frame of 50 kB weighs as much as a few P frames, not a
    hundred.

    Linear between the powers of two, so that both interpreters get identical values.
    """
    count += 64
    power = 6
    while count >> (power + 1):
        power += 1
    return 16 * (power - 6) + (count * 16 >> power) - 16


def _whole(data, at, size):
    value = 0
    for index in range(size):
        value |= data[at + index] << 8 * index
    return value
