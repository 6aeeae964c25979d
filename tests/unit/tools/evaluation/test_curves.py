"""ROC, area and calibration of invented scores."""

import pytest

from tools.evaluation import curves


def test_a_perfect_score_has_an_area_of_1():
    points = curves.roc([(90, True)] * 5 + [(10, False)] * 20)

    assert curves.area(points) == pytest.approx(1.0)
    assert (60, 0.0, 1.0) in points


def test_a_random_score_has_an_area_of_one_half():
    windows = [(score, camera) for score in range(0, 101, 5) for camera in (True, False)]

    assert curves.area(curves.roc(windows)) == pytest.approx(0.5, abs=0.03)


def test_without_cameras_or_others_there_is_no_curve():
    assert curves.roc([(90, True)]) == []
    assert curves.roc([(90, False)]) == []


def test_calibration_counts_the_cameras_in_each_bin():
    windows = [(100, True), (95, True), (91, False), (5, False)]

    assert curves.calibration(windows) == [(0, 1, 0), (90, 3, 2)]


def test_quantiles_of_a_sorted_list():
    assert curves.quantile([1, 2, 3, 4], 0.5) == 3
    assert curves.quantile([7], 0.99) == 7
    assert curves.quantile([], 0.5) is None
