#!/usr/bin/env python3
"""
Put Ansim on a board: `python3 tools/flash.py [--image FILE] [--provision NAME ...]`

Copies only what is not on the board already, compiled for its processor, into a folder of its
own; compares every file by hash; then switches over in one step, so a pulled cable leaves the
board with the version it had. Afterwards it restarts the board and waits for its first line.

    python3 tools/flash.py                                       # new version for the one board there is
    python3 tools/flash.py --image micropython.bin --sha256 HASH # a new board: the interpreter first
    python3 tools/flash.py --provision hall-1 --broker ansim.example.kr --ca ca.pem --wifi office
    python3 tools/flash.py --all-ports --provision 'hall-{n}' ... # ten boards at once

--via rshell does the same with rshell instead of mpremote.
"""

import argparse
import importlib.util
import sys
import threading
import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools import provision
from tools.hardware import chip, device, payload
from tools.lib import bootstrap, errors, progress
from tools.lib.errors import ToolError

INCOMING = "/incoming"
OBSOLETE = INCOMING + "/obsolete"
BLOCK_BYTES = 4096  # of the board's flash: what a small file costs
SPARE_BYTES = 64 << 10  # of flash that an installation leaves free
BOOT_S = 20
ONLINE_S = 120
SWITCH_TIMES = 10

# port     the board's
# copied   files that were copied, and their bytes
# removed  files that are not part of this version
# said     the firmware's first line, "" if nobody waited
FlashResult = namedtuple("Done", ("port", "copied", "bytes", "removed", "said"))


def flash(port: str, options, image=None, sensor=None, advance=lambda done, total, doing: None) -> FlashResult:
    """
    Install on one board.

    image    chip.Image, None: the interpreter stays
    sensor   provision.Provision, None: the settings stay
    advance  called with bytes (or percent) done, of how many, doing what

    Raises ToolError.
    """
    if image:
        chip.write(port, image, lambda percent: advance(percent, 100, "interpreter"), options.erase)
        _wait_for_prompt(port)
    with device.connect(port, options.via) as board:
        advance(0, 1, "looking")
        changed, removed = install(board, options.source, options.root, advance)
        if sensor:
            provision.write(board, sensor)
        advance(0, 1, "starting")
        heard = board.restart(0 if options.no_wait else BOOT_S, device.find_banner)
    said = device.find_banner(heard)
    if not said and not options.no_wait:
        last = heard.strip().rpartition("\n")[2][-120:] or "nothing"
        raise ToolError(f"the board on {port} did not start within {BOOT_S} s; it last said: {last}")
    return FlashResult(port, len(changed), sum(map(len, changed.values())), len(removed), said)


def install(board, source: bool, root: Path, advance=lambda done, total, doing: None):
    """
    Bring a connected board to this version; return ({path: content} copied, [paths removed]).

    Until the last step the board's old version is whole; from there on firmware/boot.py brings
    the new one to its end, however often the power fails. Raises ToolError.
    """
    about = board.call("look")
    wanted = payload.collect("" if source else payload.architecture(about["mpy"]), source, root)
    if not source and about["image"] == payload.program_hash(root):
        # It runs from the image, where it takes no heap; files would come first.
        wanted = {path: content for path, content in wanted.items() if not path.startswith("/lib/")}
    has = about["files"]
    changed = {path: content for path, content in wanted.items() if has.get(path) != payload.file_hash(content)}
    removed = sorted(set(has) - set(wanted))
    if not changed and not removed:
        return {}, []
    coming = {INCOMING + path: content for path, content in changed.items()}
    # Also when it is empty: without it the folder might have nothing in it.
    coming[OBSOLETE] = "".join(path + "\n" for path in removed).encode()
    _check_room(board.port, board.via, coming, about["free_bytes"])
    total = sum(map(len, coming.values()))
    sent = [0]

    def count(amount):
        sent[0] += amount
        advance(sent[0], total, "copying")

    board.put(coming, count)
    advance(total, total, "comparing")
    there = board.call("check")
    wrong = [path for path, content in coming.items() if there.get(path) != payload.file_hash(content)]
    if wrong:
        raise ToolError(f"{len(wrong)} files came broken to the board on {board.port}; check the cable and try again")
    # rshell lets go of a board that is silent for a second, and the next call interrupts what it does.
    if not any(board.call("switch") is True for _ in range(SWITCH_TIMES)):
        raise ToolError(f"the board on {board.port} did not switch over; restart it, then try again")
    return changed, removed


def _check_room(port, via, coming, free_bytes):
    needed = sum(-(-len(content) // BLOCK_BYTES) * BLOCK_BYTES for content in coming.values()) + SPARE_BYTES
    if via == "rshell":
        needed += sum(map(len, coming.values()))  # the bundle they travel in
    if needed > free_bytes:
        raise ToolError(
            f"the board on {port} has {free_bytes >> 10} kB free and needs {needed >> 10} kB; see `mpremote connect {port} ls`"
        )


def _wait_for_prompt(port, within_s=30):
    """A fresh interpreter first formats its flash."""
    until_s = time.monotonic() + within_s
    while True:
        try:
            with device.connect(port):
                return
        except ToolError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.5)


def flash_all(ports: list[str], options, image, sensors, show) -> list:
    """Install on several boards side by side; return a Done or a ToolError for each, in order."""

    def one(number):
        try:
            return flash(ports[number], options, image, sensors[number], show(ports[number]))
        except ToolError as error:
            return error

    with ThreadPoolExecutor(len(ports)) as workers:
        return list(workers.map(one, range(len(ports))))


def wait_online(data: Path, names: list[str], since_s: int, within_s: float = ONLINE_S) -> list[str]:
    """Return those of the sensors that the server has not heard since then, after waiting for them."""
    until_s = time.monotonic() + within_s
    missing = list(names)
    while missing and time.monotonic() < until_s:
        missing = [name for name in missing if not provision.was_heard_since(data, name, since_s)]
        if missing:
            threading.Event().wait(0.5)
    return missing


def main() -> int:
    options = _options()
    if importlib.util.find_spec("mpremote") is None:
        bootstrap.enter("requirements.txt")
    began_s = int(time.time())
    ports = _ports(options)
    image = chip.read_image(options.image, options.sha256) if options.image else None
    names = [options.provision.replace("{n}", str(options.first + number)) for number in range(len(ports))]
    sensors = [None] * len(ports)
    if options.provision:
        if len(set(names)) < len(ports):
            raise ToolError("several boards need several names: write {n} into --provision, as in 'hall-{n}'")
        if options.claim and len(ports) > 1:
            raise ToolError(
                "a claim code is good for one sensor; plug in one board at a time, or run this on the server"
            )
        wifi = provision.read_networks(options)
        sensors = [provision.prepare(name, options, wifi) for name in names]
    with progress.boards() as show:
        results = flash_all(ports, options, image, sensors, show)
    for port, result in zip(ports, results, strict=True):
        print(f"{port}: {_in_words(result)}")
    failed = [result for result in results if isinstance(result, ToolError)]
    if options.wait_online and options.provision and not failed:
        missing = wait_online(options.data, names, began_s)
        if missing:
            raise ToolError(
                f"the server has not heard {', '.join(missing)} within {ONLINE_S} s; check Wi-Fi and broker"
            )
        print(f"online: {', '.join(names)}")
    return 1 if failed else 0


def _in_words(result):
    if isinstance(result, ToolError):
        return f"error: {result}"
    if not result.copied and not result.removed:
        what = "has this version already, nothing copied"
    else:
        what = f"{result.copied} files copied ({result.bytes} bytes), {result.removed} removed, all compared by hash"
    return f"{what}; {result.said}" if result.said else what


def _ports(options):
    if not options.all_ports:
        return options.port or [device.only_port()]
    found = device.ports()
    if not found:
        raise ToolError("no board found on USB; are the cables data cables?")
    return found


def _options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", action="append", help="serial port of the board (default: the only one there is)")
    parser.add_argument("--all-ports", action="store_true", help="every board that is plugged in")
    parser.add_argument("--via", choices=device.TRANSPORTS, default="mpremote", help="which program talks to the board")
    parser.add_argument("--source", action="store_true", help="copy .py files instead of compiled ones")
    parser.add_argument("--no-wait", action="store_true", help="do not wait for the board's first line")
    parser.add_argument(
        "--root", type=Path, default=payload.ROOT, metavar="FOLDER", help="another checkout to take it from"
    )
    before = parser.add_argument_group("the interpreter, for a new board")
    before.add_argument("--image", type=Path, help="MicroPython for the chip, with the sniffer module in it")
    before.add_argument("--sha256", default="", help="its hash (default: from the file <image>.sha256)")
    before.add_argument("--erase", action="store_true", help="erase all of the board first, settings and reports too")
    parser.add_argument("--provision", default="", metavar="NAME", help="also make it a sensor; {n} counts the boards")
    parser.add_argument("--first", type=int, default=1, metavar="N", help="where {n} begins")
    parser.add_argument("--wait-online", action="store_true", help="wait until the server has heard the sensors")
    provision.add_options(parser)
    return parser.parse_args()


if __name__ == "__main__":
    errors.run(main)
