#!/usr/bin/env python3
"""
Add the sensors' program of this checkout to the server, as a version that the firmware page can roll out.

    python3 tools/release.py                                         # for every board
    python3 tools/release.py --arch xtensawin --board esp32_devkit   # faster, for boards of one processor

Run it on the server itself. Nothing is sent to any sensor by it.
"""

import argparse
import importlib.util
import os
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.hardware import payload
from tools.lib import bootstrap, errors
from tools.lib.errors import ToolError

LIB = "/lib/"


def collect_files(arch: str = "", root: Path = payload.ROOT) -> dict[str, bytes]:
    """Return what goes into a slot (see firmware/maintenance/update.py) as {path: content}. Raises ToolError."""
    found = payload.collect(arch, root=root)
    # /boot.py and /main.py stay as they came by cable: they bring a broken version back.
    return {path.removeprefix(LIB): content for path, content in found.items() if path.startswith(LIB)}


def add_release(data: Path, version: str, files: dict, boards: list[str]):
    """Add a version to a server's database; return (bytes, SHA-256 of its manifest). Raises ToolError."""
    from server import config, db, migrations
    from server.services.errors import Refused
    from server.services.sensors import rollout

    try:
        settings = config.from_environment({**os.environ, "ANSIM_DATA": str(data)})
        migrations.upgrade(settings)
    except (config.BadSettings, migrations.WrongForm) as error:
        raise ToolError("; ".join(str(error).splitlines())) from error
    sessions = db.open_sessions(settings.url())
    try:
        with sessions.begin() as session:
            added = rollout.add_release(session, version, files, boards)
            return added.bytes, added.sha256
    except Refused as error:
        raise ToolError(f"the server refused this version ({error.code})") from error
    finally:
        sessions.engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=bootstrap.ROOT / "data" / "site", help="the server's data folder")
    parser.add_argument("--arch", default="", choices=("", payload.XTENSAWIN, payload.RV32IMC), help="one processor")
    parser.add_argument("--board", action="append", default=[], help="a board it is for; may be repeated")
    options = parser.parse_args()
    if options.arch and not options.board:
        raise ToolError("--arch is for some boards only; name them with --board")
    if not (options.data / "secret").exists() and not os.environ.get("ANSIM_SECRET"):
        raise ToolError(f"no server's data in {options.data}; start the server once, or name its folder with --data")
    if importlib.util.find_spec("sqlalchemy") is None:
        bootstrap.enter("requirements.txt")
    from ansim import VERSION

    files = collect_files(options.arch)
    size, digest = add_release(options.data, VERSION, files, options.board)
    print(f"{VERSION} is there: {len(files)} files, {size >> 10} kB, manifest {digest[:16]}")


if __name__ == "__main__":
    errors.run(main)
