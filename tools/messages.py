#!/usr/bin/env python3
"""
Write the generated parts of docs/messages.md, and docs/asyncapi.json, from the schemas of the messages.

    python3 tools/messages.py           # after a change of ansim/uplink_schemas.py, downlink_schemas.py or messages.py
    python3 tools/messages.py --check   # exit status 1 if a file is stale
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.lib import arguments, bootstrap, errors
from tools.lib.paths import ROOT

DOCUMENT, ASYNCAPI = ROOT / "docs/messages.md", ROOT / "docs/asyncapi.json"


def make() -> dict[Path, str]:
    """Return {path: content} of the generated files."""
    from tools.message_reference import asyncapi, tables

    text = tables.fill(DOCUMENT.read_text("utf-8"))
    return {DOCUMENT: text, ASYNCAPI: asyncapi.write(text)}


def stale() -> list[Path]:
    """Return the files that differ from what the schemas say."""
    return [path for path, text in make().items() if not path.exists() or path.read_text("utf-8") != text]


def main() -> None:
    """Run the command."""
    parser = arguments.full_parser(__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    bootstrap.enter_for("sqlalchemy")
    if options.check:
        old = [str(path.relative_to(ROOT)) for path in stale()]
        if old:
            raise errors.ToolError(f"{', '.join(old)}: not as the schemas say; run tools/messages.py")
        return
    for path, text in make().items():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    errors.run(main)
