"""The whole program in an interpreter's image, and its precedence over programs in files."""

import json
import shutil
import subprocess

import pytest

from ansim import VERSION
from tests.conftest import ROOT
from tools import native
from tools.hardware import payload
from tools.lib.errors import ToolError

SCRIPT = ROOT / "tests/native/image_first_on_micropython.py"

pytestmark = pytest.mark.build


@pytest.fixture(scope="module")
def interpreter():
    try:
        return str(native.build_host(frozen=True))
    except ToolError as error:
        pytest.skip(str(error))


@pytest.fixture
def start(interpreter, tmp_path):
    """Function that puts programs (folder=version) on the flash, starts and returns [VERSION, hash of the image]."""
    shutil.copyfile(ROOT / "firmware/boot.py", tmp_path / "boot.py")

    def start_with(**programs):
        for folder, version in programs.items():
            file = tmp_path / folder / "ansim" / "__init__.py"
            file.parent.mkdir(parents=True)
            if version:
                file.write_text(f"VERSION = {version!r}\n")
        process = subprocess.run([interpreter, str(SCRIPT), str(tmp_path)], capture_output=True, text=True)
        assert process.returncode == 0, process.stdout + process.stderr
        return process.stdout.split()

    return start_with


def test_without_files_the_program_in_the_image_runs_and_its_hash_is_known(start):
    assert start() == [VERSION, payload.program_hash()]


def test_a_copied_program_comes_first(start):
    assert start(lib="2.0.0")[0] == "2.0.0"


def test_empty_folders_of_a_removed_program_do_not_hide_the_image(start):
    assert start(lib="")[0] == VERSION


def test_an_update_over_the_air_comes_before_both(start, tmp_path):
    (tmp_path / "slots.json").write_text(
        json.dumps({"slot": "a", "before": "", "left": None, "update": "", "before_update": "", "failed": ""})
    )

    assert start(lib="2.0.0", a="3.0.0")[0] == "3.0.0"
