"""
Fit the weights of the evidence, and write them to ansim/detect/weights.py.

    python -m tools.fit ../shared/captures               # cross-validate, then fit on all and write
    python -m tools.fit ../shared/captures --check       # cross-validate only
    python -m tools.fit ../shared/captures --write       # fit on all and write only

The recordings are played through the real station table under several conditions: without loss, with
random and burst loss, retries and aggregation, and hopping as the firmware does. Each second of each
device is one example, of a camera in a session or of another device.

1. Shape: a logistic regression with ridge regularisation, whose rules are monotone step functions. Each
   camera model and each device has the weight of the square root of its seconds.
2. Amount: how long a device must have been received. For each number of active seconds the alarm
   threshold is the highest score of any recorded non-camera plus a margin.
3. Second stage: likelihood ratios of rhythm and evenness between recorded cameras and others, with
   generated one-way calls. Rules that recordings cannot decide (random addresses, full-size frames,
   signal) are set by judgement: fitting/model.py, REASONED.

Seeded: the same recordings give the same weights. docs/detection.md has the figures and their limits.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from ansim.detect import camera_evidence as evidence
from tools.evaluation import dataset
from tools.fitting import examples, model, validate
from tools.lib import arguments, errors
from tools.lib.parallel import run_jobs

SEED = 20
OUT = "ansim/detect/weights.py"
HEADING = '''"""
Weights of the evidence, written by tools/fit.py. Do not edit.

A rule is (index in camera_evidence.RULES, steps); a step is (lowest value, points).
"""
'''
SECTIONS = (
    ("SHAPE", "Shape of the traffic, known from the first reception on."),
    ("AMOUNT", "How long it was received."),
    ("SECOND", "Second stage, known after a dwell or some time."),
    ("ACCESS_POINT", "An access point that sends traffic of its own, which mostly is a download."),
)


def main(argv: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(argv)
    sources = examples.list_sources(options.folder)
    data = collect(sources, examples.CONDITIONS, model.TRIAGE_ALL, "playing")
    print(f"{len(data.camera)} examples of {len(sources)} sources, {int(data.camera.sum())} of cameras", flush=True)
    second_sources = [source for source in sources if source.path and source.kind != dataset.IDLE]
    second_sources += examples.list_look_alikes()
    second_data = collect(second_sources, examples.CONDITIONS[:1], model.FOLLOW_ALL, "second stage")
    if not options.write:
        conditions = examples.CONDITIONS
        if not options.all_conditions:
            conditions = [conditions[0], *(condition for condition in conditions if condition.hops)]
        for title, folds in (
            ("camera model", validate.model_folds(sources, "model", SEED)),
            ("collection", validate.origin_folds(sources)),
        ):
            jobs = validate.list_jobs(sources, data, folds, conditions, (second_sources, second_data), SEED)
            print("\n".join(validate.table(title, run_jobs(title, validate.run_trial, jobs))), flush=True)
    if not options.check:
        rules = model.fit(sources, data, model.second_stage(second_sources, second_data))
        Path(options.out).write_text(format_weights(rules), encoding="utf-8")
        print(f"written to {options.out}")


def collect(
    sources: Sequence[examples.Source], conditions: Sequence[examples.Condition], rules: SimpleNamespace, title: str
) -> examples.Examples:
    """
    Play all sources under all conditions with these rules and return the examples.

    title  shown before the progress bar
    """
    jobs = [
        (source_index, source, condition_index, condition, rules, SEED)
        for source_index, source in enumerate(sources)
        for condition_index, condition in enumerate(conditions)
    ]
    parts = [part for part in run_jobs(title, examples.play_job, jobs) if part]
    return examples.Examples(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def format_weights(rules: SimpleNamespace) -> str:
    """Return the weights as Python source."""
    lines = [HEADING, f"BASE = {rules.BASE}"]
    for name, comment in SECTIONS:
        lines += ["", f"# {comment}", f"{name} = ("]
        for rule, steps in getattr(rules, name):
            text = ", ".join(f"({lowest}, {points})" for lowest, points in steps)
            text = f"({text}{',' if len(steps) == 1 else ''})"
            line = f"    ({rule}, {text}),"
            lines.append(f"    # {evidence.RULES[rule]}")
            # as `ruff format` breaks it
            lines += [line] if len(line) <= 120 else ["    (", f"        {rule},", f"        {text},", "    ),"]
        lines.append(")")
    return "\n".join(lines) + "\n"


def _parser():
    parser = argparse.ArgumentParser(prog="python -m tools.fit", description=arguments.summary_line(__doc__))
    parser.add_argument("folder", help="recordings: manifest.csv and a sub-folder per label")
    parser.add_argument("--check", action="store_true", help="cross-validate only, write nothing")
    parser.add_argument("--write", action="store_true", help="fit and write only, without cross-validation")
    parser.add_argument(
        "--all-conditions", action="store_true", help="cross-validate under all conditions, not just three"
    )
    parser.add_argument("--out", default=OUT, metavar="FILE", help=f"file to write (default {OUT})")
    return parser


if __name__ == "__main__":
    errors.run(main)
