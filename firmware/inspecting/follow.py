"""
Follow one emitter to its source: stay on its channel and say how strong it is, twice a second.

    follower = Follower(address_bytes, until_ms, tell)
    listener.follow(follower)        # hands it the levels and the time, until it is over
"""

from ansim.detect.proximity import Proximity
from ansim.frame_header import address_text

TELL_MS = 500


class Follower:
    """
    address   six bytes of the transmitter
    until_ms  when it ends, by the sensor's clock
    tell      function(subject, rssi_dbm, smoothed_dbm, sigma_db, trend), may drop what it gets
    """

    def __init__(self, address: bytes, until_ms: int, tell):
        self.address = address
        self.heard = Proximity()
        self._until_ms = until_ms
        self._tell = tell
        self._told_ms = 0

    def tick(self, now_ms: int) -> bool:
        """Tell how strong it is if that is due; False when it is over."""
        if now_ms - self._told_ms >= TELL_MS:
            self._told_ms = now_ms
            reading = self.heard.reading(now_ms)
            self._tell(
                address_text(self.address), reading.rssi_dbm, reading.smoothed_dbm, reading.sigma_db, reading.trend
            )
        return now_ms < self._until_ms
