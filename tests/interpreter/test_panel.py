"""The panel on the real MicroPython, with a button, a buzzer, a battery and a display that are simulated."""

import pytest

from tests.support.simulated_board import SILENCE, SMALL_SCENE, Board

PRESS = """
    import _simulation, asyncio, json, os, time
    from firmware.panel.button import Button

    said = []
    button = Button(0, lambda stage: said.append(["held", stage]), lambda stage: said.append(["pressed", stage]))

    def down():
        _simulation.save("pin0", "0")

    def up():
        _simulation.save("pin0", "1")

    async def hold(ms):
        down()
        await asyncio.sleep_ms(ms)
        up()
        await asyncio.sleep_ms(200)
"""

# A pin and a PWM that note when they change, in scene time.
WATCHED = """
    import asyncio, json, machine, time
    from firmware.panel import signal
    changes = []
    began = time.ticks_ms()

    class Pin(machine.Pin):
        def value(self, level=None):
            if level is not None:
                changes.append([time.ticks_ms() - began, "light", level])

    class PWM:
        def __init__(self, pin, *, freq, duty_u16):
            self.hz = freq
            self.duty_u16(duty_u16)
        def freq(self, hz):
            self.hz = hz
        def duty_u16(self, duty):
            changes.append([time.ticks_ms() - began, "tone", self.hz if duty else 0])

    machine.Pin, machine.PWM = Pin, PWM

    def play(one, ms, *then):
        async def main():
            task = asyncio.create_task(one.run())
            for at_ms, what in then:
                await asyncio.sleep_ms(at_ms - (time.ticks_ms() - began))
                what()
            await asyncio.sleep_ms(ms - (time.ticks_ms() - began))
            task.cancel()
        asyncio.run(main())
        print(json.dumps(changes))
"""


@pytest.fixture
def board(tmp_path):
    return Board(tmp_path, SILENCE)


@pytest.mark.parametrize(
    ("ms", "expected"),
    [
        (10, []),  # a bounce, or a spark
        (150, [["pressed", 0]]),
        (1400, [["held", 1], ["pressed", 1]]),
        (6000, [["held", 1], ["held", 2], ["pressed", 2]]),
        (11000, [["held", 1], ["held", 2], ["held", 3], ["pressed", 3]]),
        (25000, [["held", 1], ["held", 2], ["held", 3]]),  # something lies on it
    ],
)
def test_how_long_the_button_is_held_says_what_is_wanted(board, ms, expected):
    (said,) = board.run(
        PRESS
        + f"""
    async def main():
        task = asyncio.create_task(button.run())
        await asyncio.sleep_ms(100)
        await hold({ms})
        print(json.dumps(said))

    asyncio.run(main())
    """,
        speed=10,
    )

    assert said == expected


def test_bouncing_contacts_make_one_press(board):
    (said,) = board.run(
        PRESS
        + """
    async def main():
        task = asyncio.create_task(button.run())
        await asyncio.sleep_ms(100)
        for ms in (3, 2, 4, 300, 2, 3, 2):
            down()
            await asyncio.sleep_ms(ms)
            up()
            await asyncio.sleep_ms(2)
        await asyncio.sleep_ms(200)
        print(json.dumps(said))

    asyncio.run(main())
    """,
        speed=1,
    )

    assert said == [["pressed", 0]]


def test_a_press_while_a_scan_holds_up_everything_is_not_lost(board):
    (said,) = board.run(
        PRESS
        + """
    async def main():
        task = asyncio.create_task(button.run())
        await asyncio.sleep_ms(100)
        _simulation.interrupts.insert(0, lambda: (down if 500 < time.ticks_ms() - began < 700 else up)())
        began = time.ticks_ms()
        time.sleep_ms(1700)
        await asyncio.sleep_ms(200)
        print(json.dumps(said))

    asyncio.run(main())
    """,
        speed=5,
    )

    assert said == [["pressed", 0]]


def test_light_and_buzzer_follow_the_same_rhythm_and_silence_is_silent(board):
    (changes,) = board.run(
        WATCHED
        + """
    one = signal.Signal(2, 1, 25)
    one.show(signal.FOUND)
    play(one, 3500, (600, lambda: one.play(signal.ALARM)))
    """,
        speed=5,
    )
    tones = [hz for _, kind, hz in changes if kind == "tone" and hz]
    first = [kind for _, kind, _ in changes].index("tone")
    last = len(changes) - [hz for _, _, hz in changes][::-1].index(2400)

    assert tones == [2400] * 3
    assert not any(hz for _, kind, hz in changes[last:] if kind == "tone"), "the standing pattern is for the eye only"
    assert changes[0][1:] == ["light", 1]
    for before, after in zip(changes[first - 1 :], changes[first:], strict=False):
        if after[1] == "tone":
            assert before[1] == "light"
            assert bool(before[2]) == bool(after[2]) or last <= changes.index(after)
    assert len(changes[last:]) >= 4, "the standing pattern goes on"


def test_without_a_light_or_a_buzzer_nothing_is_touched(board):
    (changes,) = board.run(
        WATCHED
        + """
    one = signal.Signal(None, 1)
    one.play(signal.ALARM)
    play(one, 1000)
    """,
        speed=20,
    )

    assert changes == []


def test_the_light_can_blink_without_a_scheduler(board):
    (changes,) = board.run(
        WATCHED
        + """
    signal.Signal(2, 0).blink_for(signal.FAULT, 1000)
    print(json.dumps(changes))
    """,
        speed=20,
    )

    assert [level for _, _, level in changes] == [0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize(("mv", "percent"), [(3900, 70), (3310, 0), (100, None), (4200, 100)])
def test_the_battery_is_read_from_the_adc(board, mv, percent):
    (board.world / "battery_mv").write_text(str(mv))

    (told,) = board.run(
        """
    import json
    from firmware import boards
    from firmware.panel import battery
    print(json.dumps(battery.read_percent(boards.load("esp32_devkit"))))
    """
    )

    assert told == percent or abs(told - percent) <= 1


def test_the_beat_quickens_while_somebody_comes_nearer_and_slows_when_it_is_lost(tmp_path):
    board = Board(tmp_path, SMALL_SCENE)
    (shown,) = board.run(
        """
    import asyncio, json
    from firmware import boards
    from firmware.panel import signal
    from firmware.panel.panel import Panel
    panel = Panel(boards.load("esp32_devkit"), ("led",), None)
    shown = []
    panel.show = lambda pattern: shown.append(pattern)
    for level, trend in ((-88, "same"), (-60, "warmer"), (-36, "warmer"), (-128, "lost")):
        panel.show_reading("c0:ff:ee:00:00:01", level, level, 2, trend)
    print(json.dumps([sum(one[1:]) for one in shown]))
    """
    )

    assert shown == [2000, 700, 200, 4000]
