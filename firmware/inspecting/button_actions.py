"""
What the button does, with no server needed:

    short     start a sweep, or stop the one the button has started; end following
    1 s       follow the strongest camera-like signal; again: the next one, then none
    5 s       self-test
    10 s      send the test signal for a sensor that is being tested (emitter.py)

A sweep that was started by hand has an id of its own, u<boot>-<number>; somebody assigns it to a
restroom later. An inspection that was started on the server is stopped there, not by a button that
was touched in a pocket.
"""

from firmware.inspecting.inspection import BUTTON
from firmware.inspecting.radio_jobs import EMITTER
from firmware.panel import signal
from firmware.panel.button import LONG, LONGER, LONGEST, SHORT

FOLLOW_S = 300


class ByHand:
    """
    inspection, panel  as in inspection.py, panel/panel.py
    orders             an orders.Orders, which follows signals
    boot               function that returns the number of this start
    asked              an asked.Asked
    """

    def __init__(self, inspection, panel, orders, boot, asked):
        self._inspection = inspection
        self._panel = panel
        self._orders = orders
        self._boot = boot
        self._asked = asked
        self._number = 0
        self._followed = []

    def held(self, stage: int) -> None:
        """The button has been down long enough for this."""
        self._panel.play(signal.HOLD)

    def pressed(self, stage: int) -> None:
        """The button came up."""
        if stage == SHORT:
            self._short()
        elif stage == LONG:
            self._follow_next()
        elif stage in (LONGER, LONGEST) and not self._inspection.id:
            self._asked.want({} if stage == LONGER else EMITTER)
        else:
            self._panel.play(signal.REFUSED)

    def hint(self) -> str:
        """Return what a press would do now, in 16 characters."""
        if self._asked.address:
            return self._asked.address.replace(":", "")
        if self._orders.follows:
            return "press: stop"
        if self._panel.found:
            return "hold 1s: follow"
        if not self._inspection.id:
            return "press: sweep"
        return "press: end sweep" if self._is_ours() else "end it on phone"

    def _short(self):
        inspection = self._inspection
        if self._asked.stop():
            return
        if self._orders.follows:
            self._end_following()
        elif not inspection.id:
            self._number += 1
            inspection.start("u%d-%d" % (self._boot(), self._number), [], BUTTON)
            self._panel.play(signal.STARTED)
        elif self._is_ours():
            inspection.stop(BUTTON)
            self._panel.play(signal.STOPPED)
        else:
            self._panel.play(signal.REFUSED)

    def _is_ours(self):
        return self._inspection.id[0] == "u" and "-" in self._inspection.id

    def _follow_next(self):
        if not self._orders.follows:
            self._followed = []
        found = self._panel.found
        left = [one for one in found if one not in self._followed and found[one][0]]
        if left:
            subject = max(left, key=lambda one: found[one][1])
            self._followed.append(subject)
            if self._orders.follow(subject, found[subject][0], FOLLOW_S):
                self._panel.play(signal.REFUSED)
        elif self._orders.follows:
            self._end_following()
        else:
            self._panel.play(signal.REFUSED)

    def _end_following(self):
        self._orders.unfollow()
        self._panel.play(signal.STOPPED)
