"""The whole program in an interpreter's image: which program runs when there are files, too."""

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
def starts(interpreter, tmp_path):
    shutil.copyfile(ROOT / "firmware/boot.py", tmp_path / "boot.py")

    def start(**programs):
        for folder, version in programs.items():
            file = tmp_path / folder / "ansim" / "__init__.py"
            file.parent.mkdir(parents=True)
            if version:
                file.write_text(f"VERSION = {version!r}\n")
        done = subprocess.run([interpreter, str(SCRIPT), str(tmp_path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.split()

    return start


def test_without_files_the_program_in_the_image_runs_and_says_which_it_is(starts):
    assert starts() == [VERSION, payload.program_hash()]


def test_a_program_that_was_copied_comes_first(starts):
    assert starts(lib="2.0.0")[0] == "2.0.0"


def test_folders_that_a_removed_program_left_do_not_hide_the_image(starts):
    assert starts(lib="")[0] == VERSION


def test_an_update_over_the_air_comes_before_both(starts, tmp_path):
    (tmp_path / "slots.json").write_text(
        json.dumps({"slot": "a", "before": "", "left": None, "update": "", "before_update": "", "failed": ""})
    )

    assert starts(lib="2.0.0", a="3.0.0")[0] == "3.0.0"
