"""
Check the types of firmware/ and ansim/ against the MicroPython stubs for the ESP32.

    python -m tools.typecheck

The stubs (PyPI: micropython-esp32-stubs) replace the standard library's types, so that a
call which the board does not have is an error here. pyright wants them in a folder of its
own: `typings`, links made here from the installed package and not kept in git.
"""

import shutil
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TYPINGS = ROOT / "typings"
STUBS = ("micropython-esp32-stubs", "micropython-stdlib-stubs")


def lay_out() -> None:
    """Fill `typings` with copies of the installed stubs, if they are not there yet."""
    version = " ".join(f"{name} {metadata.version(name)}" for name in STUBS)
    stamp = TYPINGS / ".version"
    if stamp.exists() and stamp.read_text() == version:
        return
    shutil.rmtree(TYPINGS, ignore_errors=True)
    site = Path(sysconfig.get_paths()["purelib"])
    for name in STUBS:
        for file in metadata.files(name) or []:
            if ".dist-info" in str(file):
                continue
            target = TYPINGS / str(file)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(site / str(file), target)
    stamp.write_text(version)


def main() -> int:
    lay_out()
    return subprocess.run(
        [sys.executable, "-m", "pyright", "--project", str(ROOT / "pyproject.toml")], cwd=ROOT
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
