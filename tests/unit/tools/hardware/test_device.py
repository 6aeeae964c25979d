"""Finding boards on serial ports, and reading their output."""

from collections import namedtuple

import pytest

from tools.hardware import device
from tools.lib.errors import ToolError

Port = namedtuple("Port", ("device", "vid"))
ESPRESSIF, MOUSE = 0x303A, 0x046D


@pytest.fixture
def plugged_in(monkeypatch):
    """A function that says what is plugged in."""
    from serial.tools import list_ports

    return lambda *ports: monkeypatch.setattr(list_ports, "comports", lambda: list(ports))


def test_only_boards_are_found(plugged_in):
    plugged_in(
        Port("/dev/ttyUSB1", 0x10C4), Port("/dev/ttyACM0", ESPRESSIF), Port("/dev/ttyS0", None), Port("m", MOUSE)
    )

    assert device.ports() == ["/dev/ttyACM0", "/dev/ttyUSB1"]


def test_the_only_board_is_taken(plugged_in):
    plugged_in(Port("/dev/ttyUSB0", ESPRESSIF), Port("mouse", MOUSE))

    assert device.only_port() == "/dev/ttyUSB0"


def test_the_error_without_a_board_names_what_to_try(plugged_in):
    plugged_in()

    with pytest.raises(ToolError, match="data cable.*--port"):
        device.only_port()


def test_several_boards_require_a_choice(plugged_in):
    plugged_in(Port("/dev/ttyUSB0", ESPRESSIF), Port("/dev/ttyUSB1", ESPRESSIF))

    with pytest.raises(ToolError, match="/dev/ttyUSB0, /dev/ttyUSB1.*choose one with --port"):
        device.only_port()


@pytest.mark.parametrize(
    ("heard", "banner"),
    [
        ("rst:0xc\nAnsim 1.2.3\nlink: up\n", "Ansim 1.2.3"),
        ("rst:0xc\nAnsim 1.2", ""),  # the line is not over yet
        ("Welcome to Ansim 1.2.3\n", ""),
        ("", ""),
    ],
)
def test_the_first_line_of_the_firmware_is_found(heard, banner):
    assert device.find_banner(heard) == banner


def test_a_reply_is_found_in_other_output():
    assert device._parse_reply('hello\r\nansim:{"files": {}}\r\n>>> ') == {"files": {}}
    assert device._parse_reply("hello\r\n") is None


def test_a_damaged_reply_is_an_error_of_one_line():
    with pytest.raises(ToolError, match="check the cable"):
        device._parse_reply('ansim:{"files": {')


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("failed to access /dev/ttyUSB9", "no other program"),
        ("could not enter raw repl", "RESET button"),
        ("read failed: device disconnected", "fell silent"),
    ],
)
def test_a_connection_error_names_what_to_try(why, said):
    assert said in device._explain_failure("/dev/ttyUSB9", why)


def test_a_full_flash_is_named():
    assert "is full" in device._explain_traceback("/dev/ttyUSB0", "Traceback ...\nOSError: 28\n")
