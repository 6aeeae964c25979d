"""
The panel: light, buzzer, display and battery, as far as they are fitted.

    panel = Panel(board, fitted, status)
    panel.begin()
    panel.show(signal.LISTENING)
    await panel.run()                  # for ever; a display that fails is dropped, the rest goes on

Works without a network. Actions of the button are in inspecting/button_actions.py.
"""

import asyncio
import time
from collections import namedtuple

from ansim.finding import ALARM, CLEARED, RAISED, is_new_alarm
from firmware.panel import signal
from firmware.panel.signal import LOST, LOW_BATTERY, Signal, beat, step_of

LED, BUZZER, BUTTON, BATTERY, OLED, NRF24 = "led", "buzzer", "button", "battery", "oled", "nrf24"

DRAW_MS = 500
BATTERY_MS = 60_000
LOW_PERCENT = 10
COVERED_MS = 3000  # for each channel, as in server/services/inspecting/coverage.py
MAX_FINDINGS = 6
SHOW_FINDING_MS = 60_000

# device      the sensor's name
# activity    up to 10 characters
# elapsed_s   seconds since the activity began; None if not shown
# channels    the channels of the settings
# connected   the broker is connected, or was in the last upload
# waiting     number of reports that are not confirmed yet
# hint        what the button does now, up to 16 characters
DisplayStatus = namedtuple(
    "DisplayStatus", ("device", "activity", "elapsed_s", "channels", "connected", "waiting", "hint")
)


class Panel:
    """
    board   a module of firmware/boards
    fitted  names of the fitted parts, see ansim/settings.py
    status  function that returns a DisplayStatus; called only if there is a display

    findings         {subject: (channel, rssi_dbm, is_alarm)} of raised findings, at most MAX_FINDINGS
    failed           names of the checks that failed in the last self-test
    reading          (subject, smoothed_dbm, trend) while a signal is followed, else None
    battery_percent  None if it is not known
    """

    def __init__(self, board, fitted, status):
        self.findings = {}
        self.failed = []
        self.reading = None
        self.battery_percent = None
        self._board = board
        self._fitted = list(fitted)
        self._status = status
        self._signal = Signal(board.LED if LED in fitted else None, board.LED_ON, self._pin(BUZZER, board.BUZZER))
        self._screen = None
        self._listened_ms = {}  # by channel
        self._alarm_until_ms = self._notice_until_ms = 0  # shown by the light, of the clock passed to announce()
        self._battery_ms = None  # when the battery was read
        self.show = self._signal.show
        self.play = self._signal.play

    @property
    def fitted(self) -> list:
        """The fitted parts that answer."""
        return self._fitted

    def begin(self) -> None:
        """Start the display and read the battery, if fitted."""
        if OLED in self._fitted:
            from firmware.panel.screen import Screen

            self._screen = Screen(self._board.OLED)
            self._draw(self._screen.begin)
        self._read_battery()

    async def run(self) -> None:
        """Run the light and the buzzer, draw the display and read the battery for ever."""
        tasks = [self._signal.run()]
        if self._screen or BATTERY in self._fitted:
            tasks.append(self._refresh())
        await asyncio.gather(*tasks)

    def record_finding(self, finding, is_raised: bool) -> None:
        """
        Keep a raised finding, so that it can be followed without a server; remove a cleared one.

        If there is no room, an alarm replaces the weakest notice.
        """
        if not is_raised:
            self.findings.pop(finding.subject, None)
            return
        is_alarm = finding.level == ALARM
        if finding.subject not in self.findings and len(self.findings) >= MAX_FINDINGS:
            notices = [subject for subject in self.findings if not self.findings[subject][2]]
            if not is_alarm or not notices:
                return
            del self.findings[min(notices, key=lambda subject: self.findings[subject][1])]
        self.findings[finding.subject] = (finding.channel, finding.rssi_dbm, is_alarm)

    def announce(self, finding, now_ms: int) -> None:
        """Take a Finding: keep or remove it, and show and sound a new one."""
        self.record_finding(finding, finding.event != CLEARED)
        if is_new_alarm(finding) or finding.event == RAISED:
            if finding.level == ALARM:
                self._alarm_until_ms = now_ms + SHOW_FINDING_MS
            else:
                self._notice_until_ms = now_ms + SHOW_FINDING_MS
            self.play(signal.ALARM if finding.level == ALARM else signal.NOTICE)

    def show_listening(self, is_inspecting: bool, now_ms: int) -> None:
        """Show that the sensor listens, and for SHOW_FINDING_MS that it has a new finding."""
        self.reading = None
        if now_ms < self._alarm_until_ms:
            self.show(signal.FOUND)
        elif now_ms < self._notice_until_ms:
            self.show(signal.NOTICED)
        else:
            self.show(signal.INSPECTING if is_inspecting else signal.LISTENING)

    def reset(self) -> None:
        """Clear findings and coverage for a new inspection."""
        self.findings.clear()
        self._listened_ms.clear()

    def add_coverage(self, channels) -> None:
        """Add the channel rows of a sweep report."""
        for row in channels:
            self._listened_ms[row[0]] = min(COVERED_MS, self._listened_ms.get(row[0], 0) + row[1])

    def covered_permille(self, channels) -> int:
        """Return the share of the listening that an inspection needs, up to 1000."""
        listened_ms = sum([self._listened_ms.get(channel, 0) for channel in channels])
        return listened_ms * 1000 // (COVERED_MS * len(channels))

    def show_reading(self, subject, rssi_dbm, smoothed_dbm, sigma_db, trend) -> None:
        """Show and sound the level of the followed signal."""
        self.reading = (subject, smoothed_dbm, trend)
        self.show(LOST if trend == "lost" else beat(step_of(smoothed_dbm)))

    def _pin(self, part, number):
        return number if part in self._fitted else None

    async def _refresh(self):
        while True:
            await asyncio.sleep_ms(DRAW_MS)
            self._read_battery()
            if self._screen:
                self._draw(lambda: self._screen.draw(self._status(), self))  # pyright: ignore[reportOptionalMemberAccess]

    def _draw(self, draw):
        """Call draw(); drop the display if it does not answer, as with a loose wire."""
        try:
            draw()
        except OSError as error:
            print("display:", error)
            self._screen = None
            self._fitted.remove(OLED)

    def _read_battery(self):
        now_ms = time.ticks_ms()
        if BATTERY not in self._fitted or (
            self._battery_ms is not None and time.ticks_diff(now_ms, self._battery_ms) < BATTERY_MS
        ):
            return
        from firmware.panel import battery

        self._battery_ms = now_ms
        self.battery_percent = percent = battery.read_percent(self._board)
        if percent is not None and percent <= LOW_PERCENT:
            self.play(LOW_BATTERY)
