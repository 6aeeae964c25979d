"""
Follow one transmitter to its source: stay on its channel and report its level twice a second.

    follower = Follower(address_bytes, until_ms, report)
    listener.follow(follower)        # the listener adds the levels and calls tick() until it returns False
"""

from ansim.detect.proximity import Proximity
from ansim.frame_header import address_text

REPORT_MS = 500


class Follower:
    """
    address   six bytes of the transmitter
    until_ms  end, by the sensor's clock
    report    function(subject, rssi_dbm, smoothed_dbm, sigma_db, trend); may drop readings

    proximity  the Proximity that the listener adds levels to
    """

    def __init__(self, address: bytes, until_ms: int, report):
        self.address = address
        self.proximity = Proximity()
        self._until_ms = until_ms
        self._report = report
        self._reported_ms = 0

    def tick(self, now_ms: int) -> bool:
        """Report the level if that is due; return False once the time is over."""
        if now_ms - self._reported_ms >= REPORT_MS:
            self._reported_ms = now_ms
            reading = self.proximity.reading(now_ms)
            self._report(
                address_text(self.address), reading.rssi_dbm, reading.smoothed_dbm, reading.sigma_db, reading.trend
            )
        return now_ms < self._until_ms
