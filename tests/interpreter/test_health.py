"""Crashes are told apart and counted over resets, on the real MicroPython and the simulated chip."""

import pytest

from tests.support.simulated_board import SILENCE, Board

BEGIN = """
    import json, machine
    from firmware.maintenance.health import Health
    health = Health()
    health.begin()
    print(json.dumps([health.cause, health.crashes, health.crashes_in_a_row, health.sniff_level()]))
"""


@pytest.fixture
def board(tmp_path):
    return Board(tmp_path, SILENCE)


def test_a_power_on_is_no_crash(board):
    assert board.run(BEGIN) == [["power_on", 0, 0, 2]]


@pytest.mark.parametrize(
    ("before", "chip_says", "expected"),
    [
        ("", "PANIC", ["crash", 1, 1, 2]),
        ("", "WDT", ["watchdog", 1, 1, 2]),
        ("health.intend_reset()", "HARD", ["restart", 0, 0, 2]),
        ("health.record_exception(ValueError('x'))", "HARD", ["exception", 1, 1, 2]),
        ("", "SOFT", ["soft", 0, 0, 2]),
        ("health.intend_reset()", "DEEPSLEEP", ["deep_sleep", 0, 0, 2]),
        ("health.note_sniffing(True)", "PWRON", ["power_on", 0, 0, 2]),
    ],
)
def test_the_last_end_is_told_by_the_chip_and_by_what_went_on(board, before, chip_says, expected):
    board.run(BEGIN + f"    {before}\n")
    if chip_says == "PWRON":
        (board.world / "rtc").unlink()

    assert board.run(BEGIN, cause=chip_says) == [expected]


def test_crashes_while_sniffing_narrow_the_sniffer_and_hours_without_widen_it(board):
    board.run(BEGIN + "    health.note_sniffing(True)\n")
    levels = [board.run(BEGIN + "    health.note_sniffing(True)\n", cause="PANIC")[0][3] for _ in range(7)]

    assert levels == [2, 2, 1, 1, 1, 0, 0]

    (_, level) = board.run(
        BEGIN
        + """
    for hour in range(1, 5):
        health.forgive_crashes(hour * 3600000)
    print(health.sniff_level())
    """,
        cause="SOFT",
    )

    assert level == 2


def test_crashes_elsewhere_leave_the_sniffer_alone(board):
    board.run(BEGIN)
    for _ in range(6):
        ((cause, _, _, level),) = board.run(BEGIN, cause="WDT")

    assert (cause, level) == ("watchdog", 2)


def test_an_exception_is_kept_for_whoever_looks(board):
    board.run(
        BEGIN
        + """
    try:
        1 // 0
    except ZeroDivisionError as error:
        health.record_exception(error)
    """
    )

    assert "ZeroDivisionError" in (board.flash / "crash.txt").read_text()


def test_rubbish_in_rtc_memory_counts_as_a_power_on(board):
    (board.world / "rtc").write_bytes(b"AN1")

    assert board.run(BEGIN, cause="HARD") == [["power_on", 0, 0, 2]]


def test_the_watchdog_does_not_bite_who_works_at_the_prompt(board):
    said = board.run(
        BEGIN
        + """
    import time
    health.start_watchdog()
    health.feed_by_timer()
    time.sleep(200)
    print("still there")
    """
    )

    assert said[1:] == ["still there"]


def test_the_watchdog_bites_otherwise(board):
    said = board.run(
        BEGIN + "    import time\n    health.start_watchdog()\n    time.sleep(200)\n    print('still there')\n"
    )

    assert said[1:] == []
    assert board.cause() == "WDT"
