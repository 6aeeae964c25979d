"""Curves over the score: ROC, calibration, delays. Plain functions on outcomes."""

import itertools

from tools.evaluation import dataset
from tools.evaluation.counting import WINDOW_S

BIN = 10  # points of score in one bin of the calibration
SLACK_S = 1  # a session's start and end are known to a second


def scored_windows(outcomes) -> list:
    """
    [(score, is camera), ...] of active windows: those inside a camera's session, and all of other devices.

    Windows of a camera outside its sessions and of idle cameras are neither. Empty if the
    detectors do not tell scores.
    """
    if not any(one.scores for one in outcomes):
        return []
    found = []
    for one in outcomes:
        if one.case.kind == dataset.NEGATIVE:
            found += [(one.scores.get(start, 0), False) for start in one.summary.active]
        elif one.case.kind == dataset.CAMERA:
            found += [(one.scores.get(start, 0), True) for start in camera_windows(one.summary)]
    return found


def camera_windows(account) -> list:
    """The active windows that lie inside a session."""
    return [
        start
        for start in account.active
        if any(one.start_s - SLACK_S <= start and start + WINDOW_S <= one.end_s + SLACK_S for one in account.sessions)
    ]


def roc(windows) -> list:
    """[(threshold, share of other windows flagged, share of camera windows flagged), ...], strictest first."""
    cameras = sum(1 for _, is_camera in windows if is_camera)
    others = len(windows) - cameras
    if not cameras or not others:
        return []
    points = []
    for threshold in range(101, -1, -1):
        flagged = [is_camera for score, is_camera in windows if score >= threshold]
        points.append((threshold, (len(flagged) - sum(flagged)) / others, sum(flagged) / cameras))
    return points


def area(points) -> float:
    """The area under a ROC curve."""
    return sum((later[1] - earlier[1]) * (later[2] + earlier[2]) / 2 for earlier, later in itertools.pairwise(points))


def calibration(windows) -> list:
    """[(lowest score of the bin, windows, of them cameras), ...]; the score 100 is in the last bin."""
    bins = {}
    for score, is_camera in windows:
        place = min(score, 99) // BIN * BIN
        row = bins.setdefault(place, [0, 0])
        row[0] += 1
        row[1] += is_camera
    return [(place, *bins[place]) for place in sorted(bins)]


def delays(sessions) -> list:
    """Sorted seconds from a session's start to its finding; sessions that were missed are left out."""
    return sorted(one.delay_s for one in sessions if one.delay_s is not None)


def quantile(values, part) -> float | None:
    """The value at this part of a sorted list, None if it is empty."""
    return values[min(len(values) - 1, int(len(values) * part))] if values else None
