"""The panel on the real MicroPython, with simulated button, light, buzzer and battery."""

import pytest

PRESS = """
    import _simulation, asyncio, json, os, time
    from firmware.panel.button import Button

    events = []
    button = Button(0, lambda stage: events.append(["held", stage]), lambda stage: events.append(["pressed", stage]))

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

# A pin and a PWM that record their changes with the scene time.
RECORD = """
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

    def record(panel_signal, ms, *calls):
        async def main():
            task = asyncio.create_task(panel_signal.run())
            for at_ms, call in calls:
                await asyncio.sleep_ms(at_ms - (time.ticks_ms() - began))
                call()
            await asyncio.sleep_ms(ms - (time.ticks_ms() - began))
            task.cancel()
        asyncio.run(main())
        print(json.dumps(changes))
"""


@pytest.mark.parametrize(
    ("ms", "expected"),
    [
        (10, []),  # a bounce, or a spark
        (150, [["pressed", 0]]),
        (1400, [["held", 1], ["pressed", 1]]),
        (6000, [["held", 1], ["held", 2], ["pressed", 2]]),
        (11000, [["held", 1], ["held", 2], ["held", 3], ["pressed", 3]]),
        (25000, [["held", 1], ["held", 2], ["held", 3]]),  # jammed
    ],
)
def test_the_time_the_button_is_held_selects_the_action(silent_board, ms, expected):
    (events,) = silent_board.run(
        PRESS
        + f"""
    async def main():
        task = asyncio.create_task(button.run())
        await asyncio.sleep_ms(100)
        await hold({ms})
        print(json.dumps(events))

    asyncio.run(main())
    """,
        speed=10,
    )

    assert events == expected


def test_bouncing_contacts_make_one_press(silent_board):
    (events,) = silent_board.run(
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
        print(json.dumps(events))

    asyncio.run(main())
    """,
        speed=1,
    )

    assert events == [["pressed", 0]]


def test_a_press_while_a_scan_blocks_all_tasks_is_not_lost(silent_board):
    (events,) = silent_board.run(
        PRESS
        + """
    async def main():
        task = asyncio.create_task(button.run())
        await asyncio.sleep_ms(100)
        _simulation.interrupts.insert(0, lambda: (down if 500 < time.ticks_ms() - began < 700 else up)())
        began = time.ticks_ms()
        time.sleep_ms(1700)
        await asyncio.sleep_ms(200)
        print(json.dumps(events))

    asyncio.run(main())
    """,
        speed=5,
    )

    assert events == [["pressed", 0]]


def test_light_and_buzzer_follow_the_same_rhythm_and_tone_0_is_silent(silent_board):
    (changes,) = silent_board.run(
        RECORD
        + """
    panel_signal = signal.Signal(2, 1, 25)
    panel_signal.show(signal.FOUND)
    record(panel_signal, 3500, (600, lambda: panel_signal.play(signal.ALARM)))
    """,
        speed=5,
    )
    tones = [hz for _, kind, hz in changes if kind == "tone" and hz]
    first = [kind for _, kind, _ in changes].index("tone")
    last = len(changes) - [hz for _, _, hz in changes][::-1].index(2400)

    assert tones == [2400] * 3
    assert not any(hz for _, kind, hz in changes[last:] if kind == "tone"), "the shown pattern is for the light only"
    assert changes[0][1:] == ["light", 1]
    for before, after in zip(changes[first - 1 :], changes[first:], strict=False):
        if after[1] == "tone":
            assert before[1] == "light"
            assert bool(before[2]) == bool(after[2]) or last <= changes.index(after)
    assert len(changes[last:]) >= 4, "the shown pattern goes on"


def test_without_a_light_or_a_buzzer_nothing_is_touched(silent_board):
    (changes,) = silent_board.run(
        RECORD
        + """
    panel_signal = signal.Signal(None, 1)
    panel_signal.play(signal.ALARM)
    record(panel_signal, 1000)
    """,
        speed=20,
    )

    assert changes == []


def test_the_light_can_blink_without_a_scheduler(silent_board):
    (changes,) = silent_board.run(
        RECORD
        + """
    signal.Signal(2, 0).blink_for(signal.FAULT, 1000)
    print(json.dumps(changes))
    """,
        speed=20,
    )

    assert [level for _, _, level in changes] == [0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize(("mv", "percent"), [(3900, 70), (3310, 0), (100, None), (4200, 100)])
def test_the_battery_is_read_from_the_adc(silent_board, mv, percent):
    (silent_board.world / "battery_mv").write_text(str(mv))

    (charge,) = silent_board.run(
        """
    import json
    from firmware import boards
    from firmware.panel import battery
    print(json.dumps(battery.read_percent(boards.load("esp32_devkit"))))
    """
    )

    assert charge == percent or abs(charge - percent) <= 1


def test_the_beat_becomes_faster_on_the_way_to_the_source_and_slow_when_the_signal_is_lost(board):
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
    print(json.dumps([sum(pattern[1:]) for pattern in shown]))
    """
    )

    assert shown == [2000, 700, 200, 4000]
