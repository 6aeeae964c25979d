"""
Contents of the display: eight lines in English, because the display's font is ASCII.

    screen = Screen(board.OLED)
    screen.begin()                       # raises OSError
    screen.draw(status, panel)           # a panel.DisplayStatus; raises OSError

"camera-like" counts alarms, "worth a look" notices. There is no stronger word: only a person confirms a camera.
"""

from firmware.panel.oled import CHARACTERS, WIDTH, Oled
from firmware.panel.signal import STEPS, step_of

_TRENDS = {"warmer": "nearer", "colder": "farther", "same": "the same", "lost": "not heard"}


class Screen:
    """pins as of an Oled."""

    def __init__(self, pins):
        self._oled = Oled(pins)
        self.begin = self._oled.begin

    def draw(self, status, panel) -> None:
        """Show a DisplayStatus and the panel's own values."""
        line = self._oled.line
        percent = panel.battery_percent
        right = "" if percent is None else "%d%%" % percent
        line(0, _justify(status.device, right))
        if panel.reading:
            self._draw_reading(panel.reading)
        else:
            time = "" if status.elapsed_s is None else "%d:%02d" % (status.elapsed_s // 60, status.elapsed_s % 60)
            line(1, _justify(status.activity, time))
            alarms = sum([is_alarm for _channel, _rssi_dbm, is_alarm in panel.findings.values()])
            notices = len(panel.findings) - alarms
            line(2, _justify("worth a look", "%d" % notices) if notices else "")
            permille = panel.covered_permille(status.channels)
            line(3, _justify("covered", "%d%%" % (permille // 10)), WIDTH * permille // 1000)
            line(4, "FAILED " + panel.failed[0] if panel.failed else "")
            line(5, _justify("camera-like", "%d" % alarms))
            uplink = "" if status.connected else "offline"
            # In one call, because clearing the line first would flicker twice a second.
            line(6, _justify(uplink, "%d wait" % status.waiting) if status.waiting else uplink)
        line(7, status.hint)

    def _draw_reading(self, reading):
        subject, smoothed_dbm, trend = reading
        line = self._oled.line
        line(1, "near " + subject[-11:])
        self._oled.big(2, "---" if trend == "lost" else "%d" % smoothed_dbm)
        line(5, _justify(_TRENDS[trend], "dBm"))
        filled = 0 if trend == "lost" else WIDTH * (step_of(smoothed_dbm) + 1) // STEPS
        line(6, "", filled)


def _justify(left, right):
    """Return a full line with one text at its left and one at its right; the left one is cut if necessary."""
    width = CHARACTERS - len(right)
    left = left[: width - 1] if right else left[:width]
    return left + " " * (width - len(left)) + right
