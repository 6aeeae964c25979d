"""
The light and the buzzer: what the sensor is doing, in rhythms that need neither colour nor hearing.

    signal = Signal(board.LED, board.LED_ON, board.BUZZER)
    signal.show(LISTENING)       # from now on
    signal.play(PASSED)          # once, in between
    await signal.run()           # for ever

A pattern is (tone in Hz, on ms, off ms, on ms, off ms, ...); tone 0 is for the light only. The
buzzer, or a vibration motor in its place, follows the light's rhythm, so each sense alone is enough.
docs/sensor.md describes every pattern.
"""

import asyncio
import time

# Shown for as long as it is so.
STARTING = (0, 1000, 0)
LISTENING = (0, 40, 2960)
INSPECTING = (0, 40, 200, 40, 2720)
UPLOADING = (0, 40, 160)
FOUND = (0, 500, 500)
IDLE = (0, 40, 9960)
FAULT = (0, 100, 150, 100, 150, 100, 900)  # look at the console
TESTING = (0, 300, 300)
EMITTING = (0, 900, 100)
LOST = (0, 40, 3960)  # following a signal that is not heard

# Played once.
ALARM = (2400, 400, 200, 400, 200, 400, 600)
STARTED = (1600, 150, 300)
STOPPED = (1600, 150, 150, 150, 300)
HOLD = (1600, 60, 60)  # the button has been held long enough for the next thing
REFUSED = (300, 800, 300)
PASSED = (1600, 1500, 500)
FAILED = (300, 150, 150, 150, 150, 150, 150, 150, 900)
LOW_BATTERY = (600, 60, 240, 60, 240, 60, 600)

# Following a signal: a beat for each step of 8 dB, -90 dBm and less to -34 dBm and more.
STEPS = 8
_WEAKEST_DBM, _STEP_DB = -90, 8
_BEAT_ON_MS = 30
_BEATS_MS = (2000, 1400, 1000, 700, 480, 320, 200, 110)
_TONES_HZ = (500, 650, 800, 1000, 1250, 1600, 2000, 2500)

_LOUD = 32768  # half of each period: a passive buzzer's loudest


def step_of(level_dbm: int) -> int:
    """Return the beat for a level, 0..STEPS - 1; a nearer sender has a higher one."""
    return max(0, min(STEPS - 1, (level_dbm - _WEAKEST_DBM) // _STEP_DB))


def beat(step: int):
    """Return the pattern of a step: faster and higher the nearer it is."""
    return (_TONES_HZ[step], _BEAT_ON_MS, _BEATS_MS[step] - _BEAT_ON_MS)


class Signal:
    """
    pin     GPIO number of the light, None if there is none
    level   the level that lights it
    buzzer  GPIO number of a passive buzzer, None if there is none

    Nothing is switched on before the first pattern runs.
    """

    def __init__(self, pin, level: int, buzzer=None):
        self._number = pin
        self._level = level
        self._buzzer = buzzer
        self._pin = None
        self._pwm = None
        self._pattern = STARTING
        self._once = None
        self._changed = asyncio.Event()

    def show(self, pattern) -> None:
        """Change to another pattern, at once unless one is being played."""
        if pattern != self._pattern:
            self._pattern = pattern
            if self._once is None:
                self._changed.set()

    def play(self, pattern) -> None:
        """Show a pattern once, at once; the last one asked for is the one that plays."""
        self._once = pattern
        self._changed.set()

    async def run(self) -> None:
        """Blink and sound for ever."""
        while True:
            self._changed.clear()
            pattern = self._once or self._pattern
            if await self._go_through(pattern) and pattern is self._once:
                self._once = None

    def blink_for(self, pattern, ms: int) -> None:
        """Blink without a scheduler, when there is nothing else to run."""
        until_ms = time.ticks_add(time.ticks_ms(), ms)
        while time.ticks_diff(until_ms, time.ticks_ms()) > 0:
            for place in range(1, len(pattern)):
                self._set(place % 2 == 1, pattern[0])
                time.sleep_ms(pattern[place])

    async def _go_through(self, pattern):
        """Return False if another pattern is wanted before the end of this one."""
        for place in range(1, len(pattern)):
            self._set(place % 2 == 1, pattern[0])
            try:
                await asyncio.wait_for_ms(self._changed.wait(), pattern[place])
                return False
            except asyncio.TimeoutError:
                pass
        return True

    def _set(self, is_on, tone_hz):
        if self._number is not None:
            if self._pin is None:
                from machine import Pin

                self._pin = Pin(self._number, Pin.OUT)
            self._pin.value(self._level if is_on else 1 - self._level)
        if self._buzzer is not None and (self._pwm or (tone_hz and is_on)):
            self._sound(tone_hz if is_on else 0)

    def _sound(self, tone_hz):
        if self._pwm is None:
            from machine import PWM, Pin

            self._pwm = PWM(Pin(self._buzzer), freq=tone_hz, duty_u16=_LOUD)
        elif tone_hz:
            self._pwm.freq(tone_hz)
            self._pwm.duty_u16(_LOUD)
        else:
            self._pwm.duty_u16(0)
