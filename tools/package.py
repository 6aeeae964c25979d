#!/usr/bin/env python3
"""
Make a release of the server: a wheel, and the container's image where podman or docker runs.

    python -m tools.package [--folder dist] [--no-image]

The wheel runs without a checkout, on Linux or macOS with Python 3.11 or newer:

    pipx install 'dist/ansim-0.1.0-py3-none-any.whl[sensors]'     # [sensors]: with the virtual sensors of the demo
    ansim --demo                # as `python3 tools/run.py --demo`; the data are in ./data
    ansim-server create-admin admin        # as `flask --app server ...`

Both have the version of pyproject.toml.
"""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.lib import arguments, errors
from tools.lib.errors import ToolError
from tools.lib.paths import ROOT

CONTAINERFILE = "server/deploy/containers/Containerfile"
ENGINES = ("podman", "docker")


def read_version() -> str:
    """Return the version of the project."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def make_wheel(folder: Path) -> Path:
    """Make the wheel; return its path. Raises ToolError."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--wheel-dir", str(folder), str(ROOT)]
    if subprocess.run([*command, "--disable-pip-version-check"]).returncode:
        raise ToolError("pip could not make the wheel; its message is above")
    return folder / f"ansim-{read_version()}-py3-none-any.whl"


def make_image(engine: str) -> str:
    """Make the container's image with an engine; return its name with the version. Raises ToolError."""
    name = f"ansim:{read_version()}"
    command = [engine, "build", "--tag", name, "--tag", "ansim:latest", "--file", CONTAINERFILE, "."]
    if subprocess.run(command, cwd=ROOT).returncode:
        raise ToolError(f"{engine} could not make the image; its message is above")
    return name


def find_engine() -> str | None:
    """Return the container engine that runs here, or None."""
    for engine in ENGINES:
        if shutil.which(engine) and not subprocess.run([engine, "info"], capture_output=True).returncode:
            return engine
    return None


def main() -> None:
    parser = arguments.full_parser(__doc__)
    parser.add_argument("--folder", type=Path, default=Path("dist"), help="where the wheel goes (default %(default)s)")
    parser.add_argument("--no-image", action="store_true", help="make the wheel only")
    options = parser.parse_args()
    print(make_wheel(options.folder))
    engine = find_engine()
    if not options.no_image:
        print(make_image(engine) if engine else f"no image: neither {' nor '.join(ENGINES)} runs here")


if __name__ == "__main__":
    errors.run(main)
