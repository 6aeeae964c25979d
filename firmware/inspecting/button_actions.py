"""
Actions of the button. They need no server:

    short     start a sweep, or stop the one that the button started; stop following
    1 s       follow the strongest alarm; again: the next one, then the notices, then none
    5 s       self-test
    10 s      send the test signal for another sensor under test (test_signal.py)

A sweep that the button starts has an id of its own, u<boot>-<number>; it is assigned to a restroom
later, on the server. An inspection that was started on the server can be stopped only there, so that
a button touched in a pocket does not end it.
"""

from firmware.inspecting.inspection import BUTTON
from firmware.inspecting.radio_jobs import TEST_SIGNAL
from firmware.panel import signal
from firmware.panel.button import LONG, LONGER, LONGEST, SHORT

FOLLOW_S = 300


class ButtonActions:
    """
    inspection, panel  an Inspection and a Panel
    commands           a CommandHandlers, which follows signals
    boot               function that returns the number of this boot
    jobs               a RadioJobs
    """

    def __init__(self, inspection, panel, commands, boot, jobs):
        self._inspection = inspection
        self._panel = panel
        self._commands = commands
        self._boot = boot
        self._jobs = jobs
        self._number = 0
        self._followed = []

    def on_hold(self, stage: int) -> None:
        """Handle a button that has been down long enough for a stage."""
        self._panel.play(signal.HOLD)

    def on_press(self, stage: int) -> None:
        """Handle a button that was released in a stage."""
        if stage == SHORT:
            self._short_press()
        elif stage == LONG:
            self._follow_next()
        elif stage in (LONGER, LONGEST) and not self._inspection.id:
            if self._jobs.request({} if stage == LONGER else TEST_SIGNAL):
                self._panel.play(signal.REFUSED)
        else:
            self._panel.play(signal.REFUSED)

    def hint(self) -> str:
        """Return what the next press does, in at most 16 characters."""
        if self._jobs.address:
            return self._jobs.address.replace(":", "")
        if self._commands.is_following:
            return "press: stop"
        if self._panel.findings:
            return "hold 1s: follow"
        if not self._inspection.id:
            return "press: sweep"
        return "press: end sweep" if self._is_button_sweep() else "end it on phone"

    def _short_press(self):
        inspection = self._inspection
        if self._jobs.stop():
            return
        if self._commands.is_following:
            self._stop_following()
        elif not inspection.id:
            self._number += 1
            inspection.start("u%d-%d" % (self._boot(), self._number), [], BUTTON)
            self._panel.play(signal.STARTED)
        elif self._is_button_sweep():
            inspection.stop(BUTTON)
            self._panel.play(signal.STOPPED)
        else:
            self._panel.play(signal.REFUSED)

    def _is_button_sweep(self):
        return self._inspection.id[0] == "u" and "-" in self._inspection.id

    def _follow_next(self):
        if not self._commands.is_following:
            self._followed = []
        findings = self._panel.findings
        subjects = [subject for subject in findings if subject not in self._followed and findings[subject][0]]
        if subjects:
            subject = max(subjects, key=lambda subject: (findings[subject][2], findings[subject][1]))
            self._followed.append(subject)
            if self._commands.follow(subject, findings[subject][0], FOLLOW_S):
                self._panel.play(signal.REFUSED)
        elif self._commands.is_following:
            self._stop_following()
        else:
            self._panel.play(signal.REFUSED)

    def _stop_following(self):
        self._commands.stop_following()
        self._panel.play(signal.STOPPED)
