"""The figures of many outcomes as lines of Markdown tables."""

from collections.abc import Iterable, Mapping, Sequence

from tools.evaluation import anchors, counting, dataset
from tools.evaluation.run import Condition, Outcome

PPPP_BYTES = 1114  # longest frame of PPPP-type cameras
LONG_S = 30  # sessions at least this long are counted separately
ANSWER_S = 30  # time limit for them

Groups = Mapping[Condition, Sequence[Outcome]]


def by_condition(outcomes: Iterable[Outcome]) -> dict[Condition, list[Outcome]]:
    """Return {condition: its outcomes} in the order of the outcomes."""
    groups: dict[Condition, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.condition, []).append(outcome)
    return groups


def summary(outcomes: Iterable[Outcome]) -> list[str]:
    """Return a line for each condition, and for each published rule under the conditions without hopping."""
    lines = [
        "| rule | heard | sessions found | of them >= 30 s, within 30 s | median delay, s | 90 % | false windows | "
        "idle camera windows |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for condition, group in by_condition(outcomes).items():
        lines.append(_row("Ansim", condition.name, sessions_of(group), group))
        if not condition.hops:
            lines += [_anchor_row(name, condition.name, group) for name in anchors.NAMES]
    return lines


def sessions_of(outcomes: Iterable[Outcome]) -> list[counting.Session]:
    """Return the camera sessions of all outcomes."""
    return [
        session for outcome in outcomes if outcome.case.kind == dataset.CAMERA for session in outcome.summary.sessions
    ]


def _row(rule, heard, sessions, group):
    delays = sorted(session.delay_s for session in sessions if session.delay_s is not None)
    long = [session for session in sessions if session.end_s - session.start_s >= LONG_S]
    in_time = [session for session in long if session.delay_s is not None and session.delay_s <= ANSWER_S]
    false = _windows(group, dataset.NEGATIVE)
    idle = _windows(group, dataset.IDLE)
    return (
        f"| {rule} | {heard} | {share(sum(session.detected for session in sessions), len(sessions))} | "
        f"{share(len(in_time), len(long))} "
        f"| {_at(delays, 0.5)} | {_at(delays, 0.9)} | {share(*false, 2)} | {share(*idle, 2)} |"
    )


def _anchor_row(name, heard, group):
    sessions = sessions_of(group)
    delays = []
    for outcome in group:
        if outcome.case.kind == dataset.CAMERA:
            delays += [
                anchors.detection_delay(session, outcome.anchors[name], counting.GRACE_S)
                for session in outcome.summary.sessions
            ]
    found = sorted(delay for delay in delays if delay is not None)
    long = [delay for delay, session in zip(delays, sessions, strict=True) if session.end_s - session.start_s >= LONG_S]
    in_time = sum(delay is not None and delay <= ANSWER_S for delay in long)
    rows = []
    for kind in (dataset.NEGATIVE, dataset.IDLE):
        own = [outcome for outcome in group if outcome.case.kind == kind]
        flagged = sum(len(set(outcome.summary.active) & set(outcome.anchors[name])) for outcome in own)
        rows.append(share(flagged, sum(len(outcome.summary.active) for outcome in own), 2))
    return (
        f"| {name} | {heard} | {share(len(found), len(sessions))} | {share(in_time, len(long))} "
        f"| {_at(found, 0.5)} | {_at(found, 0.9)} | {rows[0]} | {rows[1]} |"
    )


def _windows(group, kind):
    own = [outcome for outcome in group if outcome.case.kind == kind]
    return sum(len(outcome.false) for outcome in own), sum(len(outcome.summary.active) for outcome in own)


def share(part: int, whole: int, digits: int = 1) -> str:
    """Return a share as text, such as "67 of 69 (97.1 %)"."""
    return f"{part} of {whole} ({100 * part / whole:.{digits}f} %)" if whole else "none"


def _at(values, quantile):
    return f"{values[min(len(values) - 1, int(len(values) * quantile))]:.1f}" if values else "-"


def by_model(groups: Groups) -> list[str]:
    """Return the sessions found of each camera model under each condition, with sums for PPPP-type cameras below."""
    models = sorted(
        {outcome.case.model for group in groups.values() for outcome in group if outcome.case.kind == dataset.CAMERA}
    )
    lines = [_heading("camera model", groups)]
    for model in models:
        cells = []
        for group in groups.values():
            sessions = [
                session
                for outcome in group
                if outcome.case.kind == dataset.CAMERA and outcome.case.model == model
                for session in outcome.summary.sessions
            ]
            cells.append(_of(sum(session.detected for session in sessions), len(sessions)))
        if any(cell != "-" for cell in cells):
            lines.append(f"| {model} | " + " | ".join(cells) + " |")
    for name, is_pppp in ((f"**PPPP type** (never above {PPPP_BYTES} B)", True), ("**others**", False)):
        cells = []
        for group in groups.values():
            sessions = [
                session for session in sessions_of(group) if (session.longest_up_bytes <= PPPP_BYTES) == is_pppp
            ]
            cells.append(share(sum(session.detected for session in sessions), len(sessions)))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def missed(groups: Groups) -> list[str]:
    """Return a sentence for each condition that lists the sessions not found."""
    sentences = []
    for condition, group in groups.items():
        names = [
            f"{outcome.case.id} ({session.start_s} to {session.end_s} s)"
            for outcome in group
            if outcome.case.kind == dataset.CAMERA
            for session in outcome.summary.sessions
            if not session.detected
        ]
        if names:
            listed = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
            sentences.append(f"Not found {condition.name}: {listed}.")
    return sentences


def delays(groups: Groups) -> list[str]:
    """Return the quantiles of the delay, and the share of all sessions found within some seconds."""
    lines = ["| heard | 50 % | 90 % | 99 % | within 5 s | 10 s | 15 s | 30 s | already standing |", "|---" * 9 + "|"]
    for condition, group in groups.items():
        sessions = sessions_of(group)
        values = sorted(session.delay_s for session in sessions if session.delay_s is not None)
        cells = [_at(values, quantile) for quantile in (0.5, 0.9, 0.99)]
        cells += [_percent(sum(value <= limit for value in values), len(sessions)) for limit in (5, 10, 15, 30)]
        cells.append(str(sum(session.held for session in sessions)))
        lines.append(f"| {condition.name} | " + " | ".join(cells) + " |")
    return lines


def by_label(groups: Groups) -> list[str]:
    """Return the false windows of each label under each condition."""
    labels = sorted(
        {
            (outcome.case.kind, outcome.case.label)
            for group in groups.values()
            for outcome in group
            if outcome.case.kind != dataset.CAMERA
        }
    )
    lines = [_heading("label", groups)]
    for kind, label in labels:
        cells = []
        for group in groups.values():
            own = [outcome for outcome in group if outcome.case.label == label and outcome.case.kind == kind]
            windows = sum(len(outcome.summary.active) for outcome in own)
            false = sum(len(outcome.false) for outcome in own)
            cells.append(
                f"{false} findings in {len(own)} captures" if kind == dataset.CAPTURE else share(false, windows, 2)
            )
        lines.append(f"| {label} ({kind}) | " + " | ".join(cells) + " |")
    return lines


def by_device(groups: Groups) -> list[str]:
    """Return the devices with false windows; an empty list if there are none."""
    rows = {}
    for column, group in enumerate(groups.values()):
        for outcome in group:
            if outcome.case.kind == dataset.CAMERA or not outcome.summary.active:
                continue
            row = rows.setdefault((outcome.case.label, outcome.case.device), [[0, 0] for _ in groups])
            row[column][0] += len(outcome.false)
            row[column][1] += len(outcome.summary.active)
    lines = [_heading("device", groups)]
    for (label, device), cells in sorted(rows.items()):
        if any(false for false, _ in cells):
            lines.append(f"| {device} ({label}) | " + " | ".join(_of(*cell) for cell in cells) + " |")
    return lines if len(lines) > 1 else []


def _heading(first, groups):
    names = [condition.name for condition in groups]
    return f"| {first} | " + " | ".join(names) + " |\n" + "|---" * (len(names) + 1) + "|"


def _of(part, whole):
    return f"{part} of {whole}" if whole else "-"


def _percent(part, whole):
    return f"{100 * part / whole:.0f} %" if whole else "-"
