"""
Check the types of the whole project with pyright.

    python -m tools.typecheck [PATH ...]

Two configurations:

- pyproject.toml: ansim/ and firmware/ against the MicroPython stubs for the ESP32. The stubs (PyPI:
  micropython-esp32-stubs) replace the standard library's types, so that a call which the board does not
  have is an error here. pyright needs them in a folder of their own: `typings`, copied here from the
  installed package and not kept in git.
- pyright.cpython.json: server/, tools/ and tests/ against CPython. What they run on MicroPython is excluded.

With paths, only these files and folders are checked, together with their imports' types.
"""

import json
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TYPINGS = ROOT / "typings"
STUBS = ("micropython-esp32-stubs", "micropython-stdlib-stubs")
BOARD, CPYTHON = ROOT / "pyproject.toml", ROOT / "pyright.cpython.json"


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


def main(files: list[str]) -> int:
    """Return 0 if there are no errors."""
    lay_out()
    failed = 0
    for name, project in (("MicroPython", BOARD), ("CPython", CPYTHON)):
        config = project
        if files:
            included = _included(project, files)
            if not included:
                continue
            config = _narrowed(project, included)
        print(f"{name}:", flush=True)
        command = [sys.executable, "-m", "pyright", "--project", str(config), "--pythonpath", sys.executable]
        failed |= subprocess.run(command, cwd=ROOT).returncode
    return failed


def _options(project: Path) -> dict:
    """Return pyright's options from a configuration file."""
    if project.suffix == ".toml":
        return tomllib.loads(project.read_text())["tool"]["pyright"]
    lines = project.read_text().splitlines()
    return json.loads("\n".join(line for line in lines if not line.lstrip().startswith("//")))


def _included(project, files):
    """Return those of the files that a configuration covers."""
    folders = _options(project)["include"]
    return [file for file in files if Path(file).parts[0] in folders]


def _narrowed(project, files):
    """Write a configuration for some files only; return its path."""
    options = _options(project)
    paths = ("typeshedPath", "stubPath")
    options = {name: f"../{value}" if name in paths else value for name, value in options.items()}
    options["extraPaths"] = [f"../{path}" for path in [".", *options.get("extraPaths", [])]]
    options["include"] = [f"../{file}" for file in files]
    options["exclude"] = [f"../{path}" for path in options.get("exclude", [])]
    config = ROOT / "build" / f"pyright-{project.stem}.json"
    config.parent.mkdir(exist_ok=True)
    config.write_text(json.dumps(options, indent=4))
    return config


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
