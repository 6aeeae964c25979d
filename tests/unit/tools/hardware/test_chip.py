"""The checks of an interpreter image before it is written."""

import hashlib

import pytest

from tools.hardware import chip
from tools.lib.errors import ToolError


def write(folder, chip_id=0, magic=chip.MAGIC, size=4096):
    path = folder / "image.bin"
    path.write_bytes(bytes([magic, *bytes(11), chip_id, 0]).ljust(size, b"\xff"))
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("chip_id", "name", "offset"),
    [(0, "esp32", 0x1000), (2, "esp32s2", 0x1000), (9, "esp32s3", 0), (5, "esp32c3", 0), (13, "esp32c6", 0)],
)
def test_an_image_says_for_which_chip_it_is_and_where_it_goes(tmp_path, chip_id, name, offset):
    path, digest = write(tmp_path, chip_id)

    assert chip.read_image(path, digest.upper()) == (path, name, offset)


def test_the_hash_may_lie_beside_the_image(tmp_path):
    path, digest = write(tmp_path)
    (tmp_path / "image.bin.sha256").write_text(f"{digest}  image.bin\n")

    assert chip.read_image(path, "").chip == "esp32"


def test_a_wrong_hash_is_refused(tmp_path):
    path, _ = write(tmp_path)

    with pytest.raises(ToolError, match="its SHA-256 differs"):
        chip.read_image(path, "0" * 64)


def test_an_image_without_a_hash_is_refused(tmp_path):
    path, _ = write(tmp_path)

    with pytest.raises(ToolError, match="--sha256"):
        chip.read_image(path, "")


def test_a_missing_image_is_named(tmp_path):
    with pytest.raises(ToolError, match="no interpreter image .*nothing.bin"):
        chip.read_image(tmp_path / "nothing.bin", "")


@pytest.mark.parametrize("wrong", [{"magic": 0x7F}, {"chip_id": 77}, {"size": 100}])
def test_a_file_that_is_no_image_for_these_chips_is_refused(tmp_path, wrong):
    path, digest = write(tmp_path, **wrong)

    with pytest.raises(ToolError, match="is no interpreter image"):
        chip.read_image(path, digest)
