"""
The light: what the sensor is doing, in rhythms that need no colour.

    led = Led(board.LED, board.LED_ON)
    led.show(LISTENING)
    await led.run()              # for ever

A rhythm is (lit ms, dark ms, lit ms, dark ms, ...), over and over.
"""

import asyncio
import time

STARTING = (1000, 0)
LISTENING = (40, 2960)
UPLOADING = (40, 160)
FOUND = (500, 500)
IDLE = (40, 9960)
FAULT = (100, 150, 100, 150, 100, 900)  # three quick flashes, a pause: look at the console


class Led:
    """
    One light.

    pin    GPIO number, None if there is none
    level  the level that lights it
    """

    def __init__(self, pin, level: int):
        self._number = pin
        self._level = level
        self._pin = None
        self._rhythm = STARTING
        self._changed = asyncio.Event()

    def show(self, rhythm) -> None:
        """Change to another rhythm, at once."""
        if rhythm is not self._rhythm:
            self._rhythm = rhythm
            self._changed.set()

    async def run(self) -> None:
        """Blink for ever."""
        while True:
            self._changed.clear()
            for place, ms in enumerate(self._rhythm):
                self._set(place % 2 == 0)
                try:
                    await asyncio.wait_for_ms(self._changed.wait(), ms)
                    break
                except asyncio.TimeoutError:
                    pass

    def blink_for(self, rhythm, ms: int) -> None:
        """Blink without a scheduler, when there is nothing else to run."""
        until_ms = time.ticks_add(time.ticks_ms(), ms)
        while time.ticks_diff(until_ms, time.ticks_ms()) > 0:
            for place, step_ms in enumerate(rhythm):
                self._set(place % 2 == 0)
                time.sleep_ms(step_ms)

    def _set(self, is_lit):
        if self._number is None:
            return
        if self._pin is None:
            from machine import Pin

            self._pin = Pin(self._number, Pin.OUT)
        self._pin.value(self._level if is_lit else 1 - self._level)
