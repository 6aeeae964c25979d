"""The figures of many outcomes, as lines of Markdown tables."""

from tools.evaluation import anchors, counting, dataset

PPPP_BYTES = 1114
LONG_S = 30
ANSWER_S = 30


def by_condition(outcomes) -> dict:
    """{condition: its outcomes}, in the order in which they were made."""
    found = {}
    for one in outcomes:
        found.setdefault(one.condition, []).append(one)
    return found


def summary(outcomes) -> list:
    """One line for each condition, and the published rules beside the first of them."""
    lines = [
        "| rule | heard | sessions found | of them >= 30 s, within 30 s | median delay, s | 90 % | false windows | idle camera windows |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for condition, group in by_condition(outcomes).items():
        lines.append(_row("Ansim", condition.name, sessions_of(group), group))
        if not condition.hops:
            lines += [_anchor_row(name, condition.name, group) for name in anchors.NAMES]
    return lines


def sessions_of(outcomes) -> list:
    return [session for one in outcomes if one.case.kind == dataset.CAMERA for session in one.summary.sessions]


def _row(rule, heard, sessions, group):
    delays = sorted(one.delay_s for one in sessions if one.delay_s is not None)
    long = [one for one in sessions if one.end_s - one.start_s >= LONG_S]
    in_time = [one for one in long if one.delay_s is not None and one.delay_s <= ANSWER_S]
    false = _windows(group, dataset.NEGATIVE)
    idle = _windows(group, dataset.IDLE)
    return (
        f"| {rule} | {heard} | {share(sum(one.detected for one in sessions), len(sessions))} | {share(len(in_time), len(long))} "
        f"| {_at(delays, 0.5)} | {_at(delays, 0.9)} | {share(*false, 2)} | {share(*idle, 2)} |"
    )


def _anchor_row(name, heard, group):
    sessions = sessions_of(group)
    delays = []
    for one in group:
        if one.case.kind == dataset.CAMERA:
            delays += [
                anchors.detection_delay(session, one.anchors[name], counting.GRACE_S)
                for session in one.summary.sessions
            ]
    found = sorted(one for one in delays if one is not None)
    long = [delay for delay, session in zip(delays, sessions, strict=True) if session.end_s - session.start_s >= LONG_S]
    in_time = sum(one is not None and one <= ANSWER_S for one in long)
    rows = []
    for kind in (dataset.NEGATIVE, dataset.IDLE):
        own = [one for one in group if one.case.kind == kind]
        flagged = sum(len(set(one.summary.active) & set(one.anchors[name])) for one in own)
        rows.append(share(flagged, sum(len(one.summary.active) for one in own), 2))
    return (
        f"| {name} | {heard} | {share(len(found), len(sessions))} | {share(in_time, len(long))} "
        f"| {_at(found, 0.5)} | {_at(found, 0.9)} | {rows[0]} | {rows[1]} |"
    )


def _windows(group, kind):
    own = [one for one in group if one.case.kind == kind]
    return sum(len(one.false) for one in own), sum(len(one.summary.active) for one in own)


def share(part, whole, digits=1) -> str:
    """ "67 of 69 (97.1 %)"."""
    return f"{part} of {whole} ({100 * part / whole:.{digits}f} %)" if whole else "none"


def _at(values, quantile):
    return f"{values[min(len(values) - 1, int(len(values) * quantile))]:.1f}" if values else "-"


def by_model(groups) -> list:
    """Sessions found of each camera model under each condition; PPPP-type cameras summed up below."""
    models = sorted({one.case.model for group in groups.values() for one in group if one.case.kind == dataset.CAMERA})
    lines = [_heading("camera model", groups)]
    for model in models:
        cells = []
        for group in groups.values():
            sessions = [
                s
                for one in group
                if one.case.kind == dataset.CAMERA and one.case.model == model
                for s in one.summary.sessions
            ]
            cells.append(_of(sum(s.detected for s in sessions), len(sessions)))
        if any(cell != "-" for cell in cells):
            lines.append(f"| {model} | " + " | ".join(cells) + " |")
    for name, is_pppp in ((f"**PPPP type** (never above {PPPP_BYTES} B)", True), ("**others**", False)):
        cells = []
        for group in groups.values():
            sessions = [one for one in sessions_of(group) if (one.longest_up_bytes <= PPPP_BYTES) == is_pppp]
            cells.append(share(sum(one.detected for one in sessions), len(sessions)))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def missed(groups) -> list:
    """A sentence for each condition with the sessions that were not found."""
    said = []
    for condition, group in groups.items():
        names = [
            f"{one.case.id} ({session.start_s} to {session.end_s} s)"
            for one in group
            if one.case.kind == dataset.CAMERA
            for session in one.summary.sessions
            if not session.detected
        ]
        if names:
            shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
            said.append(f"Not found {condition.name}: {shown}.")
    return said


def delays(groups) -> list:
    """Quantiles of the delay, and the share of all sessions found within some seconds."""
    lines = ["| heard | 50 % | 90 % | 99 % | within 5 s | 10 s | 15 s | 30 s | already standing |", "|---" * 9 + "|"]
    for condition, group in groups.items():
        sessions = sessions_of(group)
        values = sorted(one.delay_s for one in sessions if one.delay_s is not None)
        cells = [_at(values, part) for part in (0.5, 0.9, 0.99)]
        cells += [_percent(sum(value <= limit for value in values), len(sessions)) for limit in (5, 10, 15, 30)]
        cells.append(str(sum(one.held for one in sessions)))
        lines.append(f"| {condition.name} | " + " | ".join(cells) + " |")
    return lines


def by_label(groups) -> list:
    """False windows of each label under each condition."""
    labels = sorted(
        {
            (one.case.kind, one.case.label)
            for group in groups.values()
            for one in group
            if one.case.kind != dataset.CAMERA
        }
    )
    lines = [_heading("label", groups)]
    for kind, label in labels:
        cells = []
        for group in groups.values():
            own = [one for one in group if one.case.label == label and one.case.kind == kind]
            windows = sum(len(one.summary.active) for one in own)
            false = sum(len(one.false) for one in own)
            cells.append(
                f"{false} findings in {len(own)} captures" if kind == dataset.CAPTURE else share(false, windows, 2)
            )
        lines.append(f"| {label} ({kind}) | " + " | ".join(cells) + " |")
    return lines


def by_device(groups) -> list:
    """The devices with any false window; empty if there is none."""
    rows = {}
    for place, group in enumerate(groups.values()):
        for one in group:
            if one.case.kind == dataset.CAMERA or not one.summary.active:
                continue
            row = rows.setdefault((one.case.label, one.case.device), [[0, 0] for _ in groups])
            row[place][0] += len(one.false)
            row[place][1] += len(one.summary.active)
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
