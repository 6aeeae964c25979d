"""tools/hardware/chip.py: esptool's steps against a mock of the chip's boot loader (PyPI: esp32-mock-bootloader)."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from tools.hardware import chip
from tools.lib.errors import ToolError


@pytest.fixture
def mock(tmp_path):
    """A function that starts a mock of a chip and returns its port."""
    running = []

    def start(name):
        program = Path(sys.executable).with_name("esp32-mock-bootloader")
        one = subprocess.Popen(
            [program, "run", "--pty", "--chip", name, "--timeout", "60"], stdout=subprocess.PIPE, text=True
        )
        running.append(one)
        assert one.stdout
        return next(word for line in one.stdout for word in line.split() if word.startswith("/dev/"))

    yield start
    for one in running:
        one.kill()
        one.wait()
        one.stdout.close()


def image_for(folder, chip_id):
    content = bytearray(range(256)) * 400
    content[:16] = bytes([chip.MAGIC, 1, 2, 0x20, *bytes(8), chip_id, 0, 0, 0])
    path = folder / "micropython.bin"
    path.write_bytes(content)
    return chip.read_image(path, hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize(("name", "chip_id"), [("esp32", 0), ("esp32c3", 5)])
def test_an_interpreter_is_written_and_compared(mock, tmp_path, name, chip_id):
    done = []

    chip.write(mock(name), image_for(tmp_path, chip_id), done.append, erase=True)

    assert done == sorted(done) and done[-1] == 100


def test_an_image_for_another_chip_is_refused_in_one_line(mock, tmp_path):
    with pytest.raises(ToolError, match="is no esp32:.*choose the image for its chip"):
        chip.write(mock("esp32c3"), image_for(tmp_path, 0))


def test_a_port_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(ToolError, match="cannot open"):
        chip.write(str(tmp_path / "ttyUSB9"), image_for(tmp_path, 0))
