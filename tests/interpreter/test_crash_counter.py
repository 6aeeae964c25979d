"""Crashes are classified and counted over resets, on the real MicroPython and the simulated chip."""

import subprocess

import pytest

BEGIN = """
    import json, machine
    from firmware.maintenance.crash_counter import CrashCounter
    counter = CrashCounter()
    counter.begin()
    print(json.dumps([counter.cause, counter.crashes, counter.crashes_in_a_row, counter.sniff_level()]))
"""


def test_a_power_on_is_no_crash(silent_board):
    assert silent_board.run(BEGIN) == [["power_on", 0, 0, 2]]


@pytest.mark.parametrize(
    ("before", "chip_cause", "expected"),
    [
        ("", "PANIC", ["crash", 1, 1, 2]),
        ("", "WDT", ["watchdog", 1, 1, 2]),
        ("counter.intend_reset()", "HARD", ["restart", 0, 0, 2]),
        ("counter.record_exception(ValueError('x'))", "HARD", ["exception", 1, 1, 2]),
        ("", "SOFT", ["soft", 0, 0, 2]),
        ("counter.intend_reset()", "DEEPSLEEP", ["deep_sleep", 0, 0, 2]),
        ("counter.note_sniffing(True)", "PWRON", ["power_on", 0, 0, 2]),
        # A reset by USB, as that of a serial monitor that is opened.
        ("counter.note_sniffing(True)", "USB", ["restart", 0, 0, 2]),
        ("", "BROWNOUT", ["brown_out", 0, 0, 2]),
    ],
)
def test_the_reset_cause_comes_from_the_chip_and_from_the_last_activity(silent_board, before, chip_cause, expected):
    silent_board.run(BEGIN + f"    {before}\n")
    if chip_cause == "PWRON":
        (silent_board.world / "rtc").unlink()

    assert silent_board.run(BEGIN, cause=chip_cause) == [expected]


def test_crashes_while_sniffing_lower_the_sniffer_s_level_and_hours_without_raise_it(silent_board):
    silent_board.run(BEGIN + "    counter.note_sniffing(True)\n")
    levels = [silent_board.run(BEGIN + "    counter.note_sniffing(True)\n", cause="PANIC")[0][3] for _ in range(7)]

    assert levels == [2, 2, 1, 1, 1, 0, 0]

    (_, level) = silent_board.run(
        BEGIN
        + """
    for hour in range(1, 5):
        counter.forgive_crashes(hour * 3600000)
    print(counter.sniff_level())
    """,
        cause="SOFT",
    )

    assert level == 2


def test_crashes_elsewhere_leave_the_sniffer_alone(silent_board):
    silent_board.run(BEGIN)
    for _ in range(6):
        ((cause, _, _, level),) = silent_board.run(BEGIN, cause="WDT")

    assert (cause, level) == ("watchdog", 2)


def test_an_exception_is_written_to_a_file(silent_board):
    silent_board.run(
        BEGIN
        + """
    try:
        1 // 0
    except ZeroDivisionError as error:
        counter.record_exception(error)
    """
    )

    assert "ZeroDivisionError" in (silent_board.flash / "crash.txt").read_text()


def test_brown_outs_are_counted_until_the_power_is_cut(silent_board):
    code = BEGIN + "    print(json.dumps([counter.brown_outs, counter.brown_outs_in_a_row]))\n"
    silent_board.run(code)
    counts = [silent_board.run(code, cause=cause)[1] for cause in ("BROWNOUT", "PANIC", "BROWNOUT", "USB", "BROWNOUT")]

    assert counts == [[1, 1], [1, 1], [2, 2], [2, 0], [3, 1]]


def test_a_mark_that_lost_a_bit_without_power_counts_as_a_power_on(silent_board):
    silent_board.run(BEGIN)
    mark = bytearray((silent_board.world / "rtc").read_bytes())
    mark[4] ^= 0x40
    (silent_board.world / "rtc").write_bytes(mark)

    assert silent_board.run(BEGIN, cause="BROWNOUT") == [["power_on", 0, 0, 2]]


START = """
    import time
    from firmware import start
    began_ms = time.ticks_ms()
    start.main()
"""


def test_a_board_without_settings_keeps_waiting_when_boot_py_has_started_the_watchdog(silent_board):
    (silent_board.flash / "slots.json").write_text('{"slot": "", "left": null}')

    with pytest.raises(subprocess.TimeoutExpired):
        silent_board.run(START, speed=200, timeout_s=3)


def test_a_board_without_settings_keeps_waiting_after_a_soft_reset_of_a_sensor(silent_board):
    """The watchdog survives a soft reset, so the stand-in starts it before main.py."""
    watchdog = "    import machine\n    machine.WDT(timeout=90000)\n"
    silent_board.run(BEGIN)

    with pytest.raises(subprocess.TimeoutExpired):
        silent_board.run(watchdog + START, cause="SOFT", speed=200, timeout_s=3)


def test_after_a_brown_out_the_radio_stays_off_for_a_while_that_grows(silent_board):
    (silent_board.flash / "settings.json").write_text(
        '{"device": "hall", "key": "%s", "broker": "x", "tls": false, "wifi": [{"ssid": "hall", "password": ""}]}'
        % ("00" * 32)
    )
    code = """
        import time
        import firmware.app
        began_ms = time.ticks_ms()
        class App:
            def __init__(self, *_):
                print((time.ticks_ms() - began_ms) // 1000)
                raise SystemExit
        firmware.app.App = App
        from firmware import start
        start.main()
    """
    silent_board.run(code)
    waits = [silent_board.run(code, cause="BROWNOUT")[-1] for _ in range(3)]

    assert waits == [5, 10, 20]


def test_garbage_in_rtc_memory_counts_as_a_power_on(silent_board):
    (silent_board.world / "rtc").write_bytes(b"AN1")

    assert silent_board.run(BEGIN, cause="HARD") == [["power_on", 0, 0, 2]]


def test_the_watchdog_does_not_reset_a_board_at_the_prompt(silent_board):
    output = silent_board.run(
        BEGIN
        + """
    import time
    counter.start_watchdog()
    counter.feed_by_timer()
    time.sleep(200)
    print("still there")
    """
    )

    assert output[1:] == ["still there"]


def test_the_watchdog_resets_otherwise(silent_board):
    output = silent_board.run(
        BEGIN + "    import time\n    counter.start_watchdog()\n    time.sleep(200)\n    print('still there')\n"
    )

    assert output[1:] == []
    assert silent_board.reset_cause() == "WDT"
