"""The supervisor of tools/run.py, the lock of a data folder, and ports."""

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


def test_a_killed_service_is_restarted_and_one_that_keeps_exiting_fails(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(processes, "LONGEST_PAUSE_S", 0.1)
    supervisor = processes.Supervisor()
    good = supervisor.start(service("good", "import time; time.sleep(600)", tmp_path))
    assert good.process
    first = good.process.pid
    good.process.kill()
    bad = service("bad", "print('no such thing', flush=True); raise SystemExit(3)", tmp_path)
    supervisor.start(bad)

    with pytest.raises(processes.ServiceFailed, match="no such thing"):
        supervisor.watch()
    supervisor.stop()

    output = capsys.readouterr().err
    assert f"good ended ({-signal.SIGKILL}); starting it again." in output
    assert "bad ended (3); starting it again." in output
    assert good.process.pid != first and good.exit_code is not None


def service(name, code, folder):
    return processes.Service(name, [sys.executable, "-c", code], dict(os.environ), folder / f"{name}.log")


def test_the_problem_of_a_port_is_described():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert processes.port_problem("127.0.0.1", other.getsockname()[1]) == "is taken by another program"
    assert processes.port_problem("127.0.0.1", free_port()) == ""
    assert processes.port_problem("192.0.2.1", free_port()).startswith("cannot be used on 192.0.2.1")
