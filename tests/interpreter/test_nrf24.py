"""The nRF24L01+ driver on the real MicroPython, with a simulated chip that accepts only what its data sheet has."""

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
    """Return a board with a chip that receives the senders; without a chip if they are None."""
    board = Board(folder, SILENCE)
    if senders is not None:
        (board.world / "nrf24.json").write_text(json.dumps({"pins": PINS, "senders": senders}))
    return board


def test_a_bus_without_the_chip_is_an_error(tmp_path):
    (output,) = board_with(tmp_path).run(
        START
        + """
    try:
        radio.begin()
    except OSError as error:
        print(error)
    """
    )

    assert output == "no nRF24L01+ answers"


def test_a_sender_shows_as_a_plateau_and_silence_as_nothing(tmp_path):
    code = (
        START
        + """
    radio.begin()
    spectrum = asyncio.run(radio.listen(2000, clock.now_ms))
    print(spectrum.sweeps, radio.sweeps)
    print(json.dumps(list(spectrum.busy)))
    """
    )
    counts, busy = board_with(tmp_path / "a", [VIDEO]).run(code, speed=1)
    _, quiet = board_with(tmp_path / "b", []).run(code, speed=1)

    sweeps = int(counts.split()[0])
    assert sweeps >= 5
    assert [channel for channel in range(126) if busy[channel]] == list(range(23, 42))
    assert set(busy) == {0, sweeps}
    assert set(quiet) == {0}


def test_a_chip_that_stops_answering_is_an_error_not_silence(tmp_path):
    (output,) = board_with(tmp_path, []).run(
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

    assert output == "the nRF24L01+ has gone"


def test_calibrating_excludes_the_boards_own_tones_and_refuses_a_transmitter(tmp_path):
    own = [[2410, 0, 1000, *ALWAYS], [2432, 0, 1000, *ALWAYS]]
    board = board_with(tmp_path, own)
    code = (
        START
        + """
    radio.begin()
    print(json.dumps(asyncio.run(radio.calibrate(clock.now_ms))))
    spectrum = asyncio.run(radio.listen(500, clock.now_ms))
    print(json.dumps([channel for channel in range(126) if spectrum.busy[channel]]))
    """
    )
    before, quiet = board.run(code, speed=1)
    # The same board with a transmitter around one of its tones: calibrating is refused.
    (board.world / "nrf24.json").write_text(json.dumps({"pins": PINS, "senders": [*own, VIDEO]}))
    refused, plateau = board.run(code, speed=1)

    assert (before, quiet) == ("", [])
    assert refused == "the room is not quiet: 20 channels have power"
    assert plateau == list(range(23, 42))


@pytest.mark.parametrize("text", ["", "{", '{"a": 1}', '[300, "x", -1]'])
def test_a_damaged_calibration_is_ignored(tmp_path, text):
    board = board_with(tmp_path, [])
    (board.flash / "nrf24.json").write_text(text)

    (channels,) = board.run(START + "    radio.begin()\n    print(json.dumps(radio._own_channels))")

    assert channels == []


@pytest.mark.parametrize(
    "misuse",
    [
        "radio._write(0x05, 126)",  # no such channel
        "radio._write(0x09, 1)",  # read only
        "radio._read(0x18)",  # reserved
        "radio._exchange(0x60, 0)",  # read payload width, which the driver does not use
        "radio._ce.value(1); radio._write(0x05, 3)",  # while it receives
    ],
)
def test_the_simulated_chip_refuses_accesses_that_are_not_in_the_data_sheet(tmp_path, misuse):
    (output,) = board_with(tmp_path, []).run(
        START
        + f"""
    radio.begin()
    try:
        {misuse}
    except ValueError as error:
        print(str(error)[:5])
    """
    )

    assert output == "nRF24"
