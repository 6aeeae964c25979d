"""How tools exit, and their progress bars."""

import io
import sys

import pytest

from tools.lib import errors, progress


def ends(main):
    with pytest.raises(SystemExit) as ended:
        errors.run(main)
    return ended.value.code


def raising(error):
    def main():
        raise error

    return main


def test_a_tool_error_is_one_line():
    assert ends(raising(errors.ToolError("no port\n  /dev/x;  try `y`"))) == "error: no port /dev/x; try `y`"


def test_a_tool_exits_with_the_result_of_main():
    assert not ends(lambda: None)
    assert ends(lambda: 3) == 3


def test_an_interrupt_shows_no_traceback():
    assert ends(raising(KeyboardInterrupt())) == 130


def test_other_exceptions_show_their_traceback():
    with pytest.raises(ZeroDivisionError):
        errors.run(raising(ZeroDivisionError()))


def test_nothing_is_drawn_without_a_terminal(capsys):
    with progress.bar("reading", 10) as advance:
        advance(10)

    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("total", "unit"), [(1000, "bytes"), (30, ""), (None, "seconds")])
def test_a_terminal_shows_the_progress(monkeypatch, total, unit):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")

    with progress.bar("reading night.pcap", total, unit) as advance:
        advance(5)

    assert "reading night.pcap" in terminal.getvalue()
