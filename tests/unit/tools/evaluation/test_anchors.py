"""The published rules flag windows as documented."""

import pytest

from tools.evaluation import anchors
from tools.evaluation.counting import Session


def rules(frames):
    """{rule: flagged windows} of 10 s of frames."""
    windows = anchors.Windows()
    assert list(windows.frames(frames)) == frames
    return {name for name, starts in windows.flagged().items() if 0 in starts}


def steady(per_second, length, down=0, down_length=94, seconds=10):
    frames = []
    for second in range(seconds):
        frames += [(second + number / per_second, 1, length) for number in range(per_second)]
        frames += [(second + 0.5, 0, down_length)] * down
    return frames


def test_a_camera_is_flagged_by_the_thresholds():
    assert {anchors.RATE, anchors.CAMLOPA, anchors.FIVE} <= rules(steady(60, 900, down=10))


def test_a_lamp_is_flagged_by_no_rule():
    assert rules([(0.0, 1, 200), (5.0, 0, 100)]) == set()


def test_a_download_is_not_flagged_by_the_five_thresholds():
    assert anchors.FIVE not in rules(steady(100, 110, down=200, down_length=1554))


@pytest.mark.parametrize(("per_second", "length", "flagged"), [(31, 320, True), (29, 320, False), (31, 290, False)])
def test_camlopa_needs_length_and_number(per_second, length, flagged):
    assert (anchors.CAMLOPA in rules(steady(per_second, length))) == flagged


@pytest.mark.parametrize(("full", "rest", "flagged"), [(50, 50, True), (1, 99, False), (99, 1, False)])
def test_dewicam_needs_a_share_of_longest_frames(full, rest, flagged):
    frames = [(number * 0.05, 1, 1554 if number < full else 300) for number in range(full + rest)]

    assert (anchors.DEWICAM in rules(frames)) == flagged


def test_lost_frames_are_not_seen_by_the_rules():
    frames = steady(10, 1100)
    windows = anchors.Windows(loss=0.9, seed=1)

    assert list(windows.frames(frames)) == frames
    assert 0 not in windows.flagged()[anchors.RATE]


def test_a_session_is_detected_by_a_whole_window_inside_it():
    session = Session(3, 30)

    assert anchors.detection_delay(session, [0], 5) is None
    assert anchors.detection_delay(session, [0, 5, 10], 5) == 12
    assert anchors.detection_delay(session, [25], 5) == 32
    assert anchors.detection_delay(session, [30], 5) is None
