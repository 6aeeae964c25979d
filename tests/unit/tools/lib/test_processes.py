"""The supervisor of tools/run.py, the lock of a data folder, and ports."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE, wait_for
from tools.lib import processes

LOCK_FOLDER = (
    "import sys, pathlib; from tools.lib import processes; held = processes.lock_folder(pathlib.Path(sys.argv[1]))"
)


def python(code, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", code, *[str(argument) for argument in arguments]],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


def test_a_folder_is_locked_until_its_process_ends_however_it_ends(tmp_path):
    other = python(LOCK_FOLDER + "; print('held', flush=True); input()", tmp_path, stdin=subprocess.PIPE)
    assert other.stdout and other.stdout.readline() == "held\n"

    with pytest.raises(processes.FolderInUse, match=f"process {other.pid}"):
        processes.lock_folder(tmp_path)
    other.kill()
    other.communicate(timeout=10 * PATIENCE)
    processes.lock_folder(tmp_path).close()
    processes.lock_folder(tmp_path).close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals the end of a parent")
def test_a_service_ends_when_its_parent_is_killed(tmp_path):
    parent = python(
        "import sys, time; from pathlib import Path; from tools.lib.processes import Service\n"
        "sleeps = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        "child = Service('child', sleeps, None, Path(sys.argv[1]) / 'log')\n"
        "child.start(); print(child.process.pid, flush=True); time.sleep(600)",
        tmp_path,
    )
    assert parent.stdout
    child = int(parent.stdout.readline())

    parent.kill()
    parent.communicate(timeout=10 * PATIENCE)

    wait_for(lambda: is_gone(child), 10)


def is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    with open(f"/proc/{pid}/stat") as stat:
        return (
            stat.read().rpartition(")")[2].split()[0] == "Z"
        )  # a zombie: it has ended, and its parent has not read its exit code


@pytest.fixture
def supervisor(monkeypatch):
    """A supervisor with short pauses; its services are stopped at the end."""
    monkeypatch.setattr(processes, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(processes, "LONGEST_PAUSE_S", 0.05)
    supervisor = processes.Supervisor()
    yield supervisor
    supervisor.stop()


def supervise_until(supervisor, condition):
    def is_true():
        supervisor.restart_due()
        return condition()

    wait_for(is_true, 20)


def test_a_killed_service_is_restarted_with_one_line(tmp_path, capsys, supervisor):
    good = supervisor.start(service("good", "import time; time.sleep(600)", tmp_path))
    assert good.process
    first = good.process.pid
    good.process.kill()

    supervise_until(supervisor, lambda: good.process and good.process.pid != first)

    assert capsys.readouterr().err == f"good ended ({-signal.SIGKILL}); starting it again.\n"
    supervisor.stop()
    assert good.exit_code is not None


def test_a_service_that_keeps_ending_stops_no_other_and_is_well_again_when_its_cause_is_gone(
    tmp_path, capsys, monkeypatch, supervisor
):
    cure, starts = tmp_path / "cure", tmp_path / "starts"
    code = (
        f"import pathlib, time; open({str(starts)!r}, 'a').write('x'); print('no such thing', flush=True)\n"
        f"if pathlib.Path({str(cure)!r}).exists(): time.sleep(600)\n"
        "raise SystemExit(3)"
    )
    good = supervisor.start(service("good", "import time; time.sleep(600)", tmp_path))
    bad = supervisor.start(service("bad", code, tmp_path))

    supervise_until(supervisor, lambda: bad.failures >= 12 and "no such thing" in bad.tail)
    assert good.exit_code is None and good.failures == 0
    entered = capsys.readouterr().err.splitlines()
    cure.touch()
    started = starts.stat().st_size
    supervise_until(supervisor, lambda: starts.stat().st_size > started and bad.exit_code is None)
    monkeypatch.setattr(processes, "STABLE_AFTER_S", 0.2)
    supervise_until(supervisor, lambda: bad.failures == 0)
    supervise_until(supervisor, lambda: True)

    assert [line.partition(";")[0] for line in entered] == ["bad ended (3)", "bad keeps ending (3)"]
    assert capsys.readouterr().err == "bad is well again: it has run for 0.2 s.\n"


def test_pauses_double_up_to_a_minute_and_begin_again_after_a_minute_of_running(tmp_path, monkeypatch):
    now_s = [1000.0]
    monkeypatch.setattr(processes.time, "monotonic", lambda: now_s[0])
    ending = service("ending", "", tmp_path)
    ending.start()
    assert ending.process
    ending.process.wait()

    pauses_s = []
    for ran_s in [0] * 8 + [59, 60]:
        ending.restart_at_s, ending._started_s = None, now_s[0]
        now_s[0] += ran_s
        assert ending.detect_exit() and not ending.detect_exit()
        assert ending.restart_at_s is not None
        pauses_s.append(round(ending.restart_at_s - now_s[0]))

    assert pauses_s == [1, 2, 4, 8, 16, 32, 60, 60, 60, 1]


def test_a_service_that_cannot_be_started_is_tried_again(tmp_path, capsys, supervisor):
    good = supervisor.start(service("good", "", tmp_path))
    command, good.command = good.command, [str(tmp_path / "none")]

    supervise_until(supervisor, lambda: good.failures >= 4)
    good.command = [*command[:-1], "import time; time.sleep(600)"]
    supervise_until(supervisor, lambda: good.exit_code is None)

    assert "good cannot be started (No such file or directory); trying again." in capsys.readouterr().err


def test_a_service_that_ends_while_all_are_started_is_an_error_with_its_last_lines(tmp_path, supervisor):
    supervisor.start(service("good", "import time; time.sleep(600)", tmp_path))
    bad = supervisor.start(service("bad", "print('no such thing'); raise SystemExit(3)", tmp_path))
    assert bad.process
    bad.process.wait(10 * PATIENCE)

    with pytest.raises(processes.ServiceFailed, match=r"bad does not keep running; its last lines:\n  no such thing"):
        supervisor.check_all_run()


MORE_THAN_A_PIPE_HOLDS = "print(('x' * 99 + chr(10)) * 5000 + 'last', flush=True)"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a file that is always full")
def test_a_service_does_not_block_when_the_disk_of_its_output_is_full(tmp_path, capsys):
    printing = processes.Service("printing", [sys.executable, "-c", MORE_THAN_A_PIPE_HOLDS], None, Path("/dev/full"))
    printing.start()
    assert printing.process

    assert printing.process.wait(20 * PATIENCE) == 0
    wait_for(lambda: printing.output.dropped == 5001)

    assert printing.tail[-1] == "last"
    assert capsys.readouterr().err == (
        "printing: cannot write /dev/full (No space left on device); its output is dropped until it can be.\n"
    )


def test_dropped_lines_are_counted_in_the_file_once_it_can_be_written(tmp_path, capsys):
    path = tmp_path / "missing" / "log"
    output = processes.OutputFile("web", path)
    output.write("a\n")
    output.write("b\n")
    path.parent.mkdir()
    output.write("c\n")
    output.write("d\n")

    assert path.read_text() == "\n(2 lines were dropped, because this file could not be written)\nc\nd\n"
    assert output.dropped == 0
    assert capsys.readouterr().err.count("\n") == 1


def test_a_line_without_an_end_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "LONGEST_LINE", 1000)
    printing = service("printing", "print('x' * 100_000, flush=True)", tmp_path)
    printing.start()

    wait_for(lambda: (tmp_path / "printing.log").exists() and (tmp_path / "printing.log").stat().st_size == 100_001)
    assert max(len(line) for line in printing.tail) == 1000


def test_a_console_that_cannot_be_written_stops_nothing(monkeypatch):
    with open("/dev/full" if os.path.exists("/dev/full") else os.devnull, "w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        processes.say("web ended (1); starting it again.")
        monkeypatch.undo()
        with contextlib.suppress(OSError):
            full.close()


def service(name, code, folder):
    return processes.Service(name, [sys.executable, "-c", code], dict(os.environ), folder / f"{name}.log")


def test_the_problem_of_a_port_is_described():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert processes.port_problem("127.0.0.1", other.getsockname()[1]) == "is taken by another program"
    assert processes.port_problem("127.0.0.1", free_port()) == ""
    assert processes.port_problem("192.0.2.1", free_port()).startswith("cannot be used on 192.0.2.1")


def test_a_large_output_file_is_rotated(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "LARGEST_FILE_BYTES", 100)
    output = processes.OutputFile("web", tmp_path / "web.log")

    for number in range(50):
        output.write(f"line {number:03} of twenty b\n")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["web.log", "web.log.1", "web.log.2", "web.log.3"]
    assert all(path.stat().st_size <= 100 for path in tmp_path.iterdir())
    assert "line 049" in (tmp_path / "web.log").read_text()
