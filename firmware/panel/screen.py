"""
What the display says: eight lines of English, because the display's own letters are ASCII.

    screen = Screen(board.OLED)
    screen.begin()                       # raises OSError
    screen.draw(facts, panel)            # panel.Facts; raises OSError

It says "camera-like" and never more than that: only a person confirms a camera.
"""

from firmware.panel.oled import CHARACTERS, WIDTH, Oled
from firmware.panel.signal import STEPS, step_of

_TRENDS = {"warmer": "nearer", "colder": "farther", "same": "the same", "lost": "not heard"}


class Screen:
    """pins as of an Oled."""

    def __init__(self, pins):
        self._oled = Oled(pins)
        self.begin = self._oled.begin
        self._was_following = False

    def draw(self, facts, panel) -> None:
        """Show a Facts, and what the panel knows."""
        line = self._oled.line
        percent = panel.battery_percent
        right = "" if percent is None else "%d%%" % percent
        line(0, _both(facts.device, right))
        if panel.reading:
            self._draw_reading(panel.reading)
        else:
            time = "" if facts.for_s is None else "%d:%02d" % (facts.for_s // 60, facts.for_s % 60)
            line(1, _both(facts.word, time))
            line(2, "")
            permille = panel.covered_permille(facts.channels)
            line(3, _both("covered", "%d%%" % (permille // 10)), WIDTH * permille // 1000)
            line(4, "FAILED " + panel.failed[0] if panel.failed else "")
            line(5, _both("camera-like", "%d" % len(panel.found)))
            uplink = "" if facts.connected else "offline"
            # In one call: cleared first, it would flicker twice a second.
            line(6, _both(uplink, "%d wait" % facts.waiting) if facts.waiting else uplink)
        line(7, facts.hint)

    def _draw_reading(self, reading):
        subject, smoothed_dbm, trend = reading
        line = self._oled.line
        line(1, "near " + subject[-11:])
        self._oled.big(2, "---" if trend == "lost" else "%d" % smoothed_dbm)
        line(5, _both(_TRENDS[trend], "dBm"))
        filled = 0 if trend == "lost" else WIDTH * (step_of(smoothed_dbm) + 1) // STEPS
        line(6, "", filled)


def _both(left, right):
    """Return a line with one text at its left and one at its right; the left gives way."""
    room = CHARACTERS - len(right)
    left = left[: room - 1] if right else left[:room]
    return left + " " * (room - len(left)) + right
