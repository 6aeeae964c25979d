"""The evaluation's pictures, as PNG files."""

from pathlib import Path

from tools.evaluation import anchors, crowded, curves, dataset, tables
from tools.evaluation.counting import GRACE_S

SIZE_INCHES = (6.4, 4.2)
DPI = 110
STYLES = (":", "--", "-.", (0, (1, 3)))  # of the published rules


def save(folder, outcomes, results) -> list:
    """Write what there is to draw; return [(file name, what it shows), ...]."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    groups = tables.by_condition(outcomes)
    clear = next(iter(groups.values()))
    windows = curves.scored_windows(clear)
    if curves.roc(windows):
        made.append(_roc(folder / "roc.png", windows, clear))
        made.append(_calibration(folder / "calibration.png", windows))
    made.append(_delays(folder / "delays.png", groups))
    if results:
        made.append(_crowded(folder / "crowded.png", results))
    return made


def _figure():
    # Imported here, without a display: it takes a second that a run without --plots need not wait.
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=SIZE_INCHES)
    axes.grid(alpha=0.3)
    return figure, axes


def _write(figure, path, about):
    from matplotlib import pyplot

    figure.tight_layout()
    # without the version in the file, the same figures give the same bytes
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
    pyplot.close(figure)
    return path.name, about


def _roc(path, windows, outcomes):
    figure, axes = _figure()
    points = curves.roc(windows)
    axes.step([max(one[1], 1e-5) for one in points], [one[2] for one in points], where="post", label="Ansim, by score")
    for name in anchors.NAMES:
        flagged = anchor_rates(outcomes, name)
        if flagged:
            axes.plot(max(flagged[0], 1e-5), flagged[1], "o", label=name)
    axes.set_xscale("log")
    axes.set_xlabel("share of other devices' active windows flagged")
    axes.set_ylabel("share of camera windows flagged")
    axes.set_ylim(0, 1.02)
    axes.legend(loc="lower right", fontsize=8)
    return _write(figure, path, "ROC by 10 s window on the emitter's channel; the published rules are points")


def anchor_rates(outcomes, name):
    """(share of other windows, share of camera windows) that a published rule flags; None without both."""
    other = other_flagged = camera = camera_flagged = 0
    for one in outcomes:
        starts = set(one.anchors.get(name, ()))
        if one.case.kind == dataset.NEGATIVE:
            other += len(one.summary.active)
            other_flagged += len(starts & set(one.summary.active))
        elif one.case.kind == dataset.CAMERA:
            inside = curves.camera_windows(one.summary)
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
            found = curves.delays(sessions)
            axes.step(
                [0, *found],
                [number / len(sessions) for number in range(len(found) + 1)],
                where="post",
                label=condition.name,
            )
    clear = next(iter(groups.values()))
    for name, style in zip(anchors.NAMES, STYLES, strict=True):
        all_of_them = [
            anchors.detection_delay(session, one.anchors.get(name, ()), GRACE_S)
            for one in clear
            if one.case.kind == dataset.CAMERA
            for session in one.summary.sessions
        ]
        found = sorted(one for one in all_of_them if one is not None)
        if found:
            heights = [number / len(all_of_them) for number in range(len(found) + 1)]
            axes.step([0, *found], heights, where="post", linestyle=style, color="grey", linewidth=1.2, label=name)
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
        group = [one for one in results if one.hops == hops]
        found = [one for one in group if one.found_s is not None]
        name = "hopping" if hops else "on the camera's channel"
        axes.plot([one.crowd.loss * 100 for one in found], [one.found_s for one in found], mark, label=name, alpha=0.7)
        missed = [one for one in group if one.found_s is None]
        axes.plot(
            [one.crowd.loss * 100 for one in missed], [crowded.AFTER_S + 2] * len(missed), mark, color="red", alpha=0.7
        )
    axes.axhline(crowded.WITHIN_S, color="grey", linestyle="--", linewidth=1)
    axes.set_xlabel("frames lost, %")
    axes.set_ylabel("seconds until the camera is found (red: never)")
    if results:
        axes.legend(fontsize=8)
    return _write(figure, path, "crowded scenes: how soon the camera is found, by loss")
