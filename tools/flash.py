#!/usr/bin/env python3
"""
Install Ansim on a board: `python3 tools/flash.py [--image FILE] [--provision NAME ...]`

Copies the files that the board does not have yet, compiled for its processor, to a separate folder;
compares every file by hash; then switches to them in one step, so a pulled cable leaves the board
with its old version. Afterwards it restarts the board and waits for the firmware's first line.

    python3 tools/flash.py                                        # the only board that is plugged in
    python3 tools/flash.py --image micropython.bin --sha256 HASH  # a new board: first the interpreter
    python3 tools/flash.py --provision hall-1 --broker ansim.example.kr --ca ca.pem --wifi office
    python3 tools/flash.py --all-ports --provision 'hall-{n}' ... # all boards that are plugged in

--via rshell uses rshell instead of mpremote.
"""

import argparse
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools import provision
from tools.hardware import chip, device, payload
from tools.lib import arguments, bootstrap, errors, progress
from tools.lib.errors import ToolError
from tools.lib.paths import ROOT

INCOMING = "/incoming"
OBSOLETE = INCOMING + "/obsolete"
BLOCK_BYTES = 4096  # of the board's flash: the size of the smallest file
SPARE_BYTES = 64 << 10  # of flash left free by an installation
BOOT_S = 20
ONLINE_S = 120
ACTIVATE_ATTEMPTS = 10

Advance = Callable[[float, float, str], object]  # amount so far, amount in all, current step


def _ignore(_done, _total, _step):
    pass


class FlashResult(NamedTuple):
    """What an installation on one board did."""

    port: str
    copied: int  # files
    bytes: int  # of the copied files
    removed: int  # files that are not part of this version
    banner: str  # the firmware's first line, "" with --no-wait


def flash(
    port: str,
    options: argparse.Namespace,
    image: chip.Image | None = None,
    sensor: provision.Provision | None = None,
    advance: Advance = _ignore,
) -> FlashResult:
    """
    Install on one board.

    image    None keeps the interpreter
    sensor   None keeps the settings
    advance  called with the amount done and in all (bytes, or percent) and the current step

    Raises ToolError.
    """
    if image:
        chip.write(port, image, lambda percent: advance(percent, 100, "interpreter"), options.erase)
        _wait_for_prompt(port)
    with device.connect(port, options.via) as board:
        advance(0, 1, "reading")
        copied, removed = install(board, options.source, options.root, advance)
        if sensor:
            provision.write(board, sensor)
        advance(0, 1, "starting")
        output = board.restart(0 if options.no_wait else BOOT_S, device.find_banner)
    banner = device.find_banner(output)
    if not banner and not options.no_wait:
        last_line = output.strip().rpartition("\n")[2][-120:] or "nothing"
        raise ToolError(
            f"the board on {port} did not start within {BOOT_S} s; its last line: {last_line}; "
            "see `python3 tools/diagnose.py` for more"
        )
    return FlashResult(port, len(copied), sum(map(len, copied.values())), len(removed), banner)


def install(
    board: device.Board, source: bool, root: Path, advance: Advance = _ignore
) -> tuple[dict[str, bytes], list[str]]:
    """
    Bring a connected board to this version; return ({path: content} copied, [paths removed]).

    source  True copies .py files instead of compiled ones
    root    the checkout to install

    The board's old version stays complete until the last step. From there on firmware/boot.py finishes the
    installation, however often the power fails. Raises ToolError.
    """
    properties = board.call("identify")
    files = payload.collect("" if source else payload.architecture(properties["mpy"]), source, root)
    if not source and properties["image"] == payload.program_hash(root):
        # The program is frozen in the image, where it takes no heap; files would be imported instead of it.
        files = {path: content for path, content in files.items() if not path.startswith("/lib/")}
    if not properties["room_for_files"] and any(path.startswith("/lib/") for path in files):
        raise ToolError(
            f"the board on {board.port} has no PSRAM, so the program does not fit as files; build an image with this "
            "version (`python3 -m tools.native esp32 --frozen`, see firmware/native/README.md), then add `--image FILE`"
        )
    hashes = properties["files"]
    changed = {path: content for path, content in files.items() if hashes.get(path) != payload.file_hash(content)}
    removed = sorted(set(hashes) - set(files))
    if not changed and not removed:
        return {}, []
    incoming = {INCOMING + path: content for path, content in changed.items()}
    # Also if nothing is removed: it makes the folder exist if no file changed.
    incoming[OBSOLETE] = "".join(path + "\n" for path in removed).encode()
    _check_room(board.port, board.via, incoming, properties["free_bytes"])
    total = sum(map(len, incoming.values()))
    sent = 0

    def count_sent(amount):
        nonlocal sent
        sent += amount
        advance(sent, total, "copying")

    board.put(incoming, count_sent)
    advance(total, total, "comparing")
    device.verify_incoming(board, incoming)
    # rshell disconnects from a board that is silent for a second, and the next call interrupts the board.
    if not any(board.call("activate") is True for _ in range(ACTIVATE_ATTEMPTS)):
        raise ToolError(f"the board on {board.port} did not switch to the new version; restart it, then try again")
    return changed, removed


def _check_room(port, via, incoming, free_bytes):
    needed = sum(-(-len(content) // BLOCK_BYTES) * BLOCK_BYTES for content in incoming.values()) + SPARE_BYTES
    if via == "rshell":
        needed += sum(map(len, incoming.values()))  # the bundle that rshell copies
    if needed > free_bytes:
        raise ToolError(
            f"the board on {port} has {free_bytes >> 10} kB free and needs {needed >> 10} kB; "
            f"delete files that are not Ansim's (`mpremote connect {port} ls` lists them)"
        )


def _wait_for_prompt(port, within_s=30):
    """Return when a new interpreter answers; it formats its flash first."""
    until_s = time.monotonic() + within_s
    while True:
        try:
            with device.connect(port):
                return
        except ToolError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.5)


def flash_all(
    ports: Sequence[str],
    options: argparse.Namespace,
    image: chip.Image | None,
    sensors: Sequence[provision.Provision | None],
    show: Callable[[str], Advance],
) -> list[FlashResult | ToolError]:
    """
    Install on several boards in parallel; return the result or the error of each, in the order of the ports.

    sensors  for each port, see flash()
    show     called with a port, returns the advance() of its progress bar
    """

    def flash_board(port, sensor):
        try:
            return flash(port, options, image, sensor, show(port))
        except ToolError as error:
            return error

    with ThreadPoolExecutor(len(ports)) as workers:
        return list(workers.map(flash_board, ports, sensors))


def wait_online(data: Path, names: Sequence[str], since_s: int, within_s: float = ONLINE_S) -> list[str]:
    """Wait until the server has heard all sensors since a time; return those it has not heard when time is up."""
    until_s = time.monotonic() + within_s
    missing = list(names)
    while missing and time.monotonic() < until_s:
        missing = [name for name in missing if not provision.was_heard_since(data, name, since_s)]
        if missing:
            threading.Event().wait(0.5)
    return missing


def main() -> int:
    options = _options()
    bootstrap.enter_for("mpremote")
    began_s = int(time.time())
    ports = _ports(options)
    image = chip.read_image(options.image, options.sha256) if options.image else None
    names = [options.provision.replace("{n}", str(options.first + number)) for number in range(len(ports))]
    sensors: list[provision.Provision | None] = [None] * len(ports)
    if options.provision:
        if len(set(names)) < len(ports):
            raise ToolError("several boards need different names; put {n} into --provision, as in 'hall-{n}'")
        if options.claim and len(ports) > 1:
            raise ToolError(
                "a claim code enrols one sensor; plug in one board at a time, or run this command on the server"
            )
        wifi = provision.read_networks(options)
        sensors = [provision.prepare(name, options, wifi) for name in names]
    with progress.boards() as show:
        results = flash_all(ports, options, image, sensors, show)
    for port, result in zip(ports, results, strict=True):
        print(f"{port}: {_describe(result)}")
    failed = [result for result in results if isinstance(result, ToolError)]
    if options.wait_online and options.provision and not failed:
        missing = wait_online(options.data, names, began_s)
        if missing:
            raise ToolError(
                f"the server has not heard {', '.join(missing)} within {ONLINE_S} s; check Wi-Fi and broker"
            )
        print(f"online: {', '.join(names)}")
    return 1 if failed else 0


def _describe(result):
    if isinstance(result, ToolError):
        return f"error: {result}"
    if not result.copied and not result.removed:
        text = "has this version already, nothing copied"
    else:
        text = f"{result.copied} files copied ({result.bytes} bytes), {result.removed} removed, all compared by hash"
    return f"{text}; {result.banner}" if result.banner else text


def _ports(options):
    if not options.all_ports:
        return options.port or [device.only_port()]
    ports = device.ports()
    if not ports:
        raise ToolError("no board found on USB; check that the cables are data cables")
    return ports


def _options():
    parser = arguments.full_parser(__doc__)
    device.add_options(parser, several=True)
    parser.add_argument("--all-ports", action="store_true", help="install on every board that is plugged in")
    parser.add_argument("--source", action="store_true", help="copy .py files instead of compiled ones")
    parser.add_argument("--no-wait", action="store_true", help="do not wait for the firmware's first line")
    parser.add_argument("--root", type=Path, default=ROOT, metavar="FOLDER", help="install another checkout")
    interpreter = parser.add_argument_group("the interpreter, for a new board")
    interpreter.add_argument("--image", type=Path, help="MicroPython for the chip, with the sniffer module")
    interpreter.add_argument("--sha256", default="", help="hash of the image (default: from the file <image>.sha256)")
    interpreter.add_argument(
        "--erase", action="store_true", help="first erase the whole board, settings and unsent reports too"
    )
    parser.add_argument(
        "--provision", default="", metavar="NAME", help="also make it a sensor; {n} is replaced by a number"
    )
    parser.add_argument("--first", type=int, default=1, metavar="N", help="number of the first board for {n}")
    parser.add_argument("--wait-online", action="store_true", help="wait until the server has heard the sensors")
    provision.add_options(parser)
    return parser.parse_args()


if __name__ == "__main__":
    errors.run(main)
