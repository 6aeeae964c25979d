"""
One button to ground: how long it was held says what is wanted.

    button = Button(board.BUTTON, held, pressed)
    await button.run()                 # for ever

held(stage) is called when the button has been down for STAGES_MS[stage], so that a beep can say
"now let go"; pressed(stage) when it comes up. Stage 0 is a short press. A button that is down for
longer than STUCK_MS is jammed, or something lies on it: nothing is pressed then.

It is looked at every LOOK_MS, which also is the debouncing: contacts bounce for some 5 ms, and a
state counts when two looks in a row agree. A scan or a TLS handshake stops all tasks for up to 3 s;
a press in that time is noticed by the pin's interrupt and counts as a short one.
"""

import asyncio
import time

SHORT, LONG, LONGER, LONGEST = 0, 1, 2, 3
STAGES_MS = (0, 1000, 5000, 10000)
STUCK_MS = 20_000
LOOK_MS = 25
BLIND_MS = 200  # nobody has looked for so long: what the interrupt saw is all there is


class Button:
    """
    number   GPIO number
    held     function(stage 1..3)
    pressed  function(stage 0..3)
    """

    def __init__(self, number: int, held, pressed):
        self._number = number
        self._held = held
        self._pressed = pressed
        self._pin = None
        self._fell = False

    async def run(self) -> None:
        """Watch the button for ever."""
        from machine import Pin

        self._pin = Pin(self._number, Pin.IN, Pin.PULL_UP)
        self._pin.irq(self._falls, Pin.IRQ_FALLING)
        looked_ms = time.ticks_ms()
        was_down = False
        while True:
            now_ms = time.ticks_ms()
            is_down = not self._pin.value()
            if is_down and was_down:
                await self._follow(now_ms)
                was_down = is_down = self._fell = False
                now_ms = time.ticks_ms()
            elif self._fell and not is_down and time.ticks_diff(now_ms, looked_ms) >= BLIND_MS:
                self._fell = False
                self._pressed(SHORT)
            elif not is_down and not was_down:
                self._fell = False
            was_down = is_down
            looked_ms = now_ms
            await asyncio.sleep_ms(LOOK_MS)

    async def _follow(self, since_ms):
        """The button is down: wait until it is up again for two looks."""
        stage, up = SHORT, 0
        held_ms = 0
        while up < 2:
            await asyncio.sleep_ms(LOOK_MS)
            if self._pin.value():  # pyright: ignore[reportOptionalMemberAccess]
                up += 1
                continue
            up = 0
            held_ms = time.ticks_diff(time.ticks_ms(), since_ms)
            if stage < LONGEST and held_ms >= STAGES_MS[stage + 1]:
                stage += 1
                self._held(stage)
        if held_ms < STUCK_MS:
            self._pressed(stage)

    def _falls(self, pin):
        self._fell = True
