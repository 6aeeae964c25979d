"""Examples for the fit: sources, conditions and their examples."""

import struct

import pytest

from ansim.frame_header import EXTRA, EXTRA_AMSDU, LENGTH
from tests.support import stream_traffic
from tools import fit
from tools.evaluation import dataset
from tools.fitting import examples, model, validate
from tools.traffic import air

CAMERA = examples.Source(
    "made", dataset.CAMERA, "made", "made", "here", air.STATION, None, {"kind": "camera", "kbps": 700}, 14
)
LAMP = examples.Source("lamp", dataset.NEGATIVE, "lamp", "lamp", "here", air.STATION, None, {"kind": "iot"}, 14)
CALL = examples.Source("call", dataset.NEGATIVE, "call", "call", "here", air.STATION, None, {"kind": "call"}, 14)


def columns_of(source, index=0):
    """The columns of the examples of a source under the first condition."""
    columns = examples.play_job(index, source, 0, examples.CONDITIONS[0], model.TRIAGE_ALL, seed=1)
    assert columns is not None
    return columns


def test_the_seconds_of_a_camera_in_a_session_are_examples():
    values, camera, weight, source, condition = columns_of(CAMERA, 7)

    assert camera.all()
    assert 10 <= len(values) <= 16
    assert set(source) == {7} and set(condition) == {0}
    assert weight.sum() == pytest.approx(1)


def test_a_device_that_sends_little_gives_no_example():
    assert examples.play_job(0, LAMP, 0, examples.CONDITIONS[0], model.TRIAGE_ALL, seed=1) is None


def test_another_device_is_an_example_each_second_it_is_worth_judging():
    values, camera, *_ = columns_of(CALL)

    assert not camera.any()
    assert len(values) >= 10


@pytest.mark.parametrize("condition", examples.CONDITIONS, ids=lambda condition: condition.name)
def test_a_camera_is_received_under_every_condition(condition):
    rows, _, summary = examples.play(CAMERA, condition, model.TRIAGE_ALL, seed=2)

    assert rows
    assert len(summary.sessions) == 1


def test_aggregation_joins_neighbours_and_leaves_no_gap_in_the_numbers():
    flow = [[0, 1000, 1000, "up", [700]]]
    single = [(at * 1000, bytes(record)) for at, record in enumerate(stream_traffic.records(flow, 0, 1000, {}))]

    joined = [record for _, record in examples.aggregate(iter(single))]

    assert 150 <= len(joined) <= 400
    assert all(record[EXTRA] & EXTRA_AMSDU for record in joined[:-1])
    numbers = [struct.unpack_from("<H", record, 32)[0] >> 4 for record in joined]
    assert numbers == list(range(1, len(joined) + 1))
    total = sum(struct.unpack_from("<H", record, LENGTH)[0] for record in joined)
    assert total == 700 * len(single) - 46 * (len(single) - len(joined))


def test_folds_leave_each_camera_model_out_once_with_some_others(tmp_path):
    sources = [
        examples.Source(str(at), kind, f"model {at % 3}", f"device {at}", "here", "station", tmp_path)
        for at, kind in enumerate([dataset.CAMERA] * 6 + [dataset.NEGATIVE] * 7)
    ]

    folds = validate.model_folds(sources, "model", seed=1)

    assert len(folds) == 3
    assert sorted(place for fold in folds for place in fold) == list(range(13))


def test_the_weights_are_written_as_they_are_shipped():
    import types

    from ansim.detect import weights
    from tests.conftest import ROOT

    rules = types.SimpleNamespace(
        BASE=weights.BASE,
        SHAPE=weights.SHAPE,
        AMOUNT=weights.AMOUNT,
        SECOND=weights.SECOND,
        ACCESS_POINT=weights.ACCESS_POINT,
    )

    assert fit.format_weights(rules) == (ROOT / "ansim/detect/weights.py").read_text()
