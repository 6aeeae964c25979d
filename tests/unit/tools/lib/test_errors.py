"""How tools end, and what they draw while they run."""

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


def test_a_tool_that_is_done_ends_well():
    assert not ends(lambda: None)
    assert ends(lambda: 3) == 3


def test_an_interrupt_is_no_traceback():
    assert ends(raising(KeyboardInterrupt())) == 130


def test_our_own_bugs_show():
    with pytest.raises(ZeroDivisionError):
        errors.run(raising(ZeroDivisionError()))


def test_nothing_is_drawn_without_a_terminal(capsys):
    with progress.bar("reading", 10) as advance:
        advance(10)

    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("total", "unit"), [(1000, "bytes"), (30, ""), (None, "seconds")])
def test_a_terminal_sees_how_far_it_is(monkeypatch, total, unit):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")

    with progress.bar("reading night.pcap", total, unit) as advance:
        advance(5)

    assert "reading night.pcap" in terminal.getvalue()
