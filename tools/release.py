#!/usr/bin/env python3
"""
Add the firmware of this checkout to the server, as a version that the firmware page can roll out.

    python3 tools/release.py                                         # for every board
    python3 tools/release.py --arch xtensawin --board esp32_devkit   # faster: boards with one type of processor

Run it on the server itself. It sends nothing to the sensors.
"""

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.hardware import payload
from tools.lib import arguments, bootstrap, errors, server_data
from tools.lib.errors import ToolError
from tools.lib.paths import ROOT

LIB = "/lib/"


def collect_files(arch: str = "", root: Path = ROOT) -> dict[str, bytes]:
    """
    Return the files of a slot (see firmware/maintenance/program_update.py) as {path: content}.

    arch  one of payload.ARCHITECTURES, "" for every board

    Raises ToolError.
    """
    files = payload.collect(arch, root=root)
    # /boot.py and /main.py are never updated over the air: they roll back a broken version.
    return {path.removeprefix(LIB): content for path, content in files.items() if path.startswith(LIB)}


def add_release(data: Path, version: str, files: dict[str, bytes], boards: list[str]) -> tuple[int, str]:
    """Add a version to a server's database; return (bytes, SHA-256 of its manifest). Raises ToolError."""
    from server import db, migrations
    from server.services.errors import Refused
    from server.services.sensors import rollout

    settings = server_data.load_settings(data)
    try:
        migrations.upgrade(settings)
    except migrations.WrongForm as error:
        raise ToolError("; ".join(str(error).splitlines())) from error
    sessions = db.open_sessions(settings.url())
    try:
        with sessions.begin() as session:
            release = rollout.add_release(session, version, files, boards)
            return release.bytes, release.sha256
    except Refused as error:
        raise ToolError(f"the server refused this version ({error.code})") from error
    finally:
        sessions.engine.dispose()


def main() -> None:
    parser = arguments.full_parser(__doc__)
    parser.add_argument("--data", type=Path, default=server_data.DEFAULT_FOLDER, help="the server's data folder")
    parser.add_argument(
        "--arch", default="", choices=("", payload.XTENSAWIN, payload.RV32IMC), help="compile for one type of processor"
    )
    parser.add_argument("--board", action="append", default=[], help="a board the version is for; may be repeated")
    options = parser.parse_args()
    if options.arch and not options.board:
        raise ToolError("--arch fits some boards only; name them with --board")
    if not (options.data / "secret").exists() and not os.environ.get("ANSIM_SECRET"):
        raise ToolError(f"no server's data in {options.data}; start the server once, or name its folder with --data")
    bootstrap.enter_for("sqlalchemy")
    from ansim import VERSION

    files = collect_files(options.arch)
    size, digest = add_release(options.data, VERSION, files, options.board)
    print(f"added {VERSION}: {len(files)} files, {size >> 10} kB, manifest {digest[:16]}")


if __name__ == "__main__":
    errors.run(main)
