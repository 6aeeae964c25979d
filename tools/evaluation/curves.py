"""ROC curve and calibration of the score, and delays of the sessions."""

import itertools
from collections.abc import Iterable, Sequence

from tools.evaluation import dataset
from tools.evaluation.counting import WINDOW_S, Session, StreamSummary
from tools.evaluation.run import Outcome

BIN = 10  # points of score in one bin of the calibration
SLACK_S = 1  # accuracy of a session's start and end


def scored_windows(outcomes: Sequence[Outcome]) -> list[tuple[int, bool]]:
    """
    Return [(score, is camera), ...] of active windows: those inside camera sessions, and all of other devices.

    Windows of a camera outside its sessions and of idle cameras are left out. Empty if the detectors
    provide no scores.
    """
    if not any(outcome.scores for outcome in outcomes):
        return []
    windows = []
    for outcome in outcomes:
        if outcome.case.kind == dataset.NEGATIVE:
            windows += [(outcome.scores.get(start, 0), False) for start in outcome.summary.active]
        elif outcome.case.kind == dataset.CAMERA:
            windows += [(outcome.scores.get(start, 0), True) for start in camera_windows(outcome.summary)]
    return windows


def camera_windows(summary: StreamSummary) -> list[int]:
    """Return the starts of the active windows inside a session."""
    return [
        start
        for start in summary.active
        if any(
            session.start_s - SLACK_S <= start and start + WINDOW_S <= session.end_s + SLACK_S
            for session in summary.sessions
        )
    ]


def roc(windows: Sequence[tuple[int, bool]]) -> list[tuple[int, float, float]]:
    """Return [(threshold, share of other windows flagged, share of camera windows flagged), ...], strictest first."""
    cameras = sum(1 for _, is_camera in windows if is_camera)
    others = len(windows) - cameras
    if not cameras or not others:
        return []
    points = []
    for threshold in range(101, -1, -1):
        flagged = [is_camera for score, is_camera in windows if score >= threshold]
        points.append((threshold, (len(flagged) - sum(flagged)) / others, sum(flagged) / cameras))
    return points


def area(points: Sequence[tuple[int, float, float]]) -> float:
    """Return the area under a ROC curve."""
    return sum((later[1] - earlier[1]) * (later[2] + earlier[2]) / 2 for earlier, later in itertools.pairwise(points))


def calibration(windows: Iterable[tuple[int, bool]]) -> list[tuple[int, int, int]]:
    """Return [(lowest score of the bin, windows, windows of cameras), ...]; the score 100 is in the last bin."""
    bins: dict[int, list[int]] = {}
    for score, is_camera in windows:
        lowest = min(score, 99) // BIN * BIN
        counts = bins.setdefault(lowest, [0, 0])
        counts[0] += 1
        counts[1] += is_camera
    return [(lowest, counts[0], counts[1]) for lowest, counts in sorted(bins.items())]


def delays(sessions: Iterable[Session]) -> list[float]:
    """Return the sorted delays of the detected sessions, in seconds."""
    return sorted(session.delay_s for session in sessions if session.delay_s is not None)


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return the value at a share (0..1) of a sorted list, None if it is empty."""
    return values[min(len(values) - 1, int(len(values) * share))] if values else None
