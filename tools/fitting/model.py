"""
The model of the weights: monotone step functions, alarm thresholds by duration, and likelihood ratios.

tools/fit.py describes the three parts. The rules set by judgement instead of by the fit are marked REASONED.
"""

from collections.abc import Collection, Sequence
from types import SimpleNamespace

import numpy as np

from ansim.detect import camera_evidence as evidence
from ansim.detect.camera_evidence import RSSI_ZERO, UNKNOWN
from tools.fitting import examples

ALARM = 60
POINTS_PER_NAT = 5
RIDGE = 10.0
ROUNDS = 1500
CAMERAS_WEIGHT, OTHERS_WEIGHT = 300, 1000  # in total: false alarms matter more

RISING, FALLING = 1, -1
# (rule, direction, lowest values of its steps)
SHAPE = (
    (evidence.UPLINK_KBPS, RISING, (30, 45, 60, 80, 110, 150, 250, 400, 700, 1100)),
    (evidence.UPLINK_SHARE, RISING, (500, 600, 680, 740, 790, 840, 890, 930)),
    (evidence.MEAN_UP, RISING, (200, 280, 350, 430, 520, 650, 850)),
    (evidence.MEAN_DOWN, FALLING, (140, 180, 210, 240, 280, 340, 420, 520)),
    (evidence.DUTY, RISING, (400, 550, 650, 750, 850, 950)),
    (evidence.FINE_DUTY, RISING, (200, 300, 450, 600, 750, 900)),
)
# Added to the fitted shape: voice, telemetry and the ACKs of a download are short frames, while pictures fill long ones
# at any rate. Of the recorded cameras' frames at most 37 % are short, sound included.
REASONED_SHAPE = ((evidence.SMALL_UP, ((0, 0), (800, -6), (850, -12), (930, -14))),)
AMOUNT = (evidence.ACTIVE_ROWS, RISING, (2, 3, 4, 5, 6, 7, 8, 9))
# Nothing is raised on fewer: sensors, plugs and speakers send bursts of up to three seconds.
LEAST_ACTIVE_ROWS = 4
TOO_SHORT = -40
# In points above the highest score of a non-camera: without loss, and under all conditions.
CLEAR_MARGIN, LOSSY_MARGIN = 8, 3
# (active seconds, points from even odds): a lower limit, however low other devices scored in the recordings. A burst of
# four seconds needs overwhelming evidence, and nothing is raised that is more likely no camera.
LOWEST_ALARM = ((4, 8), (5, 3), (6, -2), (9, -9))

SECOND = (
    (evidence.GOP, RISING, (150, 300, 450)),
    (evidence.VARIATION, RISING, (120, 250, 400)),
)
LEAST_KBPS = 30  # of examples for the second stage
MOST_SECOND, LEAST_SECOND = 10, -10
# Set by judgement, not by the fit: (rule, ((lowest value, points), ...)).
REASONED = (
    # Phones have used random addresses since about 2019; of the measured cameras only one did, as an access point.
    (evidence.LATE_LOCAL, ((0, 0), (1, -26))),
    # A file transfer fills every frame. Some cameras nearly do: 97 % in one model. Together with an even flow
    # and no rhythm, this takes the best shape (84) below the threshold at which a finding is cleared (49).
    (evidence.LATE_FULL, ((0, 0), (975, -6), (985, -24))),
    # Calls, live streams and uploads end.
    (evidence.PERSISTENCE_S, ((0, 0), (600, 4), (1800, 10))),
    # Weak wherever the sensor was carried: behind a wall. Much stronger in one place: the sensor came near it.
    (evidence.RSSI_PEAK, ((0, -5), (RSSI_ZERO - 84, 0), (RSSI_ZERO - 55, 2))),
    (evidence.RSSI_SPAN, ((0, 0), (12, 2))),
)
# An access point that sends traffic of its own. Mostly it is a router or a phone's hotspot that serves a
# download, so it needs more evidence than a station.
ACCESS_POINT = (
    (evidence.OWN_SOURCE, ((0, -56), (700, -40), (950, -28))),
    (evidence.SINGLE_CLIENT, ((0, -30), (700, -12), (900, 0))),
    # A download over TCP fills its frames. Cameras that are access points mostly send UDP, PPPP ones at most 1,114
    # bytes, and pictures split into such packets make nearly all frames that long: this outweighs the next rule.
    (evidence.MAX_LENGTH, ((0, 12), (1250, 0))),
    (evidence.MAX_LENGTH_SHARE, ((0, 3), (850, 0), (930, -6), (970, -14))),
    # A download comes in chunks, as does music; a live picture does not pause.
    (evidence.FINE_DUTY, ((0, -8), (300, 0))),
    # Mini cameras are open by default. In a network with a password, it may be a call watched through a router.
    (evidence.OPEN_NETWORK, ((0, -5), (1, 8))),
)

# Rules that dwell on every device and raise none, so that the examples do not depend on fitted rules.
TRIAGE_ALL = SimpleNamespace(BASE=50, SHAPE=(), AMOUNT=(), SECOND=(), ACCESS_POINT=())
# Rules that make every device a suspect, so that the second stage is measured for all.
FOLLOW_ALL = SimpleNamespace(BASE=200, SHAPE=(), AMOUNT=(), SECOND=(), ACCESS_POINT=())


def balanced_weights(sources: Sequence[examples.Source], data: examples.Examples) -> np.ndarray:
    """Return the weights of the examples: each model and device counts by the square root of its examples."""
    weight = data.weight.astype(float).copy()
    for kind, attribute in ((data.camera, "model"), (~data.camera, "device")):
        groups = np.array([getattr(source, attribute) for source in sources])[data.source]
        for group in np.unique(groups[kind]):
            members = kind & (groups == group)
            weight[members] /= np.sqrt(weight[members].sum())
    weight[data.camera] *= CAMERAS_WEIGHT / weight[data.camera].sum()
    weight[~data.camera] *= OTHERS_WEIGHT / weight[~data.camera].sum()
    return weight


def design_matrix(values: np.ndarray, rules: Sequence[tuple]) -> tuple[np.ndarray, np.ndarray]:
    """Return a column of 0, 1 and NaN (unknown) for each step, and the directions of the columns."""
    columns, directions = [], []
    for rule, direction, cuts in rules:
        known = values[:, rule] != UNKNOWN
        for cut in cuts:
            columns.append(np.where(known, (values[:, rule] >= cut).astype(np.float32), np.nan))
            directions.append(direction)
    return np.array(columns, dtype=np.float32).T, np.array(directions)


def regress(
    columns: np.ndarray, directions: np.ndarray, camera: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, float, np.ndarray]:
    """
    Fit a logistic regression whose slopes have the signs of `directions`.

    Returns (slopes, intercept, means): the log odds of a row are (row - means) @ slopes + intercept, with
    unknown entries replaced by their mean.
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


def step_functions(rules: Sequence[tuple], slopes: np.ndarray, means: np.ndarray) -> tuple:
    """Return ((rule, ((lowest value, points), ...)), ...); unknown values get no points."""
    functions, start = [], 0
    for rule, _, cuts in rules:
        columns = slice(start, start + len(cuts))
        start += len(cuts)
        heights = np.concatenate([[0], np.cumsum(slopes[columns])]) - (slopes[columns] * means[columns]).sum()
        steps = []
        for lowest, height in zip((0, *cuts), heights, strict=True):
            points = round(float(height) * POINTS_PER_NAT)
            if not steps or steps[-1][1] != points:
                steps.append((lowest, points))
        functions.append((rule, tuple(steps)))
    return tuple(functions)


def score_rows(rules: Sequence[tuple], values: np.ndarray) -> np.ndarray:
    """Return the points of each row of values."""
    total = np.zeros(len(values), dtype=int)
    for rule, steps in rules:
        value = values[:, rule]
        lowest = np.array([lowest for lowest, _ in steps])
        points = np.array([points for _, points in steps])
        row_points = points[np.maximum(0, np.searchsorted(lowest, value, side="right") - 1)]
        total += np.where(value == UNKNOWN, 0, row_points)
    return total


def fit(
    sources: Sequence[examples.Source],
    data: examples.Examples,
    second: tuple | None = None,
    leave_out: Collection[int] | None = None,
) -> SimpleNamespace:
    """
    Return weights fitted on the examples.

    second     result of second_stage(), or None
    leave_out  indexes of sources whose examples are not used
    """
    data = data.without(leave_out)
    weight = balanced_weights(sources, data)
    columns, directions = design_matrix(data.values, (*SHAPE, AMOUNT))
    slopes, intercept, means = regress(columns, directions, data.camera, weight)
    shape = step_functions(SHAPE, slopes, means)
    even_odds = round(float(intercept) * POINTS_PER_NAT)
    is_recorded = np.array([source.origin != examples.GENERATED_ORIGIN for source in sources])[data.source]
    others = is_recorded & ~data.camera
    clear_conditions = [
        not condition.hops and not condition.loss and not condition.aggregates for condition in examples.CONDITIONS
    ]
    clear = np.array(clear_conditions)[data.condition]
    score = score_rows(shape, data.values) + even_odds
    alarms = []
    active_rows = np.minimum(data.values[:, evidence.ACTIVE_ROWS], AMOUNT[2][-1])
    for least in range(LEAST_ACTIVE_ROWS, AMOUNT[2][-1] + 1):
        # A device received for longer scores no less.
        part = others & (active_rows >= least)
        highest = [score[part & clear].max(initial=-99) + CLEAR_MARGIN, score[part].max(initial=-99) + LOSSY_MARGIN]
        lowest_alarm = [points for seconds, points in LOWEST_ALARM if least >= seconds][-1]
        alarms.append((least, max(lowest_alarm, *highest)))
    last = alarms[-1][1]
    steps = [(0, TOO_SHORT)]
    for least, alarm in alarms:
        if steps[-1][1] != last - alarm:
            steps.append((least, int(last - alarm)))
    return SimpleNamespace(
        BASE=int(ALARM + even_odds - last),
        # The rules set by judgement are added on top: the other devices keep their distance from the alarm without
        # them.
        SHAPE=shape + REASONED_SHAPE,
        AMOUNT=((evidence.ACTIVE_ROWS, tuple(steps)),),
        SECOND=(*(second or ()), *REASONED),
        ACCESS_POINT=ACCESS_POINT,
    )


def second_stage(
    sources: Sequence[examples.Source], data: examples.Examples, leave_out: Collection[int] | None = None
) -> tuple:
    """
    Return rules for rhythm and evenness: log likelihood ratios, monotone and limited.

    data       examples of cameras and others, played with FOLLOW_ALL
    leave_out  indexes of sources whose examples are not used
    """
    data = data.without(leave_out)
    weight = balanced_weights(sources, data) * (data.values[:, evidence.UPLINK_KBPS] >= LEAST_KBPS)
    rules = []
    for rule, _, cuts in SECOND:
        value = data.values[:, rule]
        bins = np.searchsorted(np.array(cuts), value, side="right")
        known = value != UNKNOWN
        count = len(cuts) + 1
        masses = [np.bincount(bins[known & kind], weight[known & kind], count) for kind in (data.camera, ~data.camera)]
        shares = [(mass + 0.05 * mass.sum()) / (1.05 * mass.sum() + 0.05 * (count - 1) * mass.sum()) for mass in masses]
        ratio = np.log(shares[0] / shares[1]) * POINTS_PER_NAT
        points = np.clip(np.round(monotone_fit(ratio, masses[0] + masses[1])), LEAST_SECOND, MOST_SECOND).astype(int)
        rules.append((rule, tuple(zip((0, *cuts), points.tolist(), strict=True))))
    return tuple(rules)


def monotone_fit(values: Sequence[float] | np.ndarray, weights: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the nearest rising sequence (pool adjacent violators)."""
    blocks = []  # [value, weight, size]
    for value, weight in zip(values, weights, strict=True):
        blocks.append([value, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            after, before = blocks.pop(), blocks.pop()
            total = before[1] + after[1]
            blocks.append([(before[0] * before[1] + after[0] * after[1]) / total, total, before[2] + after[2]])
    return np.concatenate([[value] * size for value, _, size in blocks])
