"""
One button to ground; how long it is held selects the action.

    button = Button(board.BUTTON, on_hold, on_press)
    await button.run()                 # for ever

on_hold(stage) is called when the button has been down for STAGES_MS[stage], so that a beep can indicate
when to release it; on_press(stage) when it is released. Stage 0 is a short press. A button that is down for
longer than STUCK_MS is jammed or has something lying on it: on_press() is not called then.

The pin is polled every POLL_MS, which also debounces it: contacts bounce for some 5 ms, and a level
counts when two polls in a row agree. A scan or a TLS handshake blocks all tasks for up to 3 s; a press
during that time is seen by the pin's interrupt and counts as a short one.
"""

import asyncio
import time

SHORT, LONG, LONGER, LONGEST = 0, 1, 2, 3
STAGES_MS = (0, 1000, 5000, 10000)
STUCK_MS = 20_000
POLL_MS = 25
BLOCKED_MS = 200  # after a longer gap between polls only the interrupt can have seen a press


class Button:
    """
    number    GPIO number
    on_hold   function(stage 1..3)
    on_press  function(stage 0..3)
    """

    def __init__(self, number: int, on_hold, on_press):
        self._number = number
        self._on_hold = on_hold
        self._on_press = on_press
        self._pin = None
        self._fell = False

    async def run(self) -> None:
        """Poll the button for ever."""
        from machine import Pin

        self._pin = Pin(self._number, Pin.IN, Pin.PULL_UP)
        self._pin.irq(self._on_falling, Pin.IRQ_FALLING)
        polled_ms = time.ticks_ms()
        was_down = False
        while True:
            now_ms = time.ticks_ms()
            is_down = not self._pin.value()
            if is_down and was_down:
                await self._wait_for_release(now_ms)
                was_down = is_down = self._fell = False
                now_ms = time.ticks_ms()
            elif self._fell and not is_down and time.ticks_diff(now_ms, polled_ms) >= BLOCKED_MS:
                self._fell = False
                self._on_press(SHORT)
            elif not is_down and not was_down:
                self._fell = False
            was_down = is_down
            polled_ms = now_ms
            await asyncio.sleep_ms(POLL_MS)

    async def _wait_for_release(self, since_ms):
        """Wait until the button is up in two polls, then report the press."""
        stage, up = SHORT, 0
        held_ms = 0
        while up < 2:
            await asyncio.sleep_ms(POLL_MS)
            if self._pin.value():  # pyright: ignore[reportOptionalMemberAccess]
                up += 1
                continue
            up = 0
            held_ms = time.ticks_diff(time.ticks_ms(), since_ms)
            if stage < LONGEST and held_ms >= STAGES_MS[stage + 1]:
                stage += 1
                self._on_hold(stage)
        if held_ms < STUCK_MS:
            self._on_press(stage)

    def _on_falling(self, pin):
        self._fell = True
