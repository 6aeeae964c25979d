"""What is left out of a nested evaluation has no influence on the detector that judges it."""

from pathlib import Path

import numpy as np
import pytest

from ansim.detect import camera_evidence as evidence
from ansim.detect.camera_stream import CameraStream
from tools.evaluation import dataset, nested
from tools.fitting import examples
from tools.traffic import air

NAMES = ("cam-a1", "cam-a2", "cam-b1", "idle-a", "call-1", "call-2", "app-1")


def case(name):
    kind = {"cam": dataset.CAMERA, "idle": dataset.IDLE}.get(name.split("-")[0], dataset.NEGATIVE)
    label, _, rest = name.partition("-")
    model = rest[0] if kind != dataset.NEGATIVE else name
    collection = "x/1" if name.endswith(("1", "a")) else "x/2"
    return dataset.Case(Path(name), kind, f"neg_{label}", name, name, model, air.STATION, collection)


CASES = [case(name) for name in NAMES]


def test_folds_leave_out_collections_and_kinds_and_models_with_their_idle_cameras():
    by_collection = nested.list_folds(CASES, nested.COLLECTION)
    by_kind = nested.list_folds(CASES, nested.KIND)

    assert {fold.name: len(fold.cases) for fold in by_collection} == {"x/1": 5, "x/2": 2}
    assert {fold.name: [case.id for case in fold.cases] for fold in by_kind} == {
        "camera a": ["cam-a1", "cam-a2", "idle-a"],
        "camera b": ["cam-b1"],
        "neg_app": ["app-1"],
        "neg_call": ["call-1", "call-2"],
    }


def cameras():
    """Highest values of three recordings; the first is the weakest in its rate, the second in its share."""
    strong = np.full(len(evidence.RULES), 2000)
    rows = {Path(name): strong.copy() for name in NAMES[:3]}
    rows[Path("cam-a1")][evidence.UPLINK_KBPS] = 200
    rows[Path("cam-b1")][evidence.UPLINK_SHARE] = 800
    return rows


@pytest.mark.parametrize(
    ("without", "kbps", "share"),
    [((), 60, 690), (("cam-a1",), 600, 690), (("cam-b1",), 60, 1725), (("cam-a2",), 60, 690)],
)
def test_the_gate_follows_the_weakest_camera_that_is_left(without, kbps, share):
    limits = {place: least for place, least, _ in nested.refit_gate(cameras(), {Path(name) for name in without})}

    assert (limits[evidence.UPLINK_KBPS], limits[evidence.UPLINK_SHARE]) == (kbps, share)


def made_data(cases):
    """Examples in which cameras send at 500 kbit/s, the camera b at 70, and others at 50."""
    sources = [examples.Source(c.id, c.kind, c.model, c.device, c.collection, c.role, c.path) for c in cases]
    used = [index for index, source in enumerate(sources) if source.kind != dataset.IDLE]
    source = np.repeat(used, 30)
    values = np.full((len(source), len(evidence.RULES)), evidence.UNKNOWN, dtype=np.int64)
    is_camera = np.array([sources[index].kind == dataset.CAMERA for index in source])
    rates = {"a": 500, "b": 70}
    values[:, evidence.UPLINK_KBPS] = np.array([rates.get(sources[index].model, 50) for index in source])
    values[:, evidence.UPLINK_SHARE] = np.where(is_camera, 950, 400)
    values[:, evidence.ACTIVE_ROWS] = 9
    values[:, evidence.GOP], values[:, evidence.VARIATION] = np.where(is_camera, 800, 50), 500
    made = examples.Examples(values, is_camera, np.ones(len(source)), source, np.zeros(len(source), dtype=int))
    return nested.Data(sources, made, (sources, made), cameras())


def test_a_model_is_the_one_fitted_on_what_is_left():
    left = [case for case in CASES if case.model != "b"]

    fitted, alone = made_data(CASES).fit({Path("cam-b1")}).rules, made_data(left).fit().rules

    assert vars(fitted) == vars(alone)
    assert vars(fitted) != vars(made_data(CASES).fit().rules)


def test_the_detector_of_a_model_uses_its_gate():
    fitted = made_data(CASES).fit({Path("cam-a1")})

    (stream,) = [detector for detector in fitted.make_engine().detectors if isinstance(detector, CameraStream)]

    assert stream._necessary == fitted.necessary != evidence.NECESSARY
