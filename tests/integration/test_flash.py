"""tools/flash.py against the emulated board: by mpremote and by rshell, and with the cable pulled."""

import json
import os
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT
from tests.support.board_kit import firmware, line_at_power_on, mpremote, options, tool
from tools import flash
from tools.hardware import device
from tools.hardware.emulated_board import Board
from tools.lib.errors import ToolError

OLD, NEW = "Ansim 1.0.0 part-1.0.0 42", "Ansim 2.0.0 part-2.0.0 42"


@pytest.fixture
def board(tmp_path):
    with Board(tmp_path / "board") as board:
        yield board


@pytest.fixture
def old(tmp_path):
    return firmware(tmp_path / "old", "1.0.0")


@pytest.fixture
def new(tmp_path):
    return firmware(tmp_path / "new", "2.0.0")


def install(board, root, *more):
    return flash.flash(board.port, options("--root", root, *more))


@pytest.mark.parametrize("via", device.TRANSPORTS)
def test_a_fresh_board_gets_the_firmware_and_a_second_run_copies_nothing(board, old, via):
    first = tool("flash", "--port", board.port, "--via", via, "--root", old)
    again = tool("flash", "--port", board.port, "--via", via, "--root", old)

    assert "6 files copied" in first.stdout and OLD in first.stdout
    assert "nothing copied" in again.stdout and OLD in again.stdout
    assert line_at_power_on(board) == OLD
    left = mpremote(board, "ls")
    assert "incoming" not in left and "ready" not in left and "agent" not in left


def test_only_what_changed_is_copied(board, old):
    install(board, old)
    (old / "ansim" / "helper.py").write_text("def double(number):\n    return number + number\n")

    done = install(board, old)

    assert (done.copied, done.removed, done.banner) == (1, 0, OLD)


def test_files_of_another_version_are_removed(board, old, new):
    install(board, old, "--source")

    done = install(board, new)

    assert (done.removed, done.banner) == (4, NEW)  # a stale helper.py would be taken before helper.mpy
    listed = mpremote(board, "ls", ":lib/ansim").split()
    assert "helper.mpy" in listed and "helper.py" not in listed


def test_a_running_program_is_interrupted(board, tmp_path):
    install(board, firmware(tmp_path / "busy", "1.0.0", loop=True))

    done = install(board, firmware(tmp_path / "next", "2.0.0", loop=True))

    assert done.banner == NEW


@pytest.mark.parametrize("percent", [0, 5, 50, 95])
def test_a_cable_pulled_while_copying_leaves_the_old_version(tmp_path, board, old, percent):
    install(board, old)
    new = firmware(tmp_path / "new", "2.0.0", big_dot_bin=os.urandom(20000))

    def pull(done, total, doing):
        if doing == "copying" and done * 100 >= percent * total:
            board.stop()

    with pytest.raises(ToolError, match="fell silent"):
        flash.flash(board.port, options("--root", new), advance=pull)
    board.start()

    assert line_at_power_on(board) == OLD
    assert install(board, new).banner == NEW


def test_killing_the_tool_while_it_copies_leaves_the_old_version(tmp_path, board, old):
    install(board, old)
    new = firmware(tmp_path / "new", "2.0.0", big_dot_bin=os.urandom(400_000))
    copying = subprocess.Popen(
        [sys.executable, str(ROOT / "tools" / "flash.py"), "--port", board.port, "--root", str(new)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    written = board.flash.stat().st_mtime_ns
    changes = 0
    while changes < 5 and copying.poll() is None:  # some blocks of the big file are there
        time.sleep(0.02)
        changes += board.flash.stat().st_mtime_ns != written
        written = board.flash.stat().st_mtime_ns
    copying.kill()
    assert copying.wait() < 0, "it had finished already: the test does not test what it should"

    assert line_at_power_on(board) == OLD
    assert install(board, new).banner == NEW


def test_a_file_that_comes_broken_is_noticed_and_the_old_version_stays(board, old, new, monkeypatch):
    install(board, old)
    send = device.MpremoteBoard.put
    monkeypatch.setattr(
        device.MpremoteBoard,
        "put",
        lambda line, files, advance: send(
            line, {path: content[:-1] + b"?" for path, content in files.items() if content}, advance
        ),
    )

    with pytest.raises(ToolError, match="arrived damaged"):
        install(board, new)

    assert line_at_power_on(board) == OLD


def test_a_full_flash_is_said_before_anything_is_copied(tmp_path, board, old):
    install(board, old)
    too_big = firmware(tmp_path / "big", "2.0.0", big_dot_bin=bytes(3_000_000))

    with pytest.raises(ToolError, match="kB free and needs"):
        install(board, too_big)

    assert line_at_power_on(board) == OLD


def test_a_firmware_that_does_not_start_is_told_with_its_last_words(board, tmp_path, monkeypatch):
    monkeypatch.setattr(flash, "BOOT_S", 1)
    broken = firmware(tmp_path / "broken", "1.0.0")
    (broken / "firmware" / "main.py").write_text("raise ValueError('no antenna')\n")

    with pytest.raises(ToolError, match="did not start within 1 s"):
        install(board, broken)


def test_several_boards_are_done_side_by_side(tmp_path, old):
    with Board(tmp_path / "one") as one, Board(tmp_path / "two") as two:
        gone = tmp_path / "not-there"

        done = tool("flash", "--port", one.port, "--port", gone, "--port", two.port, "--root", old, check=False)

        rows = done.stdout.splitlines()
        assert done.returncode == 1
        assert rows[0].startswith(one.port) and OLD in rows[0]
        assert rows[1].startswith(f"{gone}: error: cannot open") and "plugged in" in rows[1]
        assert rows[2].startswith(two.port) and OLD in rows[2]


@pytest.mark.parametrize("via", device.TRANSPORTS)
def test_a_port_without_a_board_is_one_line(tmp_path, via):
    done = tool("flash", "--port", tmp_path / "ttyUSB9", "--via", via, check=False)

    assert done.returncode == 1
    assert "error: cannot open" in done.stdout and "Traceback" not in done.stdout + done.stderr


def test_what_comes_by_cable_runs_also_where_an_update_over_the_air_ran(tmp_path):
    checkout = firmware(tmp_path / "checkout", "1.0")
    state = json.dumps({"slot": "a", "before": "", "left": None, "update": "0" * 64, "failed": ""})
    (tmp_path / "slots.json").write_text(state)
    (tmp_path / "newer.py").write_text('VERSION = "2.0"\n')
    with Board(tmp_path / "board") as board:
        tool("flash", "--port", board.port, "--root", checkout)
        mpremote(
            board, "mkdir", ":/a", "+", "mkdir", ":/a/ansim", "+", "cp", tmp_path / "newer.py", ":/a/ansim/__init__.py"
        )
        mpremote(board, "cp", "-r", ":/lib/ansim/helper.mpy", tmp_path / "helper.mpy")
        mpremote(board, "cp", tmp_path / "helper.mpy", ":/a/ansim/helper.mpy", "+", "cp", tmp_path / "slots.json", ":")
        assert "Ansim 2.0" in line_at_power_on(board)

        tool("flash", "--port", board.port, "--root", checkout)

        assert "Ansim 1.0" in line_at_power_on(board)
