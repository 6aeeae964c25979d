"""
Patterns of the light and the buzzer; their rhythms can be told apart without colour and without sound.

    signal = Signal(board.LED, board.LED_ON, board.BUZZER)
    signal.show(LISTENING)       # from now on
    signal.play(PASSED)          # once, then the shown pattern goes on
    await signal.run()           # for ever

A pattern is (tone in Hz, on ms, off ms, on ms, off ms, ...); tone 0 is for the light only. The buzzer,
or a vibration motor in its place, follows the light's rhythm, so that seeing, hearing or feeling it is
enough. docs/sensor.md describes every pattern.
"""

import asyncio
import time

# Shown as long as the state lasts.
STARTING = (0, 1000, 0)
LISTENING = (0, 40, 2960)
INSPECTING = (0, 40, 200, 40, 2720)
UPLOADING = (0, 40, 160)
FOUND = (0, 500, 500)
NOTICED = (0, 150, 1350)
IDLE = (0, 40, 9960)
FAULT = (0, 100, 150, 100, 150, 100, 900)  # look at the console
TESTING = (0, 300, 300)
EMITTING = (0, 900, 100)
LOST = (0, 40, 3960)  # a followed signal is not heard

# Played once.
ALARM = (2400, 400, 200, 400, 200, 400, 600)
NOTICE = (1000, 60, 120, 60, 600)
STARTED = (1600, 150, 300)
STOPPED = (1600, 150, 150, 150, 300)
HOLD = (1600, 60, 60)  # the button has been held long enough for the next action
REFUSED = (300, 800, 300)
PASSED = (1600, 1500, 500)
FAILED = (300, 150, 150, 150, 150, 150, 150, 150, 900)
LOW_BATTERY = (600, 60, 240, 60, 240, 60, 600)

# For a followed signal: one beat for each step of 8 dB, from -90 dBm and below to -34 dBm and above.
STEPS = 8
_WEAKEST_DBM, _STEP_DB = -90, 8
_BEAT_ON_MS = 30
_BEATS_MS = (2000, 1400, 1000, 700, 480, 320, 200, 110)
_TONES_HZ = (500, 650, 800, 1000, 1250, 1600, 2000, 2500)

_LOUD = 32768  # half of each period: a passive buzzer's loudest


def step_of(level_dbm: int) -> int:
    """Return the step of a level, 0..STEPS - 1; a nearer transmitter has a higher one."""
    return max(0, min(STEPS - 1, (level_dbm - _WEAKEST_DBM) // _STEP_DB))


def beat(step: int):
    """Return the pattern of a step; a nearer one is faster and has a higher tone."""
    return (_TONES_HZ[step], _BEAT_ON_MS, _BEATS_MS[step] - _BEAT_ON_MS)


class Signal:
    """
    pin     GPIO number of the light, None without one
    level   the level that switches it on
    buzzer  GPIO number of a passive buzzer, None without one

    No pin is touched before the first pattern runs.
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
        """Change to another pattern: at once, or when the played one ends."""
        if pattern != self._pattern:
            self._pattern = pattern
            if self._once is None:
                self._changed.set()

    def play(self, pattern) -> None:
        """Show a pattern once, now; it replaces one that is being played."""
        self._once = pattern
        self._changed.set()

    async def run(self) -> None:
        """Run the patterns for ever."""
        while True:
            self._changed.clear()
            pattern = self._once or self._pattern
            if await self._run_pattern(pattern) and pattern is self._once:
                self._once = None

    def blink_for(self, pattern, ms: int) -> None:
        """Show a pattern without a scheduler, blocking, for `ms`."""
        until_ms = time.ticks_add(time.ticks_ms(), ms)
        while time.ticks_diff(until_ms, time.ticks_ms()) > 0:
            for index in range(1, len(pattern)):
                self._set(index % 2 == 1, pattern[0])
                time.sleep_ms(pattern[index])

    async def _run_pattern(self, pattern):
        """Run a pattern once; return False if another one replaced it before its end."""
        for index in range(1, len(pattern)):
            self._set(index % 2 == 1, pattern[0])
            try:
                await asyncio.wait_for_ms(self._changed.wait(), pattern[index])
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
