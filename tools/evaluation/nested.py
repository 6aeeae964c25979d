"""
Nested leave-out: the detector judges collections, kinds and camera models that nothing was fitted on.

    sources = nested.read(fit_folder, cases)           # plays the recordings for the fit
    folds = nested.list_folds(cases, "collection")
    jobs = nested.list_jobs(sources, folds, seed)
    outcomes = [nested.play(*job) for job in jobs]

For each fold everything that is fitted is fitted again without it, by the same rules:

- the weights, by tools/fit.py, on the folder that they are fitted on;
- the conditions of the gate, from the weakest camera recording that is left, with the margins that they have to the
  weakest of all.

Not fitted again is what a person chose: which features and conditions there are, and how long an alarm takes.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ansim.detect import camera_evidence as evidence
from ansim.detect.camera_access_point import CameraAccessPoint
from ansim.detect.camera_beacon import CameraBeacon
from ansim.detect.camera_stream import CameraStream
from ansim.detect.engine import Engine
from ansim.signatures import Tables
from tools.evaluation import dataset, levels, run
from tools.evaluation.dataset import Case
from tools.fitting import examples, model, validate
from tools.lib.parallel import run_jobs

BEGIN = "<!-- nested: begin (written by tools/evaluate.py --nested; changes by hand are lost) -->"
END = "<!-- nested: end -->"
COLLECTION, KIND = "collection", "kind, or camera model"
MEASURED_MS = 8000  # a camera is measured after so much listening, as the gate's values are those of some seconds
HOPPING = run.Condition("hopping, half lost in bursts", True, 0.5, 120)

INTRODUCTION = """
Each recording is judged by a detector that was fitted without it: once without its whole collection (everything that
one person or project has published), once without its whole kind (applications, calls, ...) or, for a camera, without
all recordings of its model. The weights are fitted again, and the conditions of the gate follow from the weakest
camera that is left, with the same margins. What a person chose with all recordings in view stays: which features and
conditions there are, and how long an alarm takes. So these figures are nearer to an unseen device than those above,
but not the same.
"""


class Model(NamedTuple):
    """What is fitted: the weights, and the conditions of the gate."""

    rules: Any  # as the module ansim.detect.weights
    necessary: tuple

    def make_engine(self) -> Engine:
        """Return the detectors of a sensor with default settings, with this model."""
        tables = Tables("", "")
        stream = CameraStream(self.rules, tables, necessary=self.necessary)
        return Engine([stream, CameraAccessPoint(tables), CameraBeacon(tables)])


class Fold(NamedTuple):
    """Recordings that are left out together."""

    name: str
    cases: tuple[Case, ...]


class Data(NamedTuple):
    """What the models are fitted on: examples of both stages, and the best values of each camera recording."""

    sources: Sequence[examples.Source]
    first: examples.Examples
    second: tuple[Sequence[examples.Source], examples.Examples]
    cameras: dict[Path, np.ndarray]  # recording -> highest value in it, by index in camera_evidence.RULES

    def fit(self, without: Collection[Path] = ()) -> Model:
        """Return the model that is fitted without some recordings."""
        fold = {index for index, source in enumerate(self.sources) if source.path in without}
        second = validate.second_stage_without(fold, self.sources, *self.second)
        rules = model.fit(self.sources, self.first, second, fold)
        return Model(rules, refit_gate(self.cameras, without))


def collect(folder: Path | str, cases: Sequence[Case], play_all: Callable) -> Data:
    """
    Play the recordings and return what models are fitted on.

    folder    the recordings that the weights are fitted on
    cases     all recordings; those of cameras decide the gate
    play_all  tools.fit.collect()
    """
    sources = examples.list_sources(folder)
    second = [source for source in sources if source.path and source.kind != dataset.IDLE]
    second += examples.list_look_alikes()
    cameras = [_source(case) for case in cases if case.kind == dataset.CAMERA]
    return Data(
        sources,
        play_all(sources, examples.CONDITIONS, model.TRIAGE_ALL, "playing"),
        (second, play_all(second, examples.CONDITIONS[:1], model.FOLLOW_ALL, "second stage")),
        dict(_best_values(cameras, play_all(cameras, examples.CONDITIONS[:1], model.FOLLOW_ALL, "gate"))),
    )


def _source(case: Case) -> examples.Source:
    return examples.Source(case.id, case.kind, case.model, case.device, case.collection, case.role, case.path)


def _best_values(cameras: Sequence[examples.Source], data: examples.Examples) -> Iterator[tuple[Path, np.ndarray]]:
    values = np.where(data.values == evidence.UNKNOWN, 0, data.values)
    for index, source in enumerate(cameras):
        rows = values[(data.source == index) & (data.values[:, evidence.HEARD_MS] >= MEASURED_MS)]
        if source.path and len(rows):
            yield source.path, rows.max(axis=0)


def refit_gate(cameras: dict[Path, np.ndarray], without: Collection[Path]) -> tuple:
    """
    Return the conditions of the gate for the cameras that are left.

    A limit keeps its ratio to the weakest camera; it only becomes stricter, because fewer cameras are known.
    """
    left = [values for path, values in cameras.items() if path not in without]
    weakest, weakest_left = (np.min(group, axis=0) for group in (list(cameras.values()), left))
    return tuple(
        (place, int(least * max(1.0, weakest_left[place] / max(1, weakest[place]))), most)
        for place, least, most in evidence.NECESSARY
    )


def list_folds(cases: Iterable[Case], by: str) -> list[Fold]:
    """Return the recordings by COLLECTION or by KIND; an idle camera belongs to its model."""
    groups: dict[str, list[Case]] = {}
    for case in cases:
        is_camera = case.kind in (dataset.CAMERA, dataset.IDLE)
        name = case.collection if by == COLLECTION else f"camera {case.model}" if is_camera else case.label
        groups.setdefault(name, []).append(case)
    return [Fold(name, tuple(group)) for name, group in sorted(groups.items())]


def play(case: Case, condition: run.Condition, seed: int, fitted: Model) -> run.Outcome:
    """Return the Outcome of a recording, judged by a model."""
    return run.play(case, condition, seed, fitted.make_engine)


def play_repeat(fitted: Model, *job: Any) -> levels.Repeat:
    """Return the Repeat of a job of levels.list_jobs(), judged by a model."""
    return levels.play_repeat(*job, make_engine=fitted.make_engine)


def leave_out(data: Data, cases: Sequence[Case], by: str, seed: int) -> tuple[list[run.Outcome], list[levels.Repeat]]:
    """Return the outcomes and repeats of all recordings, each judged by the model that was fitted without its fold."""
    models: dict[Path, Model] = {}
    for fold in list_folds(cases, by):
        fitted = data.fit({case.path for case in fold.cases})
        models.update((case.path, fitted) for case in fold.cases)
    jobs = [(case, levels.CONDITION, seed, models[case.path]) for case in cases]
    outcomes = run_jobs(f"without its {by}", play, jobs)
    repeated = levels.list_jobs(outcomes, seed, (HOPPING,))
    repeats = run_jobs("repeats", play_repeat, [(models[job[0].path], *job) for job in repeated])
    return outcomes, repeats


def markdown(command: str, data: Data, cases: Sequence[Case], seed: int) -> str:
    """Return the section of the document, with its markers."""
    parts = [BEGIN, f"Made by `{command}`.", levels.paragraph(INTRODUCTION)]
    for by in (COLLECTION, KIND):
        outcomes, repeats = leave_out(data, cases, by, seed)
        parts += [
            f"**Left out: the {by}** ({len(list_folds(cases, by))} folds).",
            *levels.joined(levels.by_kind(outcomes)),
            *levels.joined(levels.by_visit(outcomes, repeats)),
            levels.paragraph(levels.worst(outcomes)),
            levels.paragraph(levels.repeats_with_alarm(repeats)),
            *levels.joined(levels.cameras(outcomes, repeats)),
        ]
    return "\n\n".join([*parts, END]) + "\n"
