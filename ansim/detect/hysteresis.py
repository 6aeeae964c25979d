"""
Hysteresis of findings: when a changing score raises, updates or clears one.

    alarm = Alarm()
    event = hysteresis.event(score, rssi_dbm, now_ms)      # RAISED, UPDATED, CLEARED or None

Used by the detectors that get evidence only occasionally (scans, advertisements, spectra).
"""

import binascii

from ansim.finding import ALARM_SCORE, CLEARED, RAISED, UPDATED, Evidence

CLEAR_BELOW = ALARM_SCORE - 10  # a score that swings by less than this around the threshold stays raised
UPDATE_POINTS = 10  # a change of the score that is worth a report
UPDATE_DB = 6  # twice as near in the open: the inspector is walking towards it
MAX_SILENT_S = 86400  # a day is enough, and a month in milliseconds does not fit into the report
UPDATE_EVERY_MS = 10000  # to save journal and air time: at most six reports a minute about one emitter


class Alarm:
    """The state of one emitter's finding, as last reported."""

    def __init__(self):
        self.raised = False
        self._score = 0
        self._rssi_dbm = -128
        self._at_ms = 0

    def event(self, score: int, rssi_dbm: int, now_ms: int) -> str | None:
        """Return RAISED, UPDATED or CLEARED for this score (0..100; 0 when the emitter is gone), or None."""
        event = None
        if not self.raised:
            if score >= ALARM_SCORE:
                event = RAISED
        elif score < CLEAR_BELOW:
            event = CLEARED
        elif now_ms - self._at_ms >= UPDATE_EVERY_MS and (
            abs(score - self._score) >= UPDATE_POINTS or rssi_dbm >= self._rssi_dbm + UPDATE_DB
        ):
            event = UPDATED
        if event:
            self.raised = event != CLEARED
            self._score = score
            self._rssi_dbm = rssi_dbm
            self._at_ms = now_ms
        return event


def total(evidence: list) -> int:
    """Return the score 0..100 of a list of Evidence."""
    return max(0, min(100, sum([row.weight for row in evidence])))


def silent(last_ms: int, now_ms: int, gone_ms: int) -> list:
    """Return the evidence of a finding that is cleared because its emitter was not heard for `gone_ms`."""
    return [Evidence("silent_s", min(MAX_SILENT_S, (now_ms - last_ms) // 1000), gone_ms // 1000, 0)]


def fingerprint(address: bytes, content: bytes = b"") -> int:
    """Return a 30-bit hash of an address and what it sent; MicroPython's hash() has only 8 or 16 bits."""
    return binascii.crc32(content, binascii.crc32(address)) & 0x3FFFFFFF


def make_room(rows: dict, most: int, score: int, now_ms: int) -> bool:
    """
    Return True if a table of at most `most` rows has room for a suspect with `score`; the weakest row may be removed.

    rows  address -> row with .alarm (an Alarm) and .evidence(now_ms)

    Raised rows are never removed, nor rows that are as strong as the new one.
    """
    if len(rows) < most:
        return True
    weakest, lowest = None, score
    for address in rows:
        row = rows[address]
        points = total(row.evidence(now_ms))
        if not row.alarm.raised and points < lowest:
            weakest, lowest = address, points
    if weakest is None:
        return False
    del rows[weakest]
    return True


def strongest_first(evidence: list) -> list:
    """Return the evidence sorted by absolute weight, heaviest first; equal ones keep their order."""
    # MicroPython's sort is not stable, so the index is part of the key.
    order = sorted(range(len(evidence)), key=lambda index: index - 64 * abs(evidence[index].weight))
    return [evidence[index] for index in order]


def distance_verdict(rssi_dbm: int, far_dbm: int, near_dbm: int) -> str:
    """Return the verdict on the cause "neighbour_device": for a weak signal "for", for a strong one "against"."""
    if rssi_dbm <= far_dbm:
        return "for"
    return "against" if rssi_dbm >= near_dbm else "open"
