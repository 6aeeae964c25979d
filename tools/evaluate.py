"""
Measure the detectors on a folder of recordings.

    python -m tools.evaluate ../shared/captures
    python -m tools.evaluate ../shared/captures ../shared/captures_new --levels --out docs/detection.md
    python -m tools.evaluate ../shared/captures --plan --loss 0.5 --burst --scenes --out docs/detection.md --plots
    docs/images

--levels writes a section of its own: false notices and false alarms of each kind with confidence limits, by hour,
visit and collection, and the cameras found in time (tools/evaluation/levels.py). It is heard on channel; --plan, --loss
and --burst add rows for the cameras.

tools/evaluation/dataset.py describes the layout of the folder, tools/evaluation/counting.py defines the
counted quantities. The same command evaluates any other folder of that layout.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from tools import fit
from tools.evaluation import crowded, dataset, levels, lookalikes, nested, plots, report, run, tables
from tools.evaluation.run import Condition
from tools.lib import arguments, errors
from tools.lib.parallel import run_jobs

BURST_MS = 120  # mean length of a bad period with --burst
SCENES = 40
LOSS = 0.5  # with --burst alone


def main(argv: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(argv)
    arguments.check_loss(options.loss)
    if options.burst and not options.loss:
        options.loss = LOSS
    if options.repeats < 1 or options.number < 1:
        raise errors.ToolError("--repeats and --number are counts; give 1 or more")
    every = [case for folder in options.folders for case in dataset.read(folder)]
    if options.levels or options.nested:  # in whole captures nobody knows which frames are the device's
        every = [case for case in every if case.kind != dataset.CAPTURE]
        if not every:
            raise errors.ToolError(
                "--levels and --nested need header streams, of which the device is known; these are captures"
            )
    cases, problems = dataset.split_readable(every)
    others = [name for folder in options.folders for name in dataset.other_files(folder)]
    for problem in problems + [f"{name} is no recording" for name in others]:
        print(f"left out: {problem}", file=sys.stderr)
    if options.levels:
        _write_levels(options, cases, _command(argv))
    if options.nested:
        _write_nested(options, cases, _command(argv))
    if options.levels or options.nested:
        return
    all_conditions = conditions(options)
    outcomes = run_jobs(
        "recordings",
        run.play,
        [
            (case, condition, options.seed + repeat)
            for condition in all_conditions
            for repeat in range(options.repeats if condition.hops or condition.loss else 1)
            for case in cases
        ],
    )
    clear = [outcome for outcome in outcomes if outcome.condition == all_conditions[0]]
    groups = tables.by_condition(outcomes)
    print("\n".join(tables.summary(outcomes) + tables.missed(groups) + tables.by_device(groups)), flush=True)
    verdicts = []
    if options.lookalikes or options.out or options.plots:
        verdicts = run_jobs("look-alikes", lookalikes.judge, lookalikes.list_jobs(clear, options.seed))
        print("\n" + "\n".join(lookalikes.table(verdicts)), flush=True)
    results = _play_crowds(options, cases)
    if results:
        print("\n" + "\n".join(crowded.table(results)), flush=True)
    pictures = plots.save(options.plots, outcomes, results) if options.plots else []
    if options.out:
        links = [(report.link(Path(options.plots) / name, options.out), caption) for name, caption in pictures]
        names = ", ".join(f"`{Path(folder).resolve().name}`" for folder in options.folders)
        folder = f"the {'folder' if len(options.folders) == 1 else 'folders'} {names}"
        if problems:
            folder += f", without {len(problems)} recordings that could not be read"
        report.write(options.out, report.markdown(_command(argv), folder, outcomes, verdicts, results, links))


def _write_levels(options, cases, command):
    outcomes = run_jobs("recordings", run.play, [(case, levels.CONDITION, options.seed) for case in cases])
    jobs = levels.list_jobs(outcomes, options.seed, conditions(options)[1:], options.repeats)
    repeats = run_jobs("repeats", levels.play_repeat, jobs)
    text = levels.markdown(command, outcomes, repeats)
    print(text)
    if options.out:
        report.write(options.out, text, levels.BEGIN, levels.END)


def _write_nested(options, cases, command):
    data = nested.collect(options.folders[0], cases, fit.collect)
    text = nested.markdown(command, data, cases, options.seed)
    print(text)
    if options.out:
        report.write(options.out, text, nested.BEGIN, nested.END)


def _play_crowds(options, cases):
    crowds = []
    if options.scenes:
        crowds = crowded.compose(cases, options.seed, options.number)
        files = [path for folder in options.folders for path in dataset.scene_files(folder)]
        crowds += [crowded.from_file(path, number) for number, path in enumerate(files, len(crowds))]
    if options.keep:
        crowded.write_scenes(crowds, options.keep)
    jobs = [(crowd, hops, options.seed) for hops in ((False, True) if options.plan else (False,)) for crowd in crowds]
    return run_jobs("crowded scenes", crowded.judge, jobs)


def conditions(options: argparse.Namespace) -> list[Condition]:
    """Return the conditions that the options select, the clear channel first."""
    selected = [Condition("on channel")]
    for hops in (False, True) if options.plan else (False,):
        name = "hopping" if hops else "on channel"
        if hops:
            selected.append(Condition(name, True))
        if options.loss:
            selected.append(Condition(f"{name}, {options.loss:.0%} lost", hops, options.loss))
        if options.burst:
            selected.append(Condition(f"{name}, {options.loss:.0%} lost in bursts", hops, options.loss, BURST_MS))
    return selected


def _command(argv):
    """Return the command line, with absolute paths shortened to their names."""
    words = sys.argv[1:] if argv is None else argv
    return "python -m tools.evaluate " + " ".join(
        shlex.quote(os.path.basename(word) if word.startswith("/") else word) for word in words
    )


def _parser():
    parser = argparse.ArgumentParser(prog="python -m tools.evaluate", description=arguments.summary_line(__doc__))
    parser.add_argument(
        "folders", nargs="+", metavar="folder", help="recordings: manifest.csv and a sub-folder per label"
    )
    parser.add_argument(
        "--levels",
        action="store_true",
        help="only the tables of false notices and false alarms by kind, hour, visit and collection, on channel; "
        "other conditions only for cameras",
    )
    parser.add_argument(
        "--nested",
        action="store_true",
        help="only the tables of recordings that are judged by a detector fitted without their collection, kind or "
        "model; the weights are fitted on the first folder",
    )
    parser.add_argument("--plan", action="store_true", help="also hop over 13 channels as the firmware does")
    parser.add_argument(
        "--loss", type=float, default=0.0, metavar="P", help="also with this share of the frames lost (0 to 0.99)"
    )
    parser.add_argument("--burst", action="store_true", help="also with frames lost in bursts (Gilbert-Elliott)")
    parser.add_argument(
        "--lookalikes", action="store_true", help="also play look-alikes of cameras; implied by --out and --plots"
    )
    parser.add_argument(
        "--scenes",
        action="store_true",
        help="also play crowded scenes: composed from the recordings, and the scene files in the folder",
    )
    parser.add_argument(
        "--number", type=int, default=SCENES, metavar="N", help=f"number of crowded scenes (default {SCENES})"
    )
    parser.add_argument("--keep", metavar="DIR", help="write the crowded scenes to this folder, for tools/replay.py")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of everything random (default 1)")
    parser.add_argument(
        "--repeats",
        type=int,
        default=1,
        metavar="N",
        help="repeat the conditions with random parts this many times (default 1)",
    )
    parser.add_argument("--out", metavar="FILE.md", help="write the report to this document, between its markers")
    parser.add_argument("--plots", metavar="DIR", help="write PNG plots to this folder")
    return parser


if __name__ == "__main__":
    errors.run(main)
