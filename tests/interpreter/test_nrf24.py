"""The nRF24L01+ driver on the real MicroPython, with a chip that takes only what its data sheet has."""

import json

import pytest

from tests.support.simulated_board import SILENCE, Board

PINS = [18, 23, 19, 5, 4]
ALWAYS = [0, 1 << 40]
VIDEO = [2432, 18, 1000, *ALWAYS]
START = """
    import asyncio, json
    from firmware.network.clock import Clock
    from firmware.radio.nrf24 import Nrf24
    clock = Clock()
    radio = Nrf24((18, 23, 19, 5, 4))
"""


def board_with(folder, senders=None):
    made = Board(folder, SILENCE)
    if senders is not None:
        (made.world / "nrf24.json").write_text(json.dumps({"pins": PINS, "senders": senders}))
    return made


def test_a_bus_without_the_chip_is_an_error(tmp_path):
    (said,) = board_with(tmp_path).run(
        START
        + """
    try:
        radio.begin()
    except OSError as error:
        print(error)
    """
    )

    assert said == "no nRF24L01+ answers"


def test_a_sender_shows_as_a_plateau_and_silence_as_nothing(tmp_path):
    code = (
        START
        + """
    radio.begin()
    seen = asyncio.run(radio.listen(2000, clock.now_ms))
    print(seen.sweeps, radio.sweeps)
    print(json.dumps(list(seen.busy)))
    """
    )
    sweeps, busy = board_with(tmp_path / "a", [VIDEO]).run(code, speed=1)
    _, quiet = board_with(tmp_path / "b", []).run(code, speed=1)

    looks = int(sweeps.split()[0])
    assert looks >= 5
    assert [channel for channel in range(126) if busy[channel]] == list(range(23, 42))
    assert set(busy) == {0, looks}
    assert set(quiet) == {0}


def test_a_chip_that_goes_away_is_an_error_not_silence(tmp_path):
    (said,) = board_with(tmp_path, []).run(
        START
        + """
    radio.begin()
    radio._spi._chip = None
    try:
        asyncio.run(radio.listen(100, clock.now_ms))
    except OSError as error:
        print(error)
    """
    )

    assert said == "the nRF24L01+ has gone"


def test_the_boards_own_tones_are_learned_and_a_sender_is_not(tmp_path):
    own = [[2410, 0, 1000, *ALWAYS], [2432, 0, 1000, *ALWAYS]]
    board = board_with(tmp_path, own)
    code = (
        START
        + """
    radio.begin()
    print(json.dumps(asyncio.run(radio.calibrate(clock.now_ms))))
    seen = asyncio.run(radio.listen(500, clock.now_ms))
    print(json.dumps([channel for channel in range(126) if seen.busy[channel]]))
    """
    )
    before, quiet = board.run(code, speed=1)
    # The same board, now with a sender around one of its tones; calibrating again is refused.
    (board.world / "nrf24.json").write_text(json.dumps({"pins": PINS, "senders": [*own, VIDEO]}))
    refused, plateau = board.run(code, speed=1)

    assert (before, quiet) == ("", [])
    assert refused == "the room is not quiet: 20 channels have power"
    assert plateau == list(range(23, 42))


@pytest.mark.parametrize("kept", ["", "{", '{"a": 1}', '[300, "x", -1]'])
def test_a_torn_calibration_is_none(tmp_path, kept):
    board = board_with(tmp_path, [])
    (board.flash / "nrf24.json").write_text(kept)

    (stuck,) = board.run(START + "    radio.begin()\n    print(json.dumps(radio._own_channels))")

    assert stuck == []


@pytest.mark.parametrize(
    "misuse",
    [
        "radio._write(0x05, 126)",  # no such channel
        "radio._write(0x09, 1)",  # read only
        "radio._read(0x18)",  # reserved
        "radio._exchange(0x60, 0)",  # with a width the driver does not use
        "radio._ce.value(1); radio._write(0x05, 3)",  # while it receives
    ],
)
def test_the_simulated_chip_refuses_what_the_data_sheet_does_not_have(tmp_path, misuse):
    (said,) = board_with(tmp_path, []).run(
        START
        + f"""
    radio.begin()
    try:
        {misuse}
    except ValueError as error:
        print(str(error)[:5])
    """
    )

    assert said == "nRF24"
