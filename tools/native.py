#!/usr/bin/env python3
"""
Build MicroPython with the sniffer module firmware/native/rfsniff in it.

    python3 -m tools.native esp32 --micropython ~/micropython --board ESP32_GENERIC_S3 [--frozen]
    python3 -m tools.native host [--sanitize | --frozen]

`esp32` makes the interpreter image for tools/flash.py; it needs ESP-IDF's `idf.py` on the
PATH and a checkout of MicroPython. `host` makes a MicroPython for this computer, with a
radio made of Python calls, from the source package of Debian; the tests use it. With --frozen
the whole program is in the image, where code takes no heap (for this computer: with the simulated
hardware and TLS). All write to build/native and build only what changed.
"""

import argparse
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
from tools.lib import errors
from tools.lib.errors import ToolError
from tools.virtual_sensor import code_image

ROOT = Path(__file__).resolve().parent.parent
MODULES = ROOT / "firmware" / "native"
BUILD = ROOT / "build" / "native"

# board of the project (ansim/settings.py) -> board of MicroPython's esp32 port
BOARDS = {
    "esp32_devkit": "ESP32_GENERIC",
    "esp32_s3": "ESP32_GENERIC_S3",
    "esp32_c3_mini": "ESP32_GENERIC_C3",
    "esp32_ethernet": "OLIMEX_ESP32_POE",
}

# The first Debian release that has the package; added to the machine's own release.
SOURCE_SUITE = "trixie"

SOURCE_PACKAGES = {"micropython": "py", "mbedtls": "library"}  # package -> a folder in it

# What the Debian source package leaves out (its submodules), and the module does not need.
HOST_OPTIONS = ("VARIANT=standard", "MICROPY_PY_BTREE=0", "MICROPY_PY_FFI=0")
NO_TLS = ("MICROPY_PY_SSL=0",)
TLS = ("MICROPY_PY_SSL=1", "MICROPY_SSL_MBEDTLS=1", "MICROPY_SSL_AXTLS=0")
# Frozen as they are imported on a board; boot.py of the simulation gets a name that no board's file has.
PROGRAM = (("ansim", "ansim"), ("firmware", "firmware"))
SIMULATED = (("tools/virtual_sensor/sim", ""), ("firmware/native/host", ""))
NOT_FROZEN = ("native", "source", "__pycache__")
IMAGE_MODULE = "ansim_image.py"  # tools/flash.py asks the board for it
SIM_BOOT = "sim_boot"
KEPT_NAMES = ("VERSION",)  # by whoever is at the prompt
MANIFEST = 'include("{base}")\nfreeze("{tree}")\n'
SANITIZE_OPTIONS = ("STRIP=", "CFLAGS_EXTRA=-fsanitize=thread -g", "LDFLAGS_EXTRA=-fsanitize=thread")


def build_host(sanitize: bool = False, frozen: bool = False) -> Path:
    """
    Return the path of a MicroPython for this computer.

    sanitize   built with ThreadSanitizer
    frozen     ansim/, firmware/ and the simulated hardware (without the module) are in its image;
               started with `-m sim_boot`, see tools/virtual_sensor/sim/boot.py; and TLS, from the source package of mbedTLS

    Without `frozen` it has the module and its host backend. Takes about a minute the first time and
    nothing when neither code nor source changed. Raises ToolError if a tool or the source package is missing.
    """
    for tool in ("make", "gcc"):
        if shutil.which(tool) is None:
            raise ToolError(f"{tool} is missing; on Debian `apt install build-essential` brings it")
    BUILD.mkdir(parents=True, exist_ok=True)
    with open(BUILD / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test processes must not build in one folder
        source = source_folder()
        out = BUILD / ("host-frozen" if frozen else "host-sanitize" if sanitize else "host")
        program, stamp = out / "micropython", out / "made-from"
        tree = _stage(BUILD / "frozen", PROGRAM + SIMULATED) if frozen else MODULES
        made_from = f"{source.name} {_fingerprint(tree)}"
        if not (program.exists() and stamp.exists() and stamp.read_text() == made_from):
            module = ["FROZEN_MANIFEST=", f"USER_C_MODULES={MODULES}", *NO_TLS]
            options = [*_frozen_options(source, tree), *_tls_options()] if frozen else module
            options += SANITIZE_OPTIONS if sanitize else ()
            command = ["make", "-C", str(source / "ports/unix"), f"-j{os.cpu_count()}", *HOST_OPTIONS, *options]
            _run([*command, f"BUILD={out}"], BUILD / f"{out.name}.log")
            stamp.write_text(made_from)
    return program


def _stage(tree: Path, parts) -> Path:
    """Lay out what is frozen; return the folder."""
    shutil.rmtree(tree, ignore_errors=True)
    for part, place in parts:
        for file in sorted((ROOT / part).rglob("*.py")):
            name = file.relative_to(ROOT / part)
            if not any(one in NOT_FROZEN for one in name.parts):
                target = (
                    tree
                    / place
                    / (f"{SIM_BOOT}.py" if (part, name.name) == ("tools/virtual_sensor/sim", "boot.py") else name)
                )
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
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
    made = [f"FROZEN_MANIFEST={manifest}", f"MICROPY_MPYCROSS={compiler}", f"MICROPY_MPYCROSS_DEPENDENCY={compiler}"]
    architecture = code_image.ARCHITECTURES.get(platform.machine().lower())
    return made + ([f"MPY_CROSS_FLAGS=-march={architecture}"] if architecture else [])


def _tls_options():
    """Build mbedTLS; return what the interpreter needs to be built with it. Its memory is not the interpreter's heap."""
    source = source_folder("mbedtls")
    # GEN_FILES: the package has the generated files, and making them again needs more than a compiler.
    command = ["make", "-C", str(source / "library"), f"-j{os.cpu_count()}", "static", "GEN_FILES=", "CFLAGS=-O1"]
    _run(command, BUILD / "mbedtls.log")
    return [*TLS, f"CFLAGS_EXTRA=-I{source / 'include'}", f"LDFLAGS_EXTRA=-L{source / 'library'}"]


def source_folder(package: str = "micropython") -> Path:
    """Return an unpacked source package of SOURCES, fetching it with apt the first time. Raises ToolError."""
    place, inside = BUILD / "source", f"{package}-*/{SOURCE_PACKAGES[package]}"
    found = sorted(path.parent for path in place.glob(inside))
    if found:
        return found[-1]
    if shutil.which("apt-get") is None or shutil.which("dpkg-source") is None:
        raise ToolError(f"cannot fetch the source of {package}: needs apt-get and dpkg-source (`apt install dpkg-dev`)")
    place.mkdir(parents=True, exist_ok=True)
    options = _private_apt(place / "apt")
    log = BUILD / "source.log"
    _run(["apt-get", *options, "update"], log)
    _run(["apt-get", *options, "source", package], log, cwd=place)
    found = sorted(path.parent for path in place.glob(inside))
    if not found:
        raise ToolError(f"apt-get brought no source of {package}; see {log}")
    return found[-1]


def _private_apt(folder: Path) -> list[str]:
    """Lay out apt's state in a folder of our own, so that the machine's stays as it is and root is not needed."""
    for name in ("lists/partial", "cache/archives/partial", "sources"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', Path("/etc/os-release").read_text(), re.MULTILINE))
    codename = release.get("VERSION_CODENAME", "")
    wanted = codename if release.get("ID") != "debian" or codename == "sid" else f"{codename} {SOURCE_SUITE}"
    lines = 0
    for path in [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]:
        if path.suffix in (".list", ".sources") and path.exists():
            text = source_entries(path.read_text(), codename, wanted, stanzas=path.suffix == ".sources")
            lines += bool(text)
            (folder / "sources" / path.name).write_text(text)
    if not lines:
        raise ToolError(f"apt's sources name no archive of {codename or 'this system'}; is this Debian or Ubuntu?")
    return [
        f"-oDir::Etc::SourceList={folder / 'none'}",
        f"-oDir::Etc::SourceParts={folder / 'sources'}",
        f"-oDir::State::Lists={folder / 'lists'}",
        f"-oDir::Cache={folder / 'cache'}",
    ]


def source_entries(text: str, codename: str, wanted: str, stanzas: bool) -> str:
    """
    Turn apt's entries for programs into entries for source packages.

    text      a .list file, or a .sources file if `stanzas`
    codename  only entries of exactly this suite are taken, so no third party's archive
    wanted    the suites to ask instead, separated by spaces
    """
    made = []
    if stanzas:
        for stanza in re.split(r"\n\s*\n", text):
            suites = re.search(r"^Suites:(.*)$", stanza, re.MULTILINE)
            enabled = not re.search(r"^Enabled:\s*(no|false)", stanza, re.MULTILINE | re.IGNORECASE)
            if suites and codename in suites[1].split() and enabled:
                stanza = re.sub(r"^Types:.*$", "Types: deb-src", stanza, flags=re.MULTILINE)
                made.append(re.sub(r"^Suites:.*$", f"Suites: {wanted}", stanza, flags=re.MULTILINE) + "\n")
    else:
        for line in text.splitlines():
            entry = re.match(r"deb\s+(\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)$", line.strip())
            if entry and entry[3] == codename:
                made += [f"deb-src {entry[1] or ''}{entry[2]} {suite} {entry[4]}\n" for suite in wanted.split()]
    return "\n".join(made)


def esp32_commands(micropython: Path, board: str, frozen: bool = False) -> list[list[str]]:
    """Return the commands that build the interpreter for one of MicroPython's boards. frozen: see board_manifest()."""
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
    """Write a manifest that freezes what the board's own one does, and the program; return its path."""
    own = micropython / "ports" / "esp32" / "boards" / board / "manifest.py"
    base = own if own.exists() else "$(PORT_DIR)/boards/manifest.py"
    manifest = BUILD / f"manifest-{board}.py"
    BUILD.mkdir(parents=True, exist_ok=True)
    manifest.write_text(MANIFEST.format(base=base, tree=_stage(BUILD / f"frozen-{board}", PROGRAM)))
    return manifest


def build_esp32(micropython: Path, board: str, frozen: bool = False) -> Path:
    """Build the interpreter image for a board; return its path. Needs ESP-IDF. Raises ToolError."""
    if not (micropython / "ports" / "esp32" / "boards" / board).is_dir():
        raise ToolError(f"{micropython} is no MicroPython checkout with ports/esp32/boards/{board}")
    if shutil.which("idf.py") is None:
        raise ToolError("idf.py is not on the PATH; run ESP-IDF's `. export.sh` in this terminal first")
    BUILD.mkdir(parents=True, exist_ok=True)
    for command in esp32_commands(micropython.resolve(), board, frozen):
        print(" ".join(command), flush=True)
        if subprocess.run(command).returncode:
            raise ToolError(f"the build for {board} failed; the lines above say why")
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    chip = kinds.add_parser("esp32", help="an interpreter image for a board")
    chip.add_argument("--micropython", type=Path, required=True, help="a checkout of MicroPython, v1.29 or newer")
    chip.add_argument("--board", default="ESP32_GENERIC", help="one of MicroPython's, or one of " + ", ".join(BOARDS))
    chip.add_argument("--frozen", action="store_true", help="with the whole program in its image")
    computer = kinds.add_parser("host", help="a MicroPython for this computer, for the tests")
    way = computer.add_mutually_exclusive_group()
    way.add_argument("--sanitize", action="store_true", help="with ThreadSanitizer")
    way.add_argument("--frozen", action="store_true", help="with the whole program in its image")
    given = parser.parse_args()
    if given.kind == "host":
        print(build_host(given.sanitize, given.frozen))
        return 0
    image = build_esp32(given.micropython.expanduser(), BOARDS.get(given.board, given.board), given.frozen)
    print(f"{image}\nSHA-256 {hashlib.sha256(image.read_bytes()).hexdigest()}")
    return 0


if __name__ == "__main__":
    errors.run(main)
