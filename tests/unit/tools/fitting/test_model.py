"""The fit: staircases that only go one way, and alarms above whatever others reached."""

import types

import numpy as np
import pytest

from ansim.detect import camera_evidence as evidence
from ansim.detect.camera_evidence import UNKNOWN
from tools.evaluation import dataset
from tools.fitting import examples, model


def made_examples(seed=1, cameras=300, others=600):
    """Values in which cameras send more, and are answered by shorter frames."""
    chance = np.random.default_rng(seed)
    count = cameras + others
    camera = np.arange(count) < cameras
    values = np.full((count, len(evidence.RULES)), UNKNOWN, dtype=np.int64)
    values[:, evidence.UPLINK_KBPS] = np.where(
        camera, chance.integers(100, 900, count), chance.integers(12, 150, count)
    )
    values[:, evidence.UPLINK_SHARE] = np.where(
        camera, chance.integers(800, 990, count), chance.integers(300, 850, count)
    )
    values[:, evidence.MEAN_UP] = np.where(camera, chance.integers(400, 1400, count), chance.integers(100, 700, count))
    values[:, evidence.MEAN_DOWN] = np.where(camera, chance.integers(90, 200, count), chance.integers(120, 900, count))
    values[:, evidence.DUTY] = np.where(camera, 1000, chance.integers(100, 1000, count))
    values[:, evidence.FINE_DUTY] = np.where(
        camera, chance.integers(500, 1000, count), chance.integers(100, 900, count)
    )
    values[:, evidence.ACTIVE_ROWS] = chance.integers(1, 11, count)
    source = np.where(camera, np.arange(count) % 3, 3 + np.arange(count) % 4)
    return examples.Examples(values, camera, np.ones(count), source, np.zeros(count, dtype=int))


def made_sources():
    cameras = [_source(f"camera {at}", dataset.CAMERA) for at in range(3)]
    return cameras + [_source(f"other {at}", dataset.NEGATIVE) for at in range(4)]


def _source(name, kind):
    return examples.Source(name, kind, name, name, "somewhere", "station", None)


@pytest.fixture(scope="module")
def fitted():
    return model.fit(made_sources(), made_examples())


@pytest.mark.parametrize("place", range(len(model.SHAPE)))
def test_each_staircase_goes_one_way_only(fitted, place):
    rule, direction, _ = model.SHAPE[place]
    points = [one for _, one in fitted.SHAPE[place][1]]

    assert fitted.SHAPE[place][0] == rule
    assert points == sorted(points, reverse=direction == model.FALLING)


def test_no_other_device_reaches_the_alarm_and_most_cameras_do(fitted):
    found = made_examples()
    values = found.values
    score = fitted.BASE + model.score_rows(fitted.SHAPE, values) + model.score_rows(fitted.AMOUNT, values)

    assert score[~found.camera].max() < model.ALARM
    long = found.camera & (values[:, evidence.ACTIVE_ROWS] >= 9)
    assert (score[long] >= model.ALARM).mean() > 0.9


def test_a_short_burst_is_never_enough(fitted):
    steps = dict(fitted.AMOUNT[0][1])

    assert steps[0] == model.TOO_SHORT
    assert min(begins for begins in steps if begins) == model.LEAST_ACTIVE_ROWS
    assert list(steps.values()) == sorted(steps.values())


def test_left_out_sources_do_not_count():
    found = made_examples()
    without = model.fit(made_sources(), found, leave_out={0, 3})
    changed = made_examples()
    changed.values[np.isin(changed.source, [0, 3]), evidence.UPLINK_KBPS] = 5000

    again = model.fit(made_sources(), changed, leave_out={0, 3})

    assert vars(without) == vars(again)


def test_the_same_examples_give_the_same_weights(fitted):
    assert vars(model.fit(made_sources(), made_examples())) == vars(fitted)


def test_the_detector_and_the_fit_add_up_alike(fitted):
    found = made_examples()
    packed = evidence.pack(fitted.SHAPE)
    row = memoryview(bytearray(4 * len(evidence.RULES))).cast("I")
    for place in range(0, 900, 37):
        for at, value in enumerate(found.values[place].tolist()):
            row[at] = value
        assert (
            evidence.sum_points(packed, row) - evidence.POINTS_OFFSET
            == model.score_rows(fitted.SHAPE, found.values[[place]])[0]
        )


def test_a_sequence_is_made_to_rise_by_pooling_neighbours():
    assert model.monotone_fit([1.0, 3.0, 2.0, 5.0], [1.0, 1.0, 1.0, 1.0]).tolist() == [1.0, 2.5, 2.5, 5.0]


def test_the_second_stage_gives_points_to_values_more_frequent_in_cameras():
    found = made_examples()
    found.values[:, evidence.GOP] = np.where(found.camera, 700, 50)
    found.values[:, evidence.VARIATION] = np.where(found.camera, 900, 130)

    second = dict(model.second_stage(made_sources(), found))

    for steps in second.values():
        assert steps[0][1] < 0 < steps[-1][1]
        assert steps[0][1] >= model.LEAST_SECOND
        assert steps[-1][1] <= model.MOST_SECOND


def test_reasoned_rules_are_beside_the_fitted_ones():
    rules = types.SimpleNamespace(**vars(model.fit(made_sources(), made_examples(), (("x", ()),))))

    assert (("x", ()), *model.REASONED) == rules.SECOND
