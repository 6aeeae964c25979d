"""The systemd units start programs that exist, and are confined."""

import importlib.util
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from server import config, create_app
from server.config import Settings
from tests.conftest import ROOT

UNITS = ROOT / "server/deploy/systemd"
CONTAINERS = ROOT / "server/deploy/containers"
# All but the one that only tells mosquitto to read its files again.
SERVICES = sorted(set(UNITS.glob("*.service")) - {UNITS / "ansim-mosquitto-reload.service"})
MOST_EXPOSED = 2.0  # of systemd-analyze, 0 to 10


def read(path):
    """Return {section: {key: [value, ...]}} of a unit; a key may occur several times."""
    sections: dict[str, dict[str, list[str]]] = {}
    section = {}
    for line in path.read_text().splitlines():
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            key, value = line.split("=", 1)
            section.setdefault(key, []).append(value)
    return sections


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_unit_starts_what_exists(path, settings):
    commands = create_app(settings).cli.commands
    for line in read(path)["Service"]["ExecStart"]:
        program, *rest = line.removeprefix("/opt/ansim/.venv/bin/").split()
        if program == "python":
            assert rest[0] == "-m" and importlib.util.find_spec(rest[1])
        else:
            assert program == "flask" and rest[:2] == ["--app", "server"] and rest[2] in commands


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_service_is_confined_and_its_data_private(path):
    service = read(path)["Service"]
    assert (service["User"], service["UMask"], service["StateDirectoryMode"]) == (["ansim"], ["0077"], ["0700"])
    for key in ("NoNewPrivileges", "PrivateTmp", "ProtectHome", "MemoryDenyWriteExecute"):
        assert service[key] == ["yes"]
    assert service["ProtectSystem"] == ["strict"]


def test_systemd_understands_the_units(tmp_path):
    if not shutil.which("systemd-analyze"):
        return  # on macOS, and in containers without systemd; the tests above read the units
    for path in UNITS.iterdir():
        text = re.sub(r"/opt/ansim/\.venv/bin/\w+", sys.executable, path.read_text())
        (tmp_path / path.name).write_text(text)
    units = [str(path) for path in sorted(tmp_path.iterdir())]

    verified = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    of_units = [line for line in verified.stderr.splitlines() if "ansim" in line]

    assert of_units == []
    for path in (tmp_path / path.name for path in SERVICES):
        command = ["systemd-analyze", "security", "--offline=true", str(path)]
        text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        exposed = re.search(r"Overall exposure level for \S+: ([0-9.]+)", text)
        assert exposed and float(exposed[1]) <= MOST_EXPOSED, text


def test_the_compose_file_sets_settings_that_exist():
    compose = yaml.safe_load((CONTAINERS / "compose.yaml").read_text())
    environment = compose["x-ansim"]["environment"]
    known = {config.PREFIX + field.upper() for field in Settings.model_fields}

    assert set(environment) <= known
    asked = set(re.findall(r"\$\{(\w+)", (CONTAINERS / "compose.yaml").read_text()))
    offered = set(re.findall(r"^(\w+)=", (CONTAINERS / "example.env").read_text(), re.MULTILINE))
    assert asked == offered


def test_the_processes_of_the_compose_file_are_confined():
    compose = yaml.safe_load((CONTAINERS / "compose.yaml").read_text())
    for name in ("web", "ingest", "notify", "broker-config"):
        service = compose["services"][name]
        assert service["read_only"] and service["cap_drop"] == ["ALL"]
        assert "server" in service.get("command", ["", "", "server.front"])[2]
        assert set(service["depends_on"]) <= set(compose["services"])


def test_the_example_has_no_secret():
    lines = (CONTAINERS / "example.env").read_text().splitlines()
    values = dict(line.split("=", 1) for line in lines if not line.startswith("#"))

    assert [name for name, value in values.items() if value and name != "SITE"] == []


def test_the_image_has_what_the_processes_import():
    text = (CONTAINERS / "Containerfile").read_text()
    copied = set(re.findall(r"^COPY (\S+)", text, re.MULTILINE))

    assert {"ansim", "server", "requirements-server.lock"} <= copied
    assert all((ROOT / name).exists() for name in copied)
    assert "\nUSER ansim\n" in text
