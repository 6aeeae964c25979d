"""The medium compiles without a warning, and refuses to run without radios."""

import shutil
import subprocess

import pytest

from tools.airlab import machine

pytestmark = pytest.mark.build


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    path = tmp_path_factory.mktemp("medium") / "medium"
    machine.compile_medium(path, "-fsanitize=address,undefined")
    return path


def test_it_says_how_it_is_called(program):
    done = subprocess.run([program], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "usage: medium CONFIGURATION" in done.stderr


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("nood 1 2 3\n", "line 1 is not understood"),
        ("seed 1\nnode 99 0 0 15 1 7 128\n", "line 2 is not understood"),
        ("node 0 0 0 15 1 7 128\n", "no sensor"),
    ],
)
def test_a_wrong_configuration_is_refused(program, tmp_path, text, complaint):
    path = tmp_path / "medium.conf"
    path.write_text(text)

    done = subprocess.run([program, path], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert complaint in done.stderr


def test_a_computer_without_simulated_radios_is_said(program, tmp_path):
    path = tmp_path / "medium.conf"
    path.write_text(f"seed 1\nnode 0 0 0 15 1 7 128\nsensor {tmp_path}/x.pcap 0 0 2437\n")

    done = subprocess.run([program, path], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "no mac80211_hwsim" in done.stderr
