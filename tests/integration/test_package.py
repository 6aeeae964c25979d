"""The wheel, installed into a fresh environment, runs the demo, and its commands work there."""

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import venv
import zipfile

import pytest

from tests.support.ports import free_port
from tests.support.waiting import PATIENCE, wait_for
from tools import package

# What would make the installed program use this checkout, or its environment.
ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIM_", "PYTHON", "VIRTUAL"))}


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_installed_wheel_runs_the_demo(tmp_path):
    wheel = package.make_wheel(tmp_path / "dist")
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / "bin"
    subprocess.run([programs / "pip", "install", "--quiet", f"{wheel}[sensors]"], check=True, env=ENVIRON, timeout=600)
    place = tmp_path / "elsewhere"
    place.mkdir()
    environ = {**ENVIRON, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONUNBUFFERED": "1"}
    ports = ["--port", str(free_port()), "--mqtt-port", str(free_port())]

    with (tmp_path / "log").open("wb") as log:
        command = [programs / "ansim", "--demo", *ports]
        process = subprocess.Popen(command, cwd=place, env=environ, stdout=log, stderr=log)
    try:
        wait_for(lambda: "Stop with Ctrl-C." in (tmp_path / "log").read_text() or process.poll() is not None, 120)
        wait_for(lambda: _count_reports(place) > 0 or "sensors ended" in (tmp_path / "log").read_text(), 60)
        assert _count_reports(place), (tmp_path / "log").read_text()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60 * PATIENCE)
    environ["ANSIM_DATA"] = str(place / "data" / "demo")
    command = [programs / "ansim-server", "reset-password", "admin"]
    reset = subprocess.run(command, cwd=place, env=environ, capture_output=True, text=True, timeout=60 * PATIENCE)

    assert re.search(r"one-time password: \S+", (tmp_path / "log").read_text())
    assert process.returncode == 0, (tmp_path / "log").read_text()
    assert reset.returncode == 0, reset.stderr
    assert not (tmp_path / "venv" / "data").exists()


def _count_reports(place):
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(place / "data/demo/ansim.db")) as store:
        return store.execute("SELECT count(*) FROM report").fetchone()[0]
    return 0


@pytest.mark.long
def test_the_wheel_has_the_version_and_no_generic_top_level_names(tmp_path):
    wheel = package.make_wheel(tmp_path)

    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
        metadata = file.read(f"ansim-{package.read_version()}.dist-info/METADATA").decode()
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"ansim_release", "ansim"}
    assert f"Version: {package.read_version()}\n" in metadata
    assert not [name for name in names if name.endswith((".pyc", ".mo", ".db"))]


def test_an_engine_without_its_service_is_none(monkeypatch, tmp_path):
    engine = tmp_path / "podman"
    engine.write_text(f"#!{sys.executable}\nimport sys\nsys.exit(1)\n")
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert package.find_engine() is None
    engine.write_text(f"#!{sys.executable}\n")
    assert package.find_engine() == "podman"


def test_the_project_has_one_version():
    from ansim import VERSION

    assert package.read_version() == VERSION
