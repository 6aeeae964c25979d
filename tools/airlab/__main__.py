"""
The air lab: recordings of real 802.11 stacks and real programs, made without a radio. See docs/airlab.md.

    python -m tools.airlab build WORK                       make the machine (1.5 GB, root, some minutes)
    python -m tools.airlab list                             the scenarios
    python -m tools.airlab run WORK [NAME...] --out DIR     play scenarios; DIR/NAME.SEED.records.xz each
    python -m tools.airlab score DIR [NAME...]              what the detectors say about record files
"""

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tools.airlab import machine, media, recording, scenarios, score
from tools.airlab.scenario import Scenario, with_seed
from tools.lib import arguments, errors
from tools.lib.errors import ToolError
from tools.traffic import record_file


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    return options.function(options)


def build(options: argparse.Namespace) -> int:
    """Make the machine."""
    machine.build(options.work)
    return 0


def show_list(options: argparse.Namespace) -> int:
    """Print the scenarios, one in a line."""
    for scenario in scenarios.ALL:
        held_out = "held out" if scenario.is_held_out else ""
        print(f"{scenario.name:40} {held_out:8} {len(scenario.stations):2} stations  {scenario.about}")
    return 0


def run(options: argparse.Namespace) -> int:
    """Play scenarios; return 1 if one of them had problems."""
    chosen = [scenarios.by_name(name) for name in options.names] or list(scenarios.ALL)
    has_problems = False
    for scenario in chosen:
        for seed in options.seed or (scenario.seed,):
            has_problems |= not _play(options, with_seed(scenario, seed))
    return int(has_problems)


def _play(options, scenario: Scenario) -> bool:
    """Play one scenario and print a line; return True if all went well."""
    target = options.out / f"{scenario.file_name}{record_file.SUFFIX}"
    if target.exists() and not options.again:
        return True
    started_s = time.monotonic()
    try:
        for film in scenario.films:
            media.encode(options.work, film)
        summary = machine.boot(options.work, scenario, options.out)
        capture = options.out / f"{scenario.file_name}.pcap"
        recording.convert(capture, scenario, summary, target)
    except ToolError as error:
        print(f"{scenario.file_name}: {error}", file=sys.stderr, flush=True)
        return False
    if not options.keep:
        capture.unlink()
    size, took_s = target.stat().st_size, time.monotonic() - started_s
    print(f"{scenario.file_name}: {size} bytes in {took_s:.0f} s", *summary["problems"], sep="; ", flush=True)
    return not summary["problems"]


def show_score(options: argparse.Namespace) -> int:
    """Print how the detectors judge record files."""
    results = score.score(options.folder, options.names)
    if options.json:
        for result in results:
            print(json.dumps(dataclasses.asdict(result)))
    else:
        print(score.table(results))
        print()
        print(score.summary(results))
    return 0


def _parser():
    parser = argparse.ArgumentParser(prog="python -m tools.airlab", description=arguments.summary_line(__doc__))
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("build", help="make the machine in a folder")
    command.add_argument("work", type=Path, metavar="WORK")
    command.set_defaults(function=build)

    command = commands.add_parser("list", help="print the scenarios")
    command.set_defaults(function=show_list)

    command = commands.add_parser("run", help="play scenarios and record them")
    command.add_argument("work", type=Path, metavar="WORK", help="the folder of the machine")
    command.add_argument("names", nargs="*", metavar="NAME", help="scenarios; default all")
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the record files go")
    command.add_argument(
        "--seed", type=int, action="append", metavar="N", help="may be repeated; default the scenario's"
    )
    command.add_argument("--again", action="store_true", help="also those that DIR has already")
    command.add_argument("--keep", action="store_true", help="keep the pcap files beside the record files")
    command.set_defaults(function=run)

    command = commands.add_parser("score", help="play record files to the detectors")
    command.add_argument("folder", type=Path, metavar="DIR", help="with record files, also in sub-folders")
    command.add_argument("names", nargs="*", metavar="NAME", help="of scenarios; default all")
    command.add_argument("--json", action="store_true", help="one object for each emitter, file and way of listening")
    command.set_defaults(function=show_score)
    return parser


if __name__ == "__main__":
    errors.run(main)
