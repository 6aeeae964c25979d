"""
Put an interpreter image (MicroPython for the chip) on a board, with esptool.

    image = chip.read_image("firmware.bin", sha256)       # checked before a byte is written
    chip.write(port, image, advance=print, erase=False)

The image is MicroPython's own for the board, or one with the sniffer module in it (see
firmware/native/README.md). It holds boot loader, partition table and interpreter; the files
on the board, in a partition behind them, stay unless they are erased on purpose.
"""

import contextlib
import hashlib
import re
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

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

# path    of the file
# chip    esptool's name of the chip it is for
# offset  where in flash it goes
Image = namedtuple("Image", ("path", "chip", "offset"))


def read_image(path: Path, sha256: str) -> Image:
    """
    Return what an image is for, after checking it against its hash.

    sha256  64 hex digits as its maker publishes them; "": take them from the file <path>.sha256

    Raises ToolError.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        wanted = (sha256 or path.with_name(path.name + ".sha256").read_text().split()[0]).lower()
    except (OSError, IndexError) as error:
        if not path.is_file():
            raise ToolError(f"no interpreter image {path}") from error
        raise ToolError(f"no hash for {path}: give it with --sha256, as the image's maker publishes it") from error
    if hashlib.sha256(content).hexdigest() != wanted:
        raise ToolError(f"{path} is not the image that was meant: its SHA-256 differs; download it again")
    chip = int.from_bytes(content[CHIP_AT : CHIP_AT + 2], "little")
    if len(content) < 1024 or content[0] != MAGIC or chip not in CHIPS:
        raise ToolError(f"{path} is no interpreter image for an ESP32, S2, S3, C3 or C6")
    return Image(path, *CHIPS[chip])


def write(port: str, image: Image, percent=lambda done: None, erase: bool = False) -> None:
    """
    Write an image, and let esptool compare what arrived.

    percent  called with 0..100 as it goes
    erase    first erase everything on the board, settings and unsent reports too

    Raises ToolError.
    """
    if erase:
        _esptool(port, image.chip, ["erase-flash"], percent)
    _esptool(port, image.chip, ["write-flash", hex(image.offset), str(image.path)], percent)


def _esptool(port, chip, arguments, percent):
    command = [sys.executable, "-m", "esptool", "--chip", chip, "--port", port, *arguments]
    said = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        # A progress bar is one line that ends in \r many times, which text mode turns into \n.
        for line in running.stdout:
            done = re.search(r"(\d+)[.,]?\d*\s*%", line)
            if done:
                with contextlib.suppress(ValueError):
                    percent(int(done[1]))
            elif line.strip():
                said.append(line.strip())
    if running.returncode:
        raise ToolError(_why(port, chip, said))


def _why(port, chip, said):
    errors = [line for line in said if "error" in line.lower()] or said[-1:] or ["it said nothing"]
    text = errors[-1]
    if "This chip is" in text or "wrong --chip" in text.lower():
        return f"the board on {port} is no {chip}: {text}; choose the image for its chip"
    if "could not open" in text.lower() or "port is busy" in text.lower() or "does not exist" in text.lower():
        return f"cannot open {port}; is the board plugged in, and no other program using it?"
    return f"esptool on {port}: {text[:200]}; hold the board's BOOT button while it connects and try again"
