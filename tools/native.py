#!/usr/bin/env python3
"""
Build MicroPython with the sniffer module firmware/native/rfsniff.

    python3 -m tools.native esp32 --micropython ~/micropython --board ESP32_GENERIC_S3 [--frozen]
    python3 -m tools.native host [--sanitize | --frozen]
    python3 -m tools.native rv32

`esp32` builds the interpreter image for tools/flash.py; it needs ESP-IDF's `idf.py` on the PATH and
a checkout of MicroPython. `host` builds a MicroPython for this computer from Debian's source package,
with a radio that is driven by Python calls; the tests use it. --frozen includes the whole program in
the image, where code takes no heap (for this computer: a 32-bit interpreter, whose objects have the size
that they have on a board, with the simulated hardware and TLS). All
builds go to build/native, and only changes are rebuilt. `rv32` builds one for the processor of an ESP32-C3 in QEMU.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ansim import signatures
from tools.hardware import debian_sources, inline_constants, payload, rv32
from tools.lib import arguments, errors
from tools.lib.errors import ToolError
from tools.lib.paths import ROOT

MODULES = ROOT / "firmware" / "native"
BUILD = ROOT / "build" / "native"

# board of the project (ansim/settings.py) -> board of MicroPython's esp32 port
BOARDS = {
    "esp32_devkit": "ESP32_GENERIC",
    "esp32_s3": "ESP32_GENERIC_S3",
    "esp32_c3_mini": "ESP32_GENERIC_C3",
    "esp32_c5": "ESP32_GENERIC_C5",
    "esp32_ethernet": "OLIMEX_ESP32_POE",
}

# First block of the heap of a board, in bytes: the program with all that it holds (firmware/native/README.md). The file
# rfsniff/micropython.cmake has the same number.
BOARD_HEAP_BYTES = 80 * 1024

# Without the parts that need submodules, which the Debian source package lacks; the module does not need them.
HOST_OPTIONS = ("VARIANT=standard", "MICROPY_PY_BTREE=0", "MICROPY_PY_FFI=0")
FORCE_32_BIT = ("MICROPY_FORCE_32BIT=1",)
NO_TLS = ("MICROPY_PY_SSL=0",)
TLS_FLAGS = "CFLAGS=-O1 -m32"
TLS_LIBRARIES = ("libmbedcrypto.a", "libmbedx509.a", "libmbedtls.a")
TLS = ("MICROPY_PY_SSL=1", "MICROPY_SSL_MBEDTLS=1", "MICROPY_SSL_AXTLS=0")
# (folder, import path) of what is frozen. The simulation's boot.py becomes SIM_BOOT, a name that no file of a board
# has.
PROGRAM = (("ansim", "ansim"), ("firmware", "firmware"))
SIMULATED_NATIVE = ROOT / "tools" / "virtual_sensor" / "native"
SIMULATED = (("tools/virtual_sensor/sim", ""),)
NOT_FROZEN = ("native", "source", "__pycache__")
IMAGE_MODULE = "ansim_image.py"  # holds program_hash(), which tools/flash.py reads from the board
SIM_BOOT = "sim_boot"
KEPT_NAMES = ("VERSION",)  # used at the prompt
MANIFEST = 'include("{base}")\nfreeze("{tree}")\n'
SANITIZE_OPTIONS = ("STRIP=", "CFLAGS_EXTRA=-fsanitize=thread -g", "LDFLAGS_EXTRA=-fsanitize=thread")


def build_host(sanitize: bool = False, frozen: bool = False) -> Path:
    """
    Build a MicroPython for this computer; return its path.

    sanitize   build with ThreadSanitizer
    frozen     a 32-bit interpreter, whose objects have the size they have on a board, with ansim/, firmware/ and the
               simulated hardware (without the module) in the image, to be started with `-m sim_boot`, see
               tools/virtual_sensor/sim/boot.py; and TLS, by the source package of mbedTLS

    Without `frozen` the interpreter has the module and its host backend. The first build takes about a minute;
    without changes the existing program is returned. Raises ToolError if a tool or source package is missing.
    """
    for tool in ("make", "gcc"):
        if shutil.which(tool) is None:
            raise ToolError(f"{tool} is not installed; on Debian run `apt install build-essential`")
    if frozen:
        _require_32_bit_compiler()
    BUILD.mkdir(parents=True, exist_ok=True)
    with open(BUILD / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test processes must not build in one folder
        source = debian_sources.source_folder("micropython", BUILD)
        out = BUILD / ("host-frozen" if frozen else "host-sanitize" if sanitize else "host")
        program, stamp = out / "micropython", out / "built-from"
        tree = _stage(BUILD / "frozen", PROGRAM + SIMULATED) if frozen else MODULES
        modules = SIMULATED_NATIVE if frozen else MODULES
        fingerprint = f"{source.name} {_fingerprint(tree)} {_fingerprint(modules)}"
        if not (program.exists() and stamp.exists() and stamp.read_text() == fingerprint):
            options = ["FROZEN_MANIFEST=", *NO_TLS]
            if frozen:
                options = [*FORCE_32_BIT, *_frozen_options(source, tree), *_tls_options()]
            options += SANITIZE_OPTIONS if sanitize else ()
            command = ["make", "-C", str(source / "ports/unix"), f"-j{os.cpu_count()}", *HOST_OPTIONS, *options]
            command += [f"USER_C_MODULES={modules}"]
            debian_sources.run_logged([*command, f"BUILD={out}"], BUILD / f"{out.name}.log")
            stamp.write_text(fingerprint)
    return program


def build_rv32() -> Path:
    """
    Build a MicroPython with the program and the module for a RISC-V processor in QEMU, see tools/hardware/rv32.py;
    return the image's path. Takes about a minute the first time. Raises ToolError if a tool is missing.
    """
    rv32.check_tools()
    BUILD.mkdir(parents=True, exist_ok=True)
    with open(BUILD / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        source = debian_sources.source_folder("micropython", BUILD)
        out = BUILD / "rv32"
        image, stamp = out / "firmware.elf", out / "built-from"
        # With the names of constants, which the scripts of the tests use.
        tree = _stage(BUILD / "frozen-rv32", PROGRAM, inlined=False)
        program = hashlib.sha256(Path(rv32.__file__).read_bytes()).hexdigest()
        fingerprint = f"{source.name} {program} {_fingerprint(tree)} {_fingerprint(MODULES)}"
        if not (image.exists() and stamp.exists() and stamp.read_text() == fingerprint):
            rv32.build(source, build_compiler(source), tree, MODULES, out)
            stamp.write_text(fingerprint)
    return image


def run_rv32(
    script: Path, files: dict[str, bytes], arguments: Sequence[object] = (), heap_bytes: int = rv32.HEAP_BYTES
) -> list[str]:
    """Run a script on build_rv32()'s image as rv32.run() does; return the lines that it prints. Raises ToolError."""
    return rv32.run(build_rv32(), BUILD / "mpy-cross" / "mpy-cross", script, files, arguments, heap_bytes)


def _require_32_bit_compiler():
    """Raise ToolError if gcc cannot link a 32-bit program."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        raise ToolError("a 32-bit interpreter can be built on an x86-64 computer only")
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch) / "empty.c"
        program.write_text('#include <stdio.h>\nint main(void) { return puts("") < 0; }\n')
        command = ["gcc", "-m32", str(program), "-o", str(program.with_suffix(""))]
        if subprocess.run(command, capture_output=True).returncode:
            raise ToolError("gcc cannot build 32-bit programs; on Debian run `apt install gcc-multilib`")


def _stage(tree: Path, folders, inlined: bool = True) -> Path:
    """Lay out the files to freeze in a folder, and return it; with `inlined`, constants replace their names."""
    shutil.rmtree(tree, ignore_errors=True)
    for folder, import_path in folders:
        for file in sorted((ROOT / folder).rglob("*.py")):
            name = file.relative_to(ROOT / folder)
            if not any(part in NOT_FROZEN for part in name.parts):
                is_sim_boot = (folder, name.name) == ("tools/virtual_sensor/sim", "boot.py")
                target = tree / import_path / (f"{SIM_BOOT}.py" if is_sim_boot else name)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
    (tree / payload.BUILD_DATE).write_bytes(payload.build_date())
    sources = (
        {} if not inlined else {file.relative_to(tree).as_posix(): file.read_text() for file in tree.rglob("*.py")}
    )
    for path, text in inline_constants.inline_constants(sources, KEPT_NAMES).items():
        (tree / path).write_text(text)
    folder = ROOT / "ansim" / "signatures"
    tables = {name: signatures.read(str(folder / f"{name}.bin"), number) for number, name in signatures.NAMES.items()}
    rows = [f"    {name!r}: {table!r},\n" for name, table in tables.items()]
    (tree / "ansim/signatures/in_image.py").write_text("TABLES = {\n" + "".join(rows) + "}\n")
    (tree / IMAGE_MODULE).write_text(f"PROGRAM = {payload.program_hash()!r}\n")
    return tree


def _frozen_options(source, tree):
    compiler, manifest = build_compiler(source), BUILD / "manifest.py"
    manifest.write_text(MANIFEST.format(base="$(MPY_DIR)/extmod/asyncio", tree=tree))
    options = [f"FROZEN_MANIFEST={manifest}", f"MICROPY_MPYCROSS={compiler}", f"MICROPY_MPYCROSS_DEPENDENCY={compiler}"]
    return [*options, "MPY_CROSS_FLAGS=-march=x86"]


def build_compiler(source: Path) -> Path:
    """Build mpy-cross of a MicroPython's source; return its path. Raises ToolError."""
    out = BUILD / "mpy-cross"
    command = ["make", "-C", str(source / "mpy-cross"), f"-j{os.cpu_count()}", f"BUILD={out}"]
    debian_sources.run_logged(command, BUILD / "mpy-cross.log")
    return out / "mpy-cross"


def asyncio_folder() -> Path:
    """Return the folder with the sources of MicroPython's asyncio. Raises ToolError."""
    return debian_sources.source_folder("micropython", BUILD) / "extmod"


def _tls_options():
    """Build mbedTLS, which allocates outside the interpreter's heap; return make's options to link it."""
    source = debian_sources.source_folder("mbedtls", BUILD)
    # GEN_FILES: the package has the generated files, and generating them needs more than a compiler.
    build = ["make", "-C", str(source / "library"), f"-j{os.cpu_count()}", "GEN_FILES=", TLS_FLAGS]
    flags = source / "library" / "built-with"
    if not flags.exists() or flags.read_text() != TLS_FLAGS:
        debian_sources.run_logged([*build, "clean"], BUILD / "mbedtls.log")
    debian_sources.run_logged([*build, *TLS_LIBRARIES], BUILD / "mbedtls.log")
    flags.write_text(TLS_FLAGS)
    return [*TLS, f"CFLAGS_EXTRA=-I{source / 'include'}", f"LDFLAGS_EXTRA=-L{source / 'library'}"]


def esp32_commands(micropython: Path, board: str, frozen: bool = False) -> list[list[str]]:
    """
    Return the commands that build the interpreter for one of MicroPython's boards; `frozen` as in board_manifest().
    """
    port = micropython / "ports" / "esp32"
    return [
        ["make", "-C", str(micropython / "mpy-cross")],
        ["make", "-C", str(port), f"BOARD={board}", "submodules"],
        [
            *("make", "-C", str(port), f"BOARD={board}", f"BUILD={BUILD / board}"),
            f"USER_C_MODULES={MODULES / 'rfsniff' / 'micropython.cmake'}",
            *([f"FROZEN_MANIFEST={board_manifest(micropython, board)}"] if frozen else []),
        ],
    ]


def board_manifest(micropython: Path, board: str) -> Path:
    """Write a manifest that freezes the program and the modules of the board's own manifest; return its path."""
    own = micropython / "ports" / "esp32" / "boards" / board / "manifest.py"
    base = own if own.exists() else "$(PORT_DIR)/boards/manifest.py"
    manifest = BUILD / f"manifest-{board}.py"
    BUILD.mkdir(parents=True, exist_ok=True)
    manifest.write_text(MANIFEST.format(base=base, tree=_stage(BUILD / f"frozen-{board}", PROGRAM)))
    return manifest


def build_esp32(micropython: Path, board: str, frozen: bool = False) -> Path:
    """Build the interpreter image for a board; return its path. Needs ESP-IDF. Raises ToolError."""
    if not (micropython / "ports" / "esp32" / "boards" / board).is_dir():
        raise ToolError(
            f"{micropython} is no MicroPython checkout with ports/esp32/boards/{board}; check --micropython and --board"
        )
    if shutil.which("idf.py") is None:
        raise ToolError("idf.py is not on the PATH; run ESP-IDF's `. export.sh` in this terminal first")
    BUILD.mkdir(parents=True, exist_ok=True)
    for command in esp32_commands(micropython.resolve(), board, frozen):
        print(" ".join(command), flush=True)
        if subprocess.run(command).returncode:
            raise ToolError(f"the build for {board} failed; see the output above")
    image = BUILD / f"ansim-micropython-{board}.bin"
    shutil.copyfile(BUILD / board / "firmware.bin", image)
    return image


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*.[chmp]*") if path.is_file() and path.suffix != ".pyc"):
        digest.update(f"{path.relative_to(folder)} {path.stat().st_size}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def main() -> int:
    parser = arguments.full_parser(__doc__)
    targets = parser.add_subparsers(dest="target", required=True)
    chip = targets.add_parser("esp32", help="build an interpreter image for a board")
    chip.add_argument("--micropython", type=Path, required=True, help="a checkout of MicroPython, v1.29 or newer")
    chip.add_argument("--board", default="ESP32_GENERIC", help="a board of MicroPython, or one of " + ", ".join(BOARDS))
    chip.add_argument("--frozen", action="store_true", help="include the whole program in the image")
    computer = targets.add_parser("host", help="build a MicroPython for this computer, for the tests")
    variant = computer.add_mutually_exclusive_group()
    variant.add_argument("--sanitize", action="store_true", help="build with ThreadSanitizer")
    variant.add_argument("--frozen", action="store_true", help="32 bits, with the whole program in the image")
    targets.add_parser("rv32", help="build a MicroPython for a RISC-V processor in QEMU, for the tests")
    options = parser.parse_args()
    if options.target == "rv32":
        print(build_rv32())
        return 0
    if options.target == "host":
        print(build_host(options.sanitize, options.frozen))
        return 0
    board: str = options.board
    image = build_esp32(options.micropython.expanduser(), BOARDS.get(board, board), options.frozen)
    print(f"{image}\nSHA-256 {hashlib.sha256(image.read_bytes()).hexdigest()}")
    return 0


if __name__ == "__main__":
    errors.run(main)
