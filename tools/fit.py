"""
Work out what each piece of evidence is worth: writes ansim/detect/weights.py.

    python -m tools.fit ../shared/captures               # cross-validate, then fit on all and write
    python -m tools.fit ../shared/captures --check       # cross-validate only
    python -m tools.fit ../shared/captures --write       # fit on all and write only

The recordings are played through the real station table as air would carry them: clear, with
random and burst loss, retries and aggregation, and hopped over as the firmware does. Each second
of each device is one example: a camera in a session, or not a camera.

1. Shape: a logistic regression whose rules are staircases that may only rise, or only fall;
   ridge regularised; every camera model and every device counts by the square root of its seconds.
2. Amount: for how long it must have been heard. For each number of active seconds, the highest
   score any recorded non-camera reached, and a margin, is where the alarm is.
3. Second stage: likelihood ratios of rhythm and evenness between recorded cameras and others, with
   generated one-way calls. What recordings cannot tell (made-up addresses, full-size frames,
   signal) is set by reason: fitting/model.py, REASONED.

Seeded: the same recordings give the same weights. docs/detection.md has the figures, and what
is circular in them.
"""

import argparse
import concurrent.futures
from pathlib import Path

import numpy as np

from ansim.detect import camera_evidence as evidence
from tools.evaluation import dataset
from tools.fitting import examples, model, validate
from tools.lib import errors, progress

SEED = 20
PROCESSES = 2
OUT = "ansim/detect/weights.py"
HEADING = '''"""
What each piece of evidence is worth: written by tools/fit.py, which says how. Do not edit.

A rule is (place in camera_evidence.RULES, steps); a step is (value it begins at, points).
"""
'''
PARTS = (
    ("SHAPE", "What it sends; known from the first visit on."),
    ("AMOUNT", "For how long that was heard."),
    ("SECOND", "What shows in a dwell, or with time."),
    ("ACCESS_POINT", "An access point that sends on its own account: mostly a download."),
)


def main(arguments=None) -> None:
    given = _parser().parse_args(arguments)
    sources = examples.list_sources(given.folder)
    found = collect(sources, examples.CONDITIONS, model.TRIAGE_ALL, "playing")
    print(f"{len(found.camera)} examples of {len(sources)} sources, {int(found.camera.sum())} of cameras", flush=True)
    followed = [one for one in sources if one.path and one.kind != dataset.IDLE] + examples.list_look_alikes()
    watched = collect(followed, examples.CONDITIONS[:1], model.FOLLOW_ALL, "second stage")
    if not given.write:
        ways = (
            examples.CONDITIONS
            if given.all_ways
            else [examples.CONDITIONS[0], *(way for way in examples.CONDITIONS if way.hops)]
        )
        for title, folds in (
            ("camera model", validate.model_folds(sources, "model", SEED)),
            ("collection", validate.origin_folds(sources)),
        ):
            jobs = validate.list_jobs(sources, found, folds, ways, (followed, watched), SEED)
            print("\n".join(validate.table(title, parallel(title, validate.run_trial, jobs))), flush=True)
    if not given.check:
        rules = model.fit(sources, found, model.second_stage(followed, watched))
        Path(given.out).write_text(text(rules), encoding="utf-8")
        print(f"written to {given.out}")


def collect(sources, ways, rules, what) -> examples.Examples:
    """Play all sources in all ways with these rules."""
    jobs = [
        ((place, source, number, way), rules, SEED)
        for place, source in enumerate(sources)
        for number, way in enumerate(ways)
    ]
    parts = [part for part in parallel(what, _part, jobs) if part]
    return examples.Examples(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def parallel(what, function, jobs) -> list:
    """Call function(job) in PROCESSES processes; the results in the order of the jobs."""
    results = []
    with progress.bar(what, len(jobs)) as advance, concurrent.futures.ProcessPoolExecutor(PROCESSES) as pool:
        for result in pool.map(function, jobs, chunksize=4):
            results.append(result)
            advance(1)
    return results


def text(rules) -> str:
    """The weights as Python source."""
    lines = [HEADING, f"BASE = {rules.BASE}"]
    for name, about in PARTS:
        lines += ["", f"# {about}", f"{name} = ("]
        for place, steps in getattr(rules, name):
            shown = ", ".join(f"({begins}, {points})" for begins, points in steps)
            shown = f"({shown}{',' if len(steps) == 1 else ''})"
            line = f"    ({place}, {shown}),"
            lines.append(f"    # {evidence.RULES[place]}")
            # as `ruff format` breaks it
            lines += [line] if len(line) <= 120 else ["    (", f"        {place},", f"        {shown},", "    ),"]
        lines.append(")")
    return "\n".join(lines) + "\n"


def _part(job):
    return examples.play_job(*job)


def _parser():
    parser = argparse.ArgumentParser(prog="python -m tools.fit", description=__doc__.strip().splitlines()[0])
    parser.add_argument("folder", help="recordings: manifest.csv and a folder for each label")
    parser.add_argument("--check", action="store_true", help="cross-validate only, write nothing")
    parser.add_argument("--write", action="store_true", help="write only, without cross-validation")
    parser.add_argument("--all-ways", action="store_true", help="cross-validate in all ways of hearing, not just three")
    parser.add_argument("--out", default=OUT, metavar="FILE", help=f"default {OUT}")
    return parser


if __name__ == "__main__":
    errors.run(main)
