"""The emulated board with the real mpremote: it must behave like a real board."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.support.board_kit import line_at_power_on, mpremote
from tests.support.waiting import PATIENCE, wait_for
from tools.hardware.emulated_board import Board

CAUSE = "import machine; print(machine.reset_cause())"
POWER_ON, HARD, SOFT = 1, 2, 5


def reset(board):
    """mpremote's reset: softly as before every command, then hard a moment after it has gone."""
    starts = board.starts
    mpremote(board, "reset")
    wait_for(lambda: board.starts == starts + 2)


@pytest.fixture
def board(tmp_path):
    with Board(tmp_path / "board") as board:
        yield board


def test_mpremote_runs_programs_and_tells_their_errors(board):
    assert mpremote(board, "exec", "print(6 * 7)") == "42\n"

    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        mpremote(board, "exec", "1 / 0")


def test_files_survive_a_power_cut(board, tmp_path):
    (tmp_path / "note.txt").write_text("kept " * 1000)
    mpremote(board, "mkdir", ":lib")
    mpremote(board, "cp", tmp_path / "note.txt", ":lib/note.txt")

    board.power_cut()
    wait_for(lambda: board.starts > 1)

    assert mpremote(board, "cat", ":lib/note.txt") == "kept " * 1000


def test_a_board_plugged_in_again_has_its_files(tmp_path):
    with Board(tmp_path) as board:
        mpremote(board, "touch", ":here")

    with Board(tmp_path) as board:
        assert "here" in mpremote(board, "ls")


def test_it_tells_why_it_started(board):
    assert mpremote(board, "resume", "exec", CAUSE) == f"{POWER_ON}\n"
    assert mpremote(board, "exec", CAUSE) == f"{SOFT}\n"  # mpremote resets softly before it begins

    reset(board)
    assert mpremote(board, "resume", "exec", CAUSE) == f"{HARD}\n"

    starts = board.starts
    board.power_cut()
    wait_for(lambda: board.starts > starts)
    assert mpremote(board, "resume", "exec", CAUSE) == f"{POWER_ON}\n"

    starts = board.starts
    board.crash()
    wait_for(lambda: board.starts > starts)
    assert mpremote(board, "resume", "exec", CAUSE) == f"{HARD}\n"


def test_main_runs_at_power_on_and_can_be_interrupted(board, tmp_path):
    (tmp_path / "main.py").write_text("print('up and running')\nwhile True:\n    pass\n")
    mpremote(board, "cp", tmp_path / "main.py", ":main.py")

    assert line_at_power_on(board, "up and") == "up and running"
    assert mpremote(board, "exec", "print('interrupted')") == "interrupted\n"


def test_a_program_that_prints_for_ever_to_nobody_does_not_block_the_board(board, tmp_path):
    (tmp_path / "main.py").write_text("while True:\n    print('tick' * 20)\n")
    mpremote(board, "cp", tmp_path / "main.py", ":main.py")

    reset(board)

    assert mpremote(board, "exec", "print('heard')") == "heard\n"


def test_boot_runs_before_the_raw_prompt_and_main_does_not(board, tmp_path):
    (tmp_path / "boot.py").write_text("booted = True\nopen('/booted', 'w').close()\n")
    (tmp_path / "main.py").write_text("open('/ran', 'w').close()\n")
    mpremote(board, "cp", tmp_path / "boot.py", ":boot.py")
    mpremote(board, "cp", tmp_path / "main.py", ":main.py")

    files = mpremote(board, "ls")

    assert "booted" in files and "ran" not in files


def test_the_simulated_chip_is_there(board):
    done = mpremote(
        board, "exec", "import network, rfsniff, esp32, os; print(rfsniff.RECORD_BYTES, os.uname().sysname)"
    )

    assert done == "36 esp32\n"


def test_what_runs_on_the_board_cannot_touch_the_project(board):
    mpremote(board, "rm", "-r", ":/.sim")

    assert (ROOT / "tools" / "virtual_sensor" / "sim" / "machine.py").exists()


def test_the_command_makes_a_port_with_a_name_that_stays(tmp_path):
    link = tmp_path / "ttyBOARD"
    command = [
        sys.executable,
        "-m",
        "tools.hardware.emulated_board",
        str(tmp_path / "board"),
        "--link",
        str(link),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as running:
        try:
            assert running.stdout and running.stdout.readline().strip() == str(link)
            done = subprocess.run(
                [sys.executable, "-m", "mpremote", "connect", str(link), "exec", "print('named')"],
                capture_output=True,
                text=True,
                timeout=30 * PATIENCE,
            )
        finally:
            running.terminate()

    assert done.stdout == "named\n"
    assert not link.exists()
