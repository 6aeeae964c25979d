"""
The model behind the weights: staircases, alarms by how long it was heard, likelihood ratios.

Three parts, see tools/fit.py; what is set by reason and not fitted is here too, marked so.
"""

import types

import numpy as np

from ansim.detect import camera_evidence as evidence
from ansim.detect.camera_evidence import RSSI_ZERO, UNKNOWN
from tools.fitting import examples

ALARM = 60
POINTS_PER_NAT = 5
RIDGE = 10.0
ROUNDS = 1500
CAMERAS_COUNT, OTHERS_COUNT = 300, 1000  # total weights: false alarms matter more

RISING, FALLING = 1, -1
# rule, direction, and where its steps begin
SHAPE = (
    (evidence.UPLINK_KBPS, RISING, (30, 45, 60, 80, 110, 150, 250, 400, 700, 1100)),
    (evidence.UPLINK_SHARE, RISING, (500, 600, 680, 740, 790, 840, 890, 930)),
    (evidence.MEAN_UP, RISING, (200, 280, 350, 430, 520, 650, 850)),
    (evidence.MEAN_DOWN, FALLING, (140, 180, 210, 240, 280, 340, 420, 520)),
    (evidence.DUTY, RISING, (400, 550, 650, 750, 850, 950)),
    (evidence.FINE_DUTY, RISING, (200, 300, 450, 600, 750, 900)),
)
# Set by reason beside what is fitted of the shape: voice, telemetry and what a download acknowledges go in short frames,
# a picture fills long ones whatever its rate. Of the cameras recorded at most 37 % are short, sound included.
REASONED_SHAPE = ((evidence.SMALL_UP, ((0, 0), (800, -6), (850, -12), (930, -14))),)
AMOUNT = (evidence.ACTIVE_ROWS, RISING, (2, 3, 4, 5, 6, 7, 8, 9))
# Nothing is raised on less: sensors, plugs and speakers send bursts of up to three seconds.
LEAST_ACTIVE_ROWS = 4
TOO_SHORT = -40
# Above the highest score of a non-camera, in points: heard clearly, and with losses (which a recording has many of).
CLEAR_MARGIN, LOSSY_MARGIN = 8, 3
# In points from even odds, by active seconds: however low other devices stayed in the recordings,
# a burst of four seconds has to be overwhelming, and nothing is raised for what is likelier no camera.
LOWEST_ALARM = ((4, 8), (5, 3), (6, -2), (9, -9))

SECOND = (
    (evidence.GOP, RISING, (150, 300, 450)),
    (evidence.VARIATION, RISING, (120, 250, 400)),
)
LEAST_KBPS = 30  # of examples for the second stage
MOST_SECOND, LEAST_SECOND = 10, -10
# Set by reason, not by the fit: (rule, ((begins at, points), ...)).
REASONED = (
    # Phones have made up their address since 2019 or so; of the cameras measured one did, as an access point.
    (evidence.LATE_LOCAL, ((0, 0), (1, -20))),
    # A transfer of files fills every frame. Some cameras nearly do: 97 % in one model. With an even
    # flow and no rhythm beside it, this takes the best of shapes (84) below where it is cleared (55).
    (evidence.LATE_FULL, ((0, 0), (975, -6), (985, -18))),
    # Calls, live streams and uploads end.
    (evidence.PERSISTENCE_S, ((0, 0), (600, 4), (1800, 10))),
    # Weak wherever the sensor was carried: behind a wall. Much stronger here than there: it was approached.
    (evidence.RSSI_PEAK, ((0, -5), (RSSI_ZERO - 84, 0), (RSSI_ZERO - 55, 2))),
    (evidence.RSSI_SPAN, ((0, 0), (12, 2))),
)
# An access point that sends on its own account. Mostly it is a router or a phone's hotspot that
# serves a download; so it needs more than a station does.
ACCESS_POINT = (
    (evidence.OWN_SOURCE, ((0, -50), (700, -34), (950, -22))),
    (evidence.SINGLE_CLIENT, ((0, -30), (700, -12), (900, 0))),
    # A download over TCP fills its frames; cameras that are access points mostly send UDP, PPPP ones 1,114 bytes at most,
    # and pictures cut into such pieces make nearly all of them that long: this outweighs the next rule.
    (evidence.MAX_LENGTH, ((0, 12), (1150, 0))),
    (evidence.MAX_LENGTH_SHARE, ((0, 3), (850, 0), (930, -6), (970, -14))),
    # A download comes in chunks, as does music; a live picture does not wait.
    (evidence.FINE_DUTY, ((0, -8), (300, 0))),
    # Mini cameras are open by default. Where a password is asked for, somebody may watch a call through a router.
    (evidence.OPEN_NETWORK, ((0, -5), (1, 8))),
)

# Rules by which everybody is worth a dwell, and nobody is raised: what is learned from does not depend on what was learned.
TRIAGE_ALL = types.SimpleNamespace(BASE=50, SHAPE=(), AMOUNT=(), SECOND=(), ACCESS_POINT=())
# Rules by which everybody is a suspect, so that the second stage is measured of all.
FOLLOW_ALL = types.SimpleNamespace(BASE=200, SHAPE=(), AMOUNT=(), SECOND=(), ACCESS_POINT=())


def balanced_weights(sources, found):
    """Weights of the examples: each model and device by the square root of what it has."""
    weight = found.weight.astype(float).copy()
    for kind, name in ((found.camera, "model"), (~found.camera, "device")):
        groups = np.array([getattr(one, name) for one in sources])[found.source]
        for group in np.unique(groups[kind]):
            part = kind & (groups == group)
            weight[part] /= np.sqrt(weight[part].sum())
    weight[found.camera] *= CAMERAS_COUNT / weight[found.camera].sum()
    weight[~found.camera] *= OTHERS_COUNT / weight[~found.camera].sum()
    return weight


def design_matrix(values, rules):
    """Columns of 0, 1 and NaN (unknown), one for each step; and their directions."""
    columns, directions = [], []
    for place, direction, cuts in rules:
        known = values[:, place] != UNKNOWN
        for cut in cuts:
            columns.append(np.where(known, (values[:, place] >= cut).astype(np.float32), np.nan))
            directions.append(direction)
    return np.array(columns, dtype=np.float32).T, np.array(directions)


def regress(columns, directions, camera, weight):
    """
    Logistic regression with the signs of the slopes given.

    Returns (slopes, intercept, means): the log odds of a row are (row - means) @ slopes + intercept,
    with unknown entries at their mean.
    """
    known = ~np.isnan(columns)
    filled = np.where(known, columns, 0)
    means = (filled * weight[:, None]).sum(0) / np.maximum(1e-9, (known * weight[:, None]).sum(0))
    rows = np.concatenate([np.where(known, columns, means) - means, camera[:, None]], axis=1)
    rows, inverse = np.unique(rows.astype(np.float32), axis=0, return_inverse=True)
    mass = np.bincount(inverse.reshape(-1), weights=weight)
    rows, camera = rows[:, :-1].astype(float), rows[:, -1]
    size = np.linalg.norm(np.sqrt(mass)[:, None] * np.c_[rows, np.ones(len(rows))], 2) ** 2
    step = 1 / (0.25 * size + RIDGE)
    slopes = ahead = np.zeros(rows.shape[1])
    intercept = ahead_intercept = 0.0
    pace = 1.0
    for _ in range(ROUNDS):  # accelerated projected gradient
        odds = np.clip(rows @ ahead + ahead_intercept, -40, 40)
        error = mass * (1 / (1 + np.exp(-odds)) - camera)
        new = ahead - step * (rows.T @ error + RIDGE * ahead)
        new = np.where(new * directions > 0, new, 0)
        new_intercept = ahead_intercept - step * error.sum()
        new_pace = (1 + np.sqrt(1 + 4 * pace * pace)) / 2
        ahead = new + (pace - 1) / new_pace * (new - slopes)
        ahead_intercept = new_intercept + (pace - 1) / new_pace * (new_intercept - intercept)
        slopes, intercept, pace = new, new_intercept, new_pace
    return slopes, intercept, means


def staircases(rules, slopes, means):
    """[(place, ((begins at, points), ...)), ...]; what is unknown is worth nothing."""
    made, at = [], 0
    for place, _, cuts in rules:
        part = slice(at, at + len(cuts))
        at += len(cuts)
        heights = np.concatenate([[0], np.cumsum(slopes[part])]) - (slopes[part] * means[part]).sum()
        steps = []
        for begins, height in zip((0, *cuts), heights, strict=True):
            points = round(float(height) * POINTS_PER_NAT)
            if not steps or steps[-1][1] != points:
                steps.append((begins, points))
        made.append((place, tuple(steps)))
    return tuple(made)


def score_rows(rules, values):
    """Points of many rows of values."""
    total = np.zeros(len(values), dtype=int)
    for place, steps in rules:
        value = values[:, place]
        begins = np.array([one for one, _ in steps])
        points = np.array([one for _, one in steps])
        worth = points[np.maximum(0, np.searchsorted(begins, value, side="right") - 1)]
        total += np.where(value == UNKNOWN, 0, worth)
    return total


def fit(sources, found, second=None, leave_out=None):
    """
    Return weights fitted on the examples, without those of the sources in `leave_out` (a set of places).

    second  what second_stage() returned, or None
    """
    found = found.without(leave_out)
    weight = balanced_weights(sources, found)
    columns, directions = design_matrix(found.values, (*SHAPE, AMOUNT))
    slopes, intercept, means = regress(columns, directions, found.camera, weight)
    shape = staircases(SHAPE, slopes, means)
    even = round(float(intercept) * POINTS_PER_NAT)
    recorded = np.array([one.origin != examples.GENERATED_ORIGIN for one in sources])[found.source]
    others = recorded & ~found.camera
    clear = np.array([not way.hops and not way.loss and not way.aggregates for way in examples.CONDITIONS])[found.way]
    score = score_rows(shape, found.values) + even
    alarms = []
    rows = np.minimum(found.values[:, evidence.ACTIVE_ROWS], AMOUNT[2][-1])
    for least in range(LEAST_ACTIVE_ROWS, AMOUNT[2][-1] + 1):
        # who was heard for longer can do no less
        part = others & (rows >= least)
        highest = [score[part & clear].max(initial=-99) + CLEAR_MARGIN, score[part].max(initial=-99) + LOSSY_MARGIN]
        lowest = [points for rows_, points in LOWEST_ALARM if least >= rows_][-1]
        alarms.append((least, max(lowest, *highest)))
    last = alarms[-1][1]
    steps = [(0, TOO_SHORT)]
    for least, alarm in alarms:
        if steps[-1][1] != last - alarm:
            steps.append((least, int(last - alarm)))
    return types.SimpleNamespace(
        BASE=int(ALARM + even - last),
        # What is set by reason comes on top: the others keep their distance from the alarm without it.
        SHAPE=shape + REASONED_SHAPE,
        AMOUNT=((evidence.ACTIVE_ROWS, tuple(steps)),),
        SECOND=(*(second or ()), *REASONED),
        ACCESS_POINT=ACCESS_POINT,
    )


def second_stage(sources, found, leave_out=None):
    """
    Rules for rhythm and evenness: log likelihood ratios, monotone and within limits.

    found      Examples of cameras and others, played with FOLLOW_ALL
    leave_out  set of places in `sources`
    """
    found = found.without(leave_out)
    weight = balanced_weights(sources, found) * (found.values[:, evidence.UPLINK_KBPS] >= LEAST_KBPS)
    made = []
    for place, _, cuts in SECOND:
        value = found.values[:, place]
        bins = np.searchsorted(np.array(cuts), value, side="right")
        known = value != UNKNOWN
        count = len(cuts) + 1
        mass = [np.bincount(bins[known & kind], weight[known & kind], count) for kind in (found.camera, ~found.camera)]
        share = [(one + 0.05 * one.sum()) / (1.05 * one.sum() + 0.05 * (count - 1) * one.sum()) for one in mass]
        ratio = np.log(share[0] / share[1]) * POINTS_PER_NAT
        points = np.clip(np.round(monotone_fit(ratio, mass[0] + mass[1])), LEAST_SECOND, MOST_SECOND).astype(int)
        made.append((place, tuple(zip((0, *cuts), points.tolist(), strict=True))))
    return tuple(made)


def monotone_fit(values, weights):
    """The nearest rising sequence (pool adjacent violators)."""
    blocks = []
    for value, weight in zip(values, weights, strict=True):
        blocks.append([value, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            after, before = blocks.pop(), blocks.pop()
            total = before[1] + after[1]
            blocks.append([(before[0] * before[1] + after[0] * after[1]) / total, total, before[2] + after[2]])
    return np.concatenate([[value] * size for value, _, size in blocks])
