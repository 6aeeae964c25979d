"""
Measure the detectors on a folder of recordings.

    python -m tools.evaluate ../shared/captures
    python -m tools.evaluate ../shared/captures --plan --loss 0.5 --burst --scenes --out docs/detection.md --plots docs/images

The folder is laid out as tools/evaluation/dataset.py says; what is counted is defined in
tools/evaluation/counting.py. The same command scores any other folder of that form.
"""

import argparse
import concurrent.futures
import os
import shlex
import sys
from pathlib import Path

from tools.evaluation import crowded, dataset, lookalikes, plots, report, run, tables
from tools.evaluation.run import Condition
from tools.lib import errors, progress

BURST_MS = 120  # mean length of a bad period with --burst
PROCESSES = 2
SCENES = 40
LOSS = 0.5  # with --burst alone


def main(arguments=None) -> None:
    given = _parser().parse_args(arguments)
    if not 0 <= given.loss < 1:
        raise errors.ToolError(f"--loss {given.loss} is not a share of frames; give 0 to 0.99")
    if given.burst and not given.loss:
        given.loss = LOSS
    if given.repeats < 1 or given.number < 1:
        raise errors.ToolError("--repeats and --number count things; give 1 or more")
    cases, problems = dataset.split_readable(dataset.read(given.folder))
    for problem in problems:
        print(f"left out: {problem}", file=sys.stderr)
    wanted = conditions(given)
    outcomes = parallel(
        "recordings",
        run.play,
        [
            (case, condition, given.seed + repeat)
            for condition in wanted
            for repeat in range(given.repeats if condition.hops or condition.loss else 1)
            for case in cases
        ],
    )
    clear = [one for one in outcomes if one.condition == wanted[0]]
    groups = tables.by_condition(outcomes)
    print("\n".join(tables.summary(outcomes) + tables.missed(groups) + tables.by_device(groups)), flush=True)
    writes = given.out or given.plots
    verdicts = (
        parallel("look-alikes", lookalikes.judge, lookalikes.list_jobs(clear, given.seed))
        if given.lookalikes or writes
        else []
    )
    if verdicts:
        print("\n" + "\n".join(lookalikes.table(verdicts)), flush=True)
    crowds = []
    if given.scenes:
        crowds = crowded.compose(cases, given.seed, given.number)
        crowds += [
            crowded.from_file(path, len(crowds) + place) for place, path in enumerate(dataset.scene_files(given.folder))
        ]
    if given.keep:
        crowded.write_scenes(crowds, given.keep)
    ways = (False, True) if given.plan else (False,)
    results = parallel("crowded scenes", crowded.judge, [(one, hops, given.seed) for hops in ways for one in crowds])
    if results:
        print("\n" + "\n".join(crowded.table(results)), flush=True)
    pictures = plots.save(given.plots, outcomes, results) if given.plots else []
    if given.out:
        linked = [(report.link(Path(given.plots) / name, given.out), about) for name, about in pictures]
        about = f"the folder `{Path(given.folder).resolve().name}`"
        if problems:
            about += f", without {len(problems)} recordings that could not be read"
        text = report.markdown(_command(arguments), about, outcomes, verdicts, results, linked)
        report.write(given.out, text)


def conditions(given) -> list:
    """The conditions that the flags ask for; the clear channel always comes first."""
    wanted = [Condition("on channel")]
    for hops in (False, True) if given.plan else (False,):
        heard = "hopping" if hops else "on channel"
        if hops:
            wanted.append(Condition(heard, True))
        if given.loss:
            wanted.append(Condition(f"{heard}, {given.loss:.0%} lost", hops, given.loss))
        if given.burst:
            wanted.append(Condition(f"{heard}, {given.loss:.0%} lost in bursts", hops, given.loss, BURST_MS))
    return wanted


def parallel(what, function, jobs) -> list:
    """Call function(*job) for each job in PROCESSES processes; return the results in the order of the jobs."""
    if not jobs:
        return []
    results = []
    with progress.bar(what, len(jobs)) as advance, concurrent.futures.ProcessPoolExecutor(PROCESSES) as pool:
        for result in pool.map(_call, [(function, job) for job in jobs], chunksize=2):
            results.append(result)
            advance(1)
    return results


def _call(work):
    function, job = work
    return function(*job)


def _command(arguments):
    """The command without machine paths: the folder by its name."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    return "python -m tools.evaluate " + " ".join(
        shlex.quote(os.path.basename(one) if one.startswith("/") else one) for one in words
    )


def _parser():
    parser = argparse.ArgumentParser(prog="python -m tools.evaluate", description=__doc__.strip().splitlines()[0])
    parser.add_argument("folder", help="recordings: manifest.csv and a folder for each label")
    parser.add_argument("--plan", action="store_true", help="also hopping over 13 channels as the firmware does")
    parser.add_argument("--loss", type=float, default=0.0, metavar="P", help="also with this share of the frames lost")
    parser.add_argument("--burst", action="store_true", help="also with them lost in bursts (Gilbert-Elliott)")
    parser.add_argument(
        "--lookalikes", action="store_true", help="also what resembles a camera; --out and --plots imply it"
    )
    parser.add_argument(
        "--scenes",
        action="store_true",
        help="also crowded scenes: composed from the recordings, and scene files in the folder",
    )
    parser.add_argument("--number", type=int, default=SCENES, metavar="N", help=f"of crowded scenes (default {SCENES})")
    parser.add_argument("--keep", metavar="DIR", help="write the composed scenes there, for tools/replay.py")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of everything that is random (default 1)")
    parser.add_argument(
        "--repeats", type=int, default=1, metavar="N", help="play what is random so many times (default 1)"
    )
    parser.add_argument("--out", metavar="FILE.md", help="write the report into this document, between its markers")
    parser.add_argument("--plots", metavar="DIR", help="draw PNG pictures into this folder")
    return parser


if __name__ == "__main__":
    errors.run(main)
