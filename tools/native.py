#!/usr/bin/env python3
"""
Build MicroPython with the sniffer module firmware/native/rfsniff.

    python3 -m tools.native esp32 --micropython ~/micropython --board ESP32_GENERIC_S3 [--frozen]
    python3 -m tools.native host [--sanitize | --frozen]

`esp32` builds the interpreter image for tools/flash.py; it needs ESP-IDF's `idf.py` on the PATH and
a checkout of MicroPython. `host` builds a MicroPython for this computer from Debian's source package,
with a radio that is driven by Python calls; the tests use it. --frozen includes the whole program in
the image, where code takes no heap (for this computer: with the simulated hardware and TLS). All
builds go to build/native, and only changes are rebuilt.
"""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ansim import signatures
from tools.hardware import inline_constants, payload
from tools.lib import arguments, errors
from tools.lib.errors import ToolError
from tools.lib.paths import ROOT
from tools.virtual_sensor import code_image

MODULES = ROOT / "firmware" / "native"
BUILD = ROOT / "build" / "native"

# board of the project (ansim/settings.py) -> board of MicroPython's esp32 port
BOARDS = {
    "esp32_devkit": "ESP32_GENERIC",
    "esp32_s3": "ESP32_GENERIC_S3",
    "esp32_c3_mini": "ESP32_GENERIC_C3",
    "esp32_ethernet": "OLIMEX_ESP32_POE",
}

# The first Debian release with the packages; searched besides the machine's own release.
SOURCE_SUITE = "trixie"

SOURCE_PACKAGES = {"micropython": "py", "mbedtls": "library"}  # package -> a folder in its source

# Without the parts that need submodules, which the Debian source package lacks; the module does not need them.
HOST_OPTIONS = ("VARIANT=standard", "MICROPY_PY_BTREE=0", "MICROPY_PY_FFI=0")
NO_TLS = ("MICROPY_PY_SSL=0",)
TLS = ("MICROPY_PY_SSL=1", "MICROPY_SSL_MBEDTLS=1", "MICROPY_SSL_AXTLS=0")
# (folder, import path) of what is frozen. The simulation's boot.py becomes SIM_BOOT, a name that no file of a board
# has.
PROGRAM = (("ansim", "ansim"), ("firmware", "firmware"))
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
    frozen     include ansim/, firmware/ and the simulated hardware (without the module) in the image, to be
               started with `-m sim_boot`, see tools/virtual_sensor/sim/boot.py; and TLS, by the source package of
               mbedTLS

    Without `frozen` the interpreter has the module and its host backend. The first build takes about a minute;
    without changes the existing program is returned. Raises ToolError if a tool or source package is missing.
    """
    for tool in ("make", "gcc"):
        if shutil.which(tool) is None:
            raise ToolError(f"{tool} is not installed; on Debian run `apt install build-essential`")
    BUILD.mkdir(parents=True, exist_ok=True)
    with open(BUILD / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test processes must not build in one folder
        source = source_folder()
        out = BUILD / ("host-frozen" if frozen else "host-sanitize" if sanitize else "host")
        program, stamp = out / "micropython", out / "built-from"
        tree = _stage(BUILD / "frozen", PROGRAM + SIMULATED) if frozen else MODULES
        fingerprint = f"{source.name} {_fingerprint(tree)}"
        if not (program.exists() and stamp.exists() and stamp.read_text() == fingerprint):
            module = ["FROZEN_MANIFEST=", f"USER_C_MODULES={MODULES}", *NO_TLS]
            options = [*_frozen_options(source, tree), *_tls_options()] if frozen else module
            options += SANITIZE_OPTIONS if sanitize else ()
            command = ["make", "-C", str(source / "ports/unix"), f"-j{os.cpu_count()}", *HOST_OPTIONS, *options]
            _run([*command, f"BUILD={out}"], BUILD / f"{out.name}.log")
            stamp.write_text(fingerprint)
    return program


def _stage(tree: Path, folders) -> Path:
    """Lay out the files to freeze in a folder, and return it."""
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
    sources = {file.relative_to(tree).as_posix(): file.read_text() for file in tree.rglob("*.py")}
    for path, text in inline_constants.inline_constants(sources, KEPT_NAMES).items():
        (tree / path).write_text(text)
    folder = ROOT / "ansim" / "signatures"
    tables = {name: signatures.read(str(folder / f"{name}.bin"), number) for number, name in signatures.NAMES.items()}
    rows = [f"    {name!r}: {table!r},\n" for name, table in tables.items()]
    (tree / "ansim/signatures/in_image.py").write_text("TABLES = {\n" + "".join(rows) + "}\n")
    (tree / IMAGE_MODULE).write_text(f"PROGRAM = {payload.program_hash()!r}\n")
    return tree


def _frozen_options(source, tree):
    cross, manifest = BUILD / "mpy-cross", BUILD / "manifest.py"
    command = ["make", "-C", str(source / "mpy-cross"), f"-j{os.cpu_count()}", f"BUILD={cross}"]
    _run(command, BUILD / "mpy-cross.log")
    manifest.write_text(MANIFEST.format(base="$(MPY_DIR)/extmod/asyncio", tree=tree))
    compiler = cross / "mpy-cross"
    options = [f"FROZEN_MANIFEST={manifest}", f"MICROPY_MPYCROSS={compiler}", f"MICROPY_MPYCROSS_DEPENDENCY={compiler}"]
    architecture = code_image.ARCHITECTURES.get(platform.machine().lower())
    return options + ([f"MPY_CROSS_FLAGS=-march={architecture}"] if architecture else [])


def _tls_options():
    """Build mbedTLS; return make's options for an interpreter with it. It allocates outside the interpreter's heap."""
    source = source_folder("mbedtls")
    # GEN_FILES: the package has the generated files, and generating them needs more than a compiler.
    command = ["make", "-C", str(source / "library"), f"-j{os.cpu_count()}", "static", "GEN_FILES=", "CFLAGS=-O1"]
    _run(command, BUILD / "mbedtls.log")
    return [*TLS, f"CFLAGS_EXTRA=-I{source / 'include'}", f"LDFLAGS_EXTRA=-L{source / 'library'}"]


def source_folder(package: str = "micropython") -> Path:
    """Return the folder of an unpacked source package, fetched with apt the first time. Raises ToolError."""
    downloads, pattern = BUILD / "source", f"{package}-*/{SOURCE_PACKAGES[package]}"
    folders = sorted(path.parent for path in downloads.glob(pattern))
    if folders:
        return folders[-1]
    if shutil.which("apt-get") is None or shutil.which("dpkg-source") is None:
        raise ToolError(
            f"cannot fetch the source of {package}: it needs apt-get and dpkg-source (`apt install dpkg-dev`)"
        )
    downloads.mkdir(parents=True, exist_ok=True)
    options = _private_apt(downloads / "apt")
    log = BUILD / "source.log"
    _run(["apt-get", *options, "update"], log)
    _run(["apt-get", *options, "source", package], log, cwd=downloads)
    folders = sorted(path.parent for path in downloads.glob(pattern))
    if not folders:
        raise ToolError(f"apt-get fetched no source of {package}; see {log}")
    return folders[-1]


def _private_apt(folder: Path) -> list[str]:
    """
    Return apt options for a private state folder, so that root is not needed and the machine's state is unchanged.
    """
    for name in ("lists/partial", "cache/archives/partial", "sources"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', Path("/etc/os-release").read_text(), re.MULTILINE))
    codename = release.get("VERSION_CODENAME", "")
    suites = codename if release.get("ID") != "debian" or codename == "sid" else f"{codename} {SOURCE_SUITE}"
    has_entries = False
    for path in [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]:
        if path.suffix in (".list", ".sources") and path.exists():
            text = source_entries(path.read_text(), codename, suites, stanzas=path.suffix == ".sources")
            has_entries |= bool(text)
            (folder / "sources" / path.name).write_text(text)
    if not has_entries:
        raise ToolError(
            f"apt's sources have no archive of {codename or 'this system'}; building needs Debian or Ubuntu"
        )
    return [
        f"-oDir::Etc::SourceList={folder / 'none'}",
        f"-oDir::Etc::SourceParts={folder / 'sources'}",
        f"-oDir::State::Lists={folder / 'lists'}",
        f"-oDir::Cache={folder / 'cache'}",
    ]


def source_entries(text: str, codename: str, new_suites: str, stanzas: bool) -> str:
    """
    Convert apt's entries for binary packages into entries for source packages.

    text        a .list file, or a .sources file if `stanzas`
    codename    only entries of exactly this suite are converted, so third-party archives are left out
    new_suites  the suites of the new entries, separated by spaces
    """
    entries = []
    if stanzas:
        for stanza in re.split(r"\n\s*\n", text):
            suites = re.search(r"^Suites:(.*)$", stanza, re.MULTILINE)
            enabled = not re.search(r"^Enabled:\s*(no|false)", stanza, re.MULTILINE | re.IGNORECASE)
            if suites and codename in suites[1].split() and enabled:
                stanza = re.sub(r"^Types:.*$", "Types: deb-src", stanza, flags=re.MULTILINE)
                entries.append(re.sub(r"^Suites:.*$", f"Suites: {new_suites}", stanza, flags=re.MULTILINE) + "\n")
    else:
        for line in text.splitlines():
            entry = re.match(r"deb\s+(\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)$", line.strip())
            if entry and entry[3] == codename:
                entries += [f"deb-src {entry[1] or ''}{entry[2]} {suite} {entry[4]}\n" for suite in new_suites.split()]
    return "\n".join(entries)


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


def _run(command, log: Path, cwd: Path | None = None) -> None:
    with open(log, "ab") as file:
        if subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, cwd=cwd).returncode:
            raise ToolError(f"`{command[0]} ... {command[-1]}` failed; see {log}")


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
    variant.add_argument("--frozen", action="store_true", help="include the whole program in the image")
    options = parser.parse_args()
    if options.target == "host":
        print(build_host(options.sanitize, options.frozen))
        return 0
    board: str = options.board
    image = build_esp32(options.micropython.expanduser(), BOARDS.get(board, board), options.frozen)
    print(f"{image}\nSHA-256 {hashlib.sha256(image.read_bytes()).hexdigest()}")
    return 0


if __name__ == "__main__":
    errors.run(main)
