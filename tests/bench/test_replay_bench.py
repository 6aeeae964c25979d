"""The replay is fast enough: the detectors are what takes the time, and they take 150,000 records a second."""

import pytest

from tests.bench import replay
from tools import playback
from tools.scene import Scene


@pytest.fixture(scope="module")
def found():
    return replay.measure(playback.of_scene(Scene(replay.SCENE)))


def test_playing_itself_costs_little(found):
    assert found["records"] > 20_000
    assert found["handed_per_s"] > 3 * replay.BAR_PER_S


def test_the_detectors_take_150_000_records_a_second(found):
    assert found["detected_per_s"] >= replay.BAR_PER_S
