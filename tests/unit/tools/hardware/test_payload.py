"""The files to install on a board, and that they compile for every board."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tools.hardware import payload
from tools.lib.errors import ToolError

ON_DEVICE = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("ansim", "firmware")
    for path in (ROOT / folder).rglob("*.py")
    if "native" not in path.parts
)


@pytest.fixture
def checkout(tmp_path):
    def write(path, text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    write("ansim/__init__.py", "")
    write("ansim/plain.py", "def f():\n    return 1\n")
    write("ansim/fast.py", "@micropython.viper\ndef f(a: int) -> int:\n    return a + 1\n")
    write("ansim/signatures/table.bin", "data")
    write("ansim/signatures/source/table.csv", "for people")
    write("ansim/signatures/README.md", "for people")
    write("firmware/main.py", "print(1)\n")
    write("firmware/boot.py", "print(0)\n")
    write("firmware/radio/main.py", "print(2)\n")
    write("firmware/native/rfsniff/tool.py", "print(3)\n")
    return tmp_path


def test_compiled_files_source_files_and_data_have_their_places(checkout):
    files = payload.collect(payload.XTENSAWIN, root=checkout)

    assert sorted(files) == [
        "/boot.py",
        "/lib/ansim/__init__.mpy",
        "/lib/ansim/fast.mpy",
        "/lib/ansim/plain.mpy",
        "/lib/ansim/signatures/table.bin",
        "/lib/firmware/radio/main.mpy",
        "/main.py",
    ]
    assert files["/main.py"] == b"print(1)\n"


def test_source_files_can_be_requested(checkout):
    files = payload.collect("", source=True, root=checkout)

    assert files["/lib/ansim/plain.py"] == b"def f():\n    return 1\n"
    assert not any(path.endswith(".mpy") for path in files)


def test_without_machine_code_such_a_file_stays_source(checkout):
    files = payload.collect("", root=checkout)

    assert "/lib/ansim/fast.py" in files and "/lib/ansim/plain.mpy" in files


def test_the_same_source_gives_the_same_bytes(checkout):
    assert payload.collect(payload.RV32IMC, root=checkout) == payload.collect(payload.RV32IMC, root=checkout)


def test_a_file_that_does_not_compile_is_named(checkout):
    (checkout / "ansim" / "plain.py").write_text("def f(:\n")

    with pytest.raises(ToolError, match=r"cannot compile ansim.plain\.py: SyntaxError"):
        payload.collect(payload.XTENSAWIN, root=checkout)


def test_the_architecture_comes_from_the_interpreter():
    assert payload.architecture(0x2B06) == "xtensawin"  # an ESP32 with MicroPython 1.29
    assert payload.architecture(0x2F06) == "rv32imc"  # an ESP32-C3
    assert payload.architecture(0x0B06) == "x64"
    assert payload.architecture(0x0006) == ""


@pytest.mark.parametrize("mpy", [0x2805, 0x2906, 0])
def test_an_interpreter_of_another_mpy_version_is_refused(mpy):
    with pytest.raises(ToolError, match="--image"):
        payload.architecture(mpy)


@pytest.mark.parametrize("arch", [payload.XTENSAWIN, payload.RV32IMC])
def test_every_file_for_the_device_compiles_for_every_board(arch, tmp_path):
    files = payload.collect(arch)
    compiled = {path.removeprefix("/lib/").replace(".mpy", ".py") for path in files if path.endswith(".mpy")}
    at_root = {f"firmware/{name}" for name in payload.ROOT_FILES}

    assert set(ON_DEVICE) - compiled - at_root <= set(payload.EXCLUDED)
    for name in sorted(at_root):  # they travel as source, and are compiled on the board
        payload._compile(ROOT, Path(name), arch, tmp_path)


def test_the_programs_date_is_that_of_its_newest_commit_and_at_least_the_one_in_the_source(checkout):
    file = checkout / payload.BUILD_DATE
    file.parent.mkdir(parents=True)
    file.write_text("BUILT_S = 1000  # seconds\n")
    assert payload.build_date(checkout) == b"BUILT_S = 1000  # seconds\n"

    environ = {**os.environ, "GIT_COMMITTER_DATE": "2000000000 +0000"}
    person = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for command in (("init", "-q"), ("add", "."), (*person, "commit", "-q", "-m", "x")):
        subprocess.run(["git", "-C", checkout, *command], check=True, env=environ)

    files = payload.collect("", source=True, root=checkout)
    assert files["/lib/firmware/network/build_date.py"] == b"BUILT_S = 2000000000  # seconds\n"
    file.write_text("BUILT_S = 3000000000\n")
    assert payload.build_date(checkout) == b"BUILT_S = 3000000000\n"
