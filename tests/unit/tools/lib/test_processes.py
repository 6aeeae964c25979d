"""What tools/run.py is made of: programs that belong together, a folder that one process has, ports."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE, wait_for
from tools.lib import processes

HOLDS = "import sys, pathlib; from tools.lib import processes; held = processes.lock_folder(pathlib.Path(sys.argv[1]))"


def python(code, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", code, *[str(one) for one in arguments]],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


def test_a_folder_belongs_to_one_process_until_it_ends_in_whatever_way(tmp_path):
    other = python(HOLDS + "; print('held', flush=True); input()", tmp_path, stdin=subprocess.PIPE)
    assert other.stdout.readline() == "held\n"

    with pytest.raises(processes.FolderInUse, match=f"process {other.pid}"):
        processes.lock_folder(tmp_path)
    other.kill()
    other.communicate(timeout=10 * PATIENCE)
    processes.lock_folder(tmp_path).close()
    processes.lock_folder(tmp_path).close()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells of a parent's end on Linux only")
def test_a_program_ends_when_its_parent_is_killed(tmp_path):
    parent = python(
        "import sys, time; from pathlib import Path; from tools.lib.processes import Service\n"
        "sleeps = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        "child = Service('child', sleeps, None, Path(sys.argv[1]) / 'log')\n"
        "child.start(); print(child.process.pid, flush=True); time.sleep(600)",
        tmp_path,
    )
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
        return stat.read().rpartition(")")[2].split()[0] == "Z"  # ended; nobody has asked how


def test_a_program_that_was_killed_is_started_again_and_one_that_does_not_keep_running_is_given_up(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(processes, "LONGEST_PAUSE_S", 0.1)
    programs = processes.Supervisor()
    good = programs.start(program("good", "import time; time.sleep(600)", tmp_path))
    first = good.process.pid
    good.process.kill()
    bad = program("bad", "print('no such thing', flush=True); raise SystemExit(3)", tmp_path)
    programs.start(bad)

    with pytest.raises(processes.ServiceFailed, match="no such thing"):
        programs.watch()
    programs.stop()

    said = capsys.readouterr().err
    assert f"good ended ({-signal.SIGKILL}); starting it again." in said
    assert "bad ended (3); starting it again." in said
    assert good.process.pid != first and good.process.poll() is not None


def program(name, code, folder):
    return processes.Service(name, [sys.executable, "-c", code], dict(os.environ), folder / f"{name}.log")


def test_why_a_port_cannot_be_used_is_told_in_words():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert processes.port_problem("127.0.0.1", other.getsockname()[1]) == "is taken by another program"
    assert processes.port_problem("127.0.0.1", free_port()) == ""
    assert processes.port_problem("192.0.2.1", free_port()).startswith("cannot be used on 192.0.2.1")
