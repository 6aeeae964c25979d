"""
Write an interpreter image (MicroPython for the chip) to a board, with esptool.

    image = chip.read_image("firmware.bin", sha256)       # checked before a byte is written
    chip.write(port, image, percent=print, erase=False)

The image is MicroPython's own for the board, or one with the sniffer module in it (see
firmware/native/README.md). It holds boot loader, partition table and interpreter. The files
on the board are in another partition and stay, unless everything is erased.
"""

import contextlib
import hashlib
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tools.lib.errors import ToolError

MAGIC = 0xE9
CHIP_AT = 12  # of the extended header: two bytes, little-endian

# chip id in an image -> (esptool's name, where the ROM looks for the boot loader)
# Source: esptool, "Firmware image format"; ESP-IDF's CONFIG_BOOTLOADER_OFFSET_IN_FLASH
CHIPS = {
    0: ("esp32", 0x1000),
    2: ("esp32s2", 0x1000),
    9: ("esp32s3", 0x0),
    5: ("esp32c3", 0x0),
    13: ("esp32c6", 0x0),
}


class Image(NamedTuple):
    """An interpreter image, checked against its hash."""

    path: Path
    chip: str  # esptool's name of the chip
    offset: int  # address in flash


def read_image(path: Path, sha256: str) -> Image:
    """
    Check an image against its hash and return it with its chip and offset.

    sha256  64 hex digits as its publisher states them; "" reads them from the file <path>.sha256

    Raises ToolError.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        expected = (sha256 or path.with_name(path.name + ".sha256").read_text().split()[0]).lower()
    except (OSError, IndexError) as error:
        if not path.is_file():
            raise ToolError(f"no interpreter image {path}; check the path of --image") from error
        raise ToolError(f"no hash for {path}; give the one that its publisher states with --sha256") from error
    if hashlib.sha256(content).hexdigest() != expected:
        raise ToolError(f"{path} is damaged or another image: its SHA-256 differs; download it again")
    chip = int.from_bytes(content[CHIP_AT : CHIP_AT + 2], "little")
    if len(content) < 1024 or content[0] != MAGIC or chip not in CHIPS:
        raise ToolError(f"{path} is no interpreter image for an ESP32, S2, S3, C3 or C6; choose another with --image")
    return Image(path, *CHIPS[chip])


def write(port: str, image: Image, percent: Callable[[int], object] = lambda done: None, erase: bool = False) -> None:
    """
    Write an image and verify it with esptool.

    percent  called with the progress, 0..100
    erase    True first erases everything on the board, settings and unsent reports too

    Raises ToolError.
    """
    if erase:
        _esptool(port, image.chip, ["erase-flash"], percent)
    _esptool(port, image.chip, ["write-flash", hex(image.offset), str(image.path)], percent)


def _esptool(port, chip, arguments, percent):
    command = [sys.executable, "-m", "esptool", "--chip", chip, "--port", port, *arguments]
    output = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        # A progress bar is one line that ends in \r many times, which text mode turns into \n.
        for line in process.stdout or ():
            done = re.search(r"(\d+)[.,]?\d*\s*%", line)
            if done:
                with contextlib.suppress(ValueError):
                    percent(int(done[1]))
            elif line.strip():
                output.append(line.strip())
    if process.returncode:
        raise ToolError(_explain(port, chip, output))


def _explain(port, chip, output):
    errors = [line for line in output if "error" in line.lower()] or output[-1:] or ["no output"]
    text = errors[-1]
    if "This chip is" in text or "wrong --chip" in text.lower():
        return f"the board on {port} is no {chip}: {text}; choose the image for its chip"
    if "could not open" in text.lower() or "port is busy" in text.lower() or "does not exist" in text.lower():
        return f"cannot open {port}; check that the board is plugged in and no other program uses it"
    return f"esptool on {port}: {text[:200]}; try again and hold the board's BOOT button while it connects"
