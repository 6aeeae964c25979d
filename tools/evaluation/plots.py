"""Plots of the evaluation, as PNG files."""

from collections.abc import Sequence
from pathlib import Path

from tools.evaluation import anchors, crowded, curves, dataset, tables
from tools.evaluation.counting import GRACE_S
from tools.evaluation.run import Outcome

SIZE_INCHES = (6.4, 4.2)
DPI = 110
STYLES = (":", "--", "-.", (0, (1, 3)))  # of the published rules


def save(folder: Path | str, outcomes: Sequence[Outcome], results: Sequence[crowded.Result]) -> list[tuple[str, str]]:
    """Write the plots for which there are data; return [(file name, caption), ...]."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    plots = []
    groups = tables.by_condition(outcomes)
    clear = next(iter(groups.values()))
    windows = curves.scored_windows(clear)
    if curves.roc(windows):
        plots.append(_roc(folder / "roc.png", windows, clear))
        plots.append(_calibration(folder / "calibration.png", windows))
    plots.append(_delays(folder / "delays.png", groups))
    if results:
        plots.append(_crowded(folder / "crowded.png", results))
    return plots


def _figure():
    # Imported here, because it takes a second, which a run without --plots does not need.
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=SIZE_INCHES)
    axes.grid(alpha=0.3)
    return figure, axes


def _write(figure, path, caption):
    from matplotlib import pyplot

    figure.tight_layout()
    # Without the version in the file, equal figures give equal bytes.
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
    pyplot.close(figure)
    return path.name, caption


def _roc(path, windows, outcomes):
    figure, axes = _figure()
    points = curves.roc(windows)
    axes.step(
        [max(point[1], 1e-5) for point in points], [point[2] for point in points], where="post", label="Ansim, by score"
    )
    for name in anchors.NAMES:
        shares = anchor_shares(outcomes, name)
        if shares:
            axes.plot(max(shares[0], 1e-5), shares[1], "o", label=name)
    axes.set_xscale("log")
    axes.set_xlabel("share of other devices' active windows flagged")
    axes.set_ylabel("share of camera windows flagged")
    axes.set_ylim(0, 1.02)
    axes.legend(loc="lower right", fontsize=8)
    return _write(figure, path, "ROC by 10 s window on the emitter's channel; the published rules are points")


def anchor_shares(outcomes: Sequence[Outcome], name: str) -> tuple[float, float] | None:
    """
    Return the shares of other windows and of camera windows that a published rule flags; None if either is missing.
    """
    other = other_flagged = camera = camera_flagged = 0
    for outcome in outcomes:
        starts = set(outcome.anchors.get(name, ()))
        if outcome.case.kind == dataset.NEGATIVE:
            other += len(outcome.summary.active)
            other_flagged += len(starts & set(outcome.summary.active))
        elif outcome.case.kind == dataset.CAMERA:
            inside = curves.camera_windows(outcome.summary)
            camera += len(inside)
            camera_flagged += len(starts & set(inside))
    return (other_flagged / other, camera_flagged / camera) if other and camera else None


def _calibration(path, windows):
    figure, axes = _figure()
    rows = curves.calibration(windows)
    axes.plot([0, 100], [0, 1], "--", color="grey", linewidth=1)
    axes.plot([low + curves.BIN / 2 for low, _, _ in rows], [cameras / count for _, count, cameras in rows], "o-")
    for low, count, cameras in rows:
        axes.annotate(
            str(count), (low + curves.BIN / 2, cameras / count), fontsize=7, xytext=(3, 3), textcoords="offset points"
        )
    axes.set_xlabel("highest score in the window")
    axes.set_ylabel("share of windows that are a camera's")
    return _write(figure, path, "calibration of the score; the numbers are windows")


def _delays(path, groups):
    figure, axes = _figure()
    for condition, outcomes in groups.items():
        sessions = tables.sessions_of(outcomes)
        if sessions:
            delays = curves.delays(sessions)
            axes.step(
                [0, *delays],
                [number / len(sessions) for number in range(len(delays) + 1)],
                where="post",
                label=condition.name,
            )
    clear = next(iter(groups.values()))
    for name, style in zip(anchors.NAMES, STYLES, strict=True):
        rule_delays = [
            anchors.detection_delay(session, outcome.anchors.get(name, ()), GRACE_S)
            for outcome in clear
            if outcome.case.kind == dataset.CAMERA
            for session in outcome.summary.sessions
        ]
        delays = sorted(delay for delay in rule_delays if delay is not None)
        if delays:
            heights = [number / len(rule_delays) for number in range(len(delays) + 1)]
            axes.step([0, *delays], heights, where="post", linestyle=style, color="grey", linewidth=1.2, label=name)
    axes.set_xlim(0, 40)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("seconds after the session's start")
    axes.set_ylabel("share of sessions found")
    axes.legend(loc="lower right", fontsize=7)
    return _write(
        figure, path, "how soon a session is found; the published rules hear the camera's channel all the time"
    )


def _crowded(path, results):
    figure, axes = _figure()
    for hops, mark in ((False, "o"), (True, "x")):
        group = [result for result in results if result.hops == hops]
        found = [result for result in group if result.found_s is not None]
        name = "hopping" if hops else "on the camera's channel"
        axes.plot(
            [result.crowd.loss * 100 for result in found],
            [result.found_s for result in found],
            mark,
            label=name,
            alpha=0.7,
        )
        missed = [result for result in group if result.found_s is None]
        axes.plot(
            [result.crowd.loss * 100 for result in missed],
            [crowded.AFTER_S + 2] * len(missed),
            mark,
            color="red",
            alpha=0.7,
        )
    axes.axhline(crowded.WITHIN_S, color="grey", linestyle="--", linewidth=1)
    axes.set_xlabel("frames lost, %")
    axes.set_ylabel("seconds until the camera is found (red: never)")
    if results:
        axes.legend(fontsize=8)
    return _write(figure, path, "crowded scenes: how soon the camera is found, by loss")
