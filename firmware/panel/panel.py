"""
The panel as a whole: light, buzzer, display and battery, as far as they are fitted.

    panel = Panel(board, fitted, facts)
    panel.begin()
    panel.show(signal.LISTENING)
    await panel.run()                  # for ever; a display that fails is left out, nothing else stops

Works without any network. What the button does is in by_hand.py.
"""

import asyncio
import time
from collections import namedtuple

from firmware.panel.signal import LOST, LOW_BATTERY, Signal, beat, step_of

LED, BUZZER, BUTTON, BATTERY, OLED, NRF24 = "led", "buzzer", "button", "battery", "oled", "nrf24"

DRAW_MS = 500
WEIGH_MS = 60_000
LOW_PERCENT = 10
COVERED_MS = 3000  # on one channel: as the server asks of an inspection (server/services/inspecting/coverage.py)
MOST_FOUND = 6

# device      the sensor's name
# word        what it does, up to 10 characters
# for_s       since when, in seconds; None where that says nothing
# channels    the channels of the settings
# connected   the broker is reached, or was in the last upload
# waiting     reports that are not confirmed yet
# hint        what the button does now, up to 16 characters
Facts = namedtuple("Facts", ("device", "word", "for_s", "channels", "connected", "waiting", "hint"))


class Panel:
    """
    board   a module of firmware/boards
    fitted  names of the parts that are there, see ansim/settings.py
    facts   facts() returns a Facts; asked only if there is a display

    found    {subject: (channel, rssi_dbm)} of what is raised now, MOST_FOUND at most
    failed   names of the checks that the last self-test found wanting
    reading  (subject, a proximity Reading's levels and trend) while a signal is followed, else None
    """

    def __init__(self, board, fitted, facts):
        self.found = {}
        self.failed = []
        self.reading = None
        self.battery_percent = None
        self._board = board
        self._fitted = list(fitted)
        self._facts = facts
        self._signal = Signal(board.LED if LED in fitted else None, board.LED_ON, self._pin(BUZZER, board.BUZZER))
        self._screen = None
        self._covered = {}  # channel -> ms
        self._weighed_ms = None
        self.show = self._signal.show
        self.play = self._signal.play

    @property
    def fitted(self) -> list:
        """The parts that are there and answer."""
        return self._fitted

    def begin(self) -> None:
        """Look for what is fitted."""
        if OLED in self._fitted:
            from firmware.panel.screen import Screen

            self._screen = Screen(self._board.OLED)
            self._try(self._screen.begin)
        self._weigh()

    async def run(self) -> None:
        """Blink, sound, draw and weigh the battery for ever."""
        tasks = [self._signal.run()]
        if self._screen or BATTERY in self._fitted:
            tasks.append(self._watch())
        await asyncio.gather(*tasks)

    def take(self, finding, is_raised: bool) -> None:
        """Remember what is raised, so that it can be followed without a server."""
        if not is_raised:
            self.found.pop(finding.subject, None)
        elif finding.subject in self.found or len(self.found) < MOST_FOUND:
            self.found[finding.subject] = (finding.channel, finding.rssi_dbm)

    def forget(self) -> None:
        """A new inspection: nothing is found or covered yet."""
        self.found.clear()
        self._covered.clear()

    def cover(self, channels) -> None:
        """Add the rows of a sweep report: what was listened to."""
        for row in channels:
            self._covered[row[0]] = min(COVERED_MS, self._covered.get(row[0], 0) + row[1])

    def covered_permille(self, channels) -> int:
        """Return how much of the listening an inspection needs has been done."""
        done = sum([self._covered.get(channel, 0) for channel in channels])
        return done * 1000 // (COVERED_MS * len(channels))

    def follow(self, subject, rssi_dbm, smoothed_dbm, sigma_db, trend) -> None:
        """Show and sound the level of the signal that is followed."""
        self.reading = (subject, smoothed_dbm, trend)
        self.show(LOST if trend == "lost" else beat(step_of(smoothed_dbm)))

    def _pin(self, part, number):
        return number if part in self._fitted else None

    async def _watch(self):
        while True:
            await asyncio.sleep_ms(DRAW_MS)
            self._weigh()
            if self._screen:
                self._try(lambda: self._screen.draw(self._facts(), self))  # pyright: ignore[reportOptionalMemberAccess]

    def _try(self, work):
        """A loose wire of the display stops nothing."""
        try:
            work()
        except OSError as error:
            print("display:", error)
            self._screen = None
            self._fitted.remove(OLED)

    def _weigh(self):
        now_ms = time.ticks_ms()
        if BATTERY not in self._fitted or (
            self._weighed_ms is not None and time.ticks_diff(now_ms, self._weighed_ms) < WEIGH_MS
        ):
            return
        from firmware.panel import battery

        self._weighed_ms = now_ms
        self.battery_percent = percent = battery.percent(self._board)
        if percent is not None and percent <= LOW_PERCENT:
            self.play(LOW_BATTERY)
