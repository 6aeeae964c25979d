"""
Cross-validation: the detector plays held-out sources with weights that were fitted without them.

A fold holds out one camera model (or one collection) and a share of the other devices. All three parts of
the model are fitted again without them; the rules set by judgement (fitting/model.py) stay.
"""

import random
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import NamedTuple

from ansim.finding import CLEARED, UPDATED
from tools.evaluation import counting, dataset
from tools.fitting import examples, model
from tools.traffic import playback


class Trial(NamedTuple):
    """The result of one held-out source under one condition."""

    source: examples.Source
    condition: examples.Condition
    sessions: list[counting.Session]  # of a camera
    false: int  # active windows of another device during which a finding stood
    active: int  # active windows of another device


HOP_S, HOP_WITHIN_S = 30, 30
HOP_TIMES = 5  # repetitions of a camera's recording when hopping, each from another moment of the hop


def model_folds(sources: Sequence[examples.Source], attribute: str, seed: int) -> list[set[int]]:
    """Return a set of sources (indexes) per value of a camera's `attribute` (model or origin), with other devices."""
    cameras = sorted(
        {getattr(source, attribute) for source in sources if source.kind == dataset.CAMERA and source.path}
    )
    devices = sorted({source.device for source in sources if source.kind != dataset.CAMERA and source.path})
    random.Random(seed).shuffle(devices)
    folds = []
    for number, name in enumerate(cameras):
        held_out_devices = set(devices[number :: len(cameras)])
        folds.append(
            {
                index
                for index, source in enumerate(sources)
                if source.path
                and (
                    getattr(source, attribute) == name
                    if source.kind == dataset.CAMERA
                    else source.device in held_out_devices
                )
            }
        )
    return folds


def origin_folds(sources: Sequence[examples.Source]) -> list[set[int]]:
    """Return a set of sources (indexes) per collection, with its cameras and other devices."""
    names = sorted({source.origin for source in sources if source.path})
    return [{index for index, source in enumerate(sources) if source.origin == name} for name in names]


def run_trial(source: examples.Source, condition: examples.Condition, rules: SimpleNamespace, seed: int) -> Trial:
    """Play a source under one condition with these rules and count its sessions or false windows."""
    plan = playback.firmware_plan(playback.Traffic(()))
    _, events, summary = examples.play(source, condition, rules, seed, plan=plan)
    changes = [
        (at_s, finding.event != CLEARED)
        for at_s, finding in events
        if finding.kind == "camera_stream" and finding.event != UPDATED
    ]
    spans = counting.finding_spans(changes, max([*summary.active, 0]) + counting.WINDOW_S)
    if source.kind == dataset.CAMERA:
        counting.mark_sessions(summary.sessions, spans)
        return Trial(source, condition, summary.sessions, 0, 0)
    return Trial(source, condition, [], len(counting.windows_during(summary.active, spans)), len(summary.active))


def list_jobs(
    sources: Sequence[examples.Source],
    data: examples.Examples,
    folds: Iterable[set[int]],
    conditions: Sequence[examples.Condition],
    second: tuple[Sequence[examples.Source], examples.Examples],
    seed: int,
) -> list[tuple]:
    """
    Return the arguments of run_trial() for every source of every fold, with rules fitted without the fold.

    second  (sources, examples) of the second stage
    """
    jobs = []
    for fold in folds:
        rules = model.fit(sources, data, second_stage_without(fold, sources, *second), fold)
        for condition in conditions:
            for index in sorted(fold):
                source = sources[index]
                if source.path:
                    repeats = HOP_TIMES if condition.hops and source.kind == dataset.CAMERA else 1
                    jobs += [(source, condition, rules, seed + repeat) for repeat in range(repeats)]
    return jobs


def second_stage_without(
    fold: set[int],
    sources: Sequence[examples.Source],
    second_sources: Sequence[examples.Source],
    second_data: examples.Examples,
) -> tuple:
    """Fit the second stage without the sources of a fold, which have other indexes in the second stage's list."""
    paths = {sources[index].path for index in fold}
    held_out = {index for index, source in enumerate(second_sources) if source.path in paths}
    return model.second_stage(second_sources, second_data, held_out)


def table(title: str, trials: Sequence[Trial]) -> list[str]:
    """Return the lines of a Markdown table of found sessions and false windows by condition, and of each failure."""
    lines = [
        f"| held out by {title} | sessions | median delay, s | 90 % within, s | false windows | idle cameras' windows "
        "|",
        "|---|---|---|---|---|---|",
    ]
    for condition in dict.fromkeys(trial.condition for trial in trials):
        group = [trial for trial in trials if trial.condition == condition]
        sessions = [session for trial in group for session in trial.sessions]
        if condition.hops:
            sessions = [session for session in sessions if session.end_s - session.start_s >= HOP_S]
        delays = sorted(session.delay_s for session in sessions if session.delay_s is not None)
        if condition.hops:
            delays = [delay for delay in delays if delay <= HOP_WITHIN_S]
        false = [trial for trial in group if trial.source.kind == dataset.NEGATIVE]
        idle = [trial for trial in group if trial.source.kind == dataset.IDLE]
        median, late = (f"{delays[int(len(delays) * share)]:.1f}" if delays else "-" for share in (0.5, 0.9))
        lines.append(
            f"| {condition.name} | {len(delays)} of {len(sessions)} | {median} | {late} "
            f"| {sum(trial.false for trial in false)} of {sum(trial.active for trial in false)} "
            f"| {sum(trial.false for trial in idle)} of {sum(trial.active for trial in idle)} |"
        )
    for trial in trials:
        missed = [session for session in trial.sessions if not session.detected and not trial.condition.hops]
        if trial.false or missed:
            failure = (
                f"{trial.false} false windows of {trial.active}"
                if trial.false
                else f"{len(missed)} of {len(trial.sessions)} sessions missed"
            )
            lines.append(f"  {trial.condition.name}: {trial.source.name}: {failure}")
    return lines
