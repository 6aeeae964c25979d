"""
False notices, false alarms and camera sessions by kind, device and collection, with confidence limits.

    outcomes = [run.play(case, CONDITION, seed) for case in cases]
    repeats = [play_repeat(*job) for job in list_jobs(outcomes, seed)]
    text = markdown(command, outcomes, repeats)

Everything but further repeats of camera sessions is heard on channel and complete. A *notice* counts whenever a
finding stands, of either level.

repeat of a camera session   the session again and again for REPEAT_S: a camera that goes on
repeat of another recording  one that is shorter than a visit and has two active windows or more, again and again for
                             a visit: a device in use all the time
"""

import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from tools.evaluation import anchors, counting, dataset, lookalikes, run
from tools.evaluation.dataset import Case
from tools.evaluation.run import Outcome
from tools.traffic import streams

BEGIN = "<!-- levels: begin (written by tools/evaluate.py --levels; changes by hand are lost) -->"
END = "<!-- levels: end -->"
CONDITION = run.Condition("on channel")
REPEAT_S = 110  # of a camera session
REPEAT_WINDOWS = 2  # active windows of another recording, at least: repeating a second would invent a device
NOTICE_S, LATE_NOTICE_S = 10, 30
ALARM_S, LATE_ALARM_S = 60, 90
WORST_DEVICES = 8
UNBROKEN_S = 60

METHOD = """
Each recording is played to the sensor's detectors once, heard on its channel, with no frame lost. A *window* is
10 s, starting every 5 s; it is *active* with 20 frames of the device or more. It counts as a false notice if a
finding of either level stands in it, and as a false alarm if an alarm stands. *Limit* is the upper end of the Wilson
95 % interval. It assumes independent windows; those of one recording are not, so the real uncertainty is larger. An
alarm needs about a minute of a notice: only the windows *after 60 s* of unbroken activity could easily have one.
"""

HOURS = """
An hour is an hour of active air (720 active windows) and counts the findings in it, not their windows. Devices that
were never active are left out. The limits by device do not have the fault of the windows; but there are few devices,
many recordings are of one application, and each phone or laptop counts as often as its folder has a name for it.
"""

VISITS = """
A *recorded* visit is three minutes of a recording (less at its end) in which the device was active in one window or
more. Most calls, uploads and applications were recorded for less time than an alarm needs. So each recording that is
shorter than a visit and has two active windows or more is also *repeated*, again and again for three minutes: the
device goes on for the whole visit. The seams of a repetition can look like a rhythm.
"""

IN_SAMPLE = """
Nothing was refitted for this table: each collection is judged with the same weights, gate and waiting times, and
all of these were chosen with all of these collections in view (the weights on the first folder of recordings, the
gate and the waiting times on all). So these figures are **in-sample**: they show how evenly the detector fits the
collections, not how it performs on one that it has not seen.
"""


class Repeat(NamedTuple):
    """What stood while a recording, or a session of a camera, was played again and again."""

    case: Case
    from_s: int  # start of the session in the recording, 0 for other recordings
    notice_s: float | None  # time of the first finding, None if there was none
    alarm_s: float | None  # time of the first alarm
    pause_s: float = math.inf  # longer pauses were shortened to this
    condition: run.Condition = CONDITION


class _Tally:
    """Sums of some outcomes."""

    def __init__(self, outcomes: Iterable[Outcome]):
        self.outcomes = list(outcomes)
        self.recordings = len(self.outcomes)
        self.windows = sum(len(outcome.summary.active) for outcome in self.outcomes)
        self.notices = sum(len(outcome.false) for outcome in self.outcomes)
        self.alarms = sum(len(outcome.false_alarms) for outcome in self.outcomes)
        self.five = sum(
            len(set(outcome.summary.active) & set(outcome.anchors.get(anchors.FIVE, ()))) for outcome in self.outcomes
        )
        self.unbroken = sum(
            len(counting.windows_after(outcome.summary.active, UNBROKEN_S)) for outcome in self.outcomes
        )
        self.hours = self.windows * counting.STEP_S / 3600
        self.begun = sum(counting.spans_begun(outcome.summary.active, outcome.spans) for outcome in self.outcomes)
        self.alarms_begun = sum(
            counting.spans_begun(outcome.summary.active, outcome.alarms) for outcome in self.outcomes
        )

    def devices(self) -> dict[str, tuple[int, int, int]]:
        """Return {device: (active windows, with a notice, with an alarm)} of the devices with an active window."""
        devices: dict[str, tuple[int, int, int]] = {}
        for outcome in self.outcomes:
            if outcome.summary.active:
                own = len(outcome.summary.active), len(outcome.false), len(outcome.false_alarms)
                before = devices.get(outcome.case.device, (0, 0, 0))
                devices[outcome.case.device] = before[0] + own[0], before[1] + own[1], before[2] + own[2]
        return devices

    def visits(self) -> tuple[int, int, int]:
        """Return the number of recorded visits: (all, with a notice, with an alarm)."""
        visits = notices = alarms = 0
        for outcome in self.outcomes:
            for starts in counting.visits(outcome.summary.active):
                visits += 1
                notices += not set(starts).isdisjoint(outcome.false)
                alarms += not set(starts).isdisjoint(outcome.false_alarms)
        return visits, notices, alarms


def list_jobs(
    outcomes: Iterable[Outcome], seed: int, conditions: Sequence[run.Condition] = (), count: int = 1
) -> list[tuple]:
    """
    Return the arguments of play_repeat() for each camera session and each other short recording.

    conditions  under which camera sessions are also repeated, `count` times with other random numbers
    """
    jobs = []
    received = [(math.inf, CONDITION, seed), (lookalikes.PAUSE_S, CONDITION, seed)]
    received += [(lookalikes.PAUSE_S, condition, seed + more) for condition in conditions for more in range(count)]
    for outcome in outcomes:
        if outcome.case.kind == dataset.CAMERA:
            jobs += [
                (outcome.case, session.start_s, session.end_s, REPEAT_S, *how)
                for session in outcome.summary.sessions
                for how in received
            ]
        elif len(outcome.summary.active) >= REPEAT_WINDOWS and outcome.seconds < counting.VISIT_S:
            jobs.append((outcome.case, 0, streams.LONGEST_S, counting.VISIT_S, math.inf, CONDITION, seed))
    return jobs


def play_repeat(
    case: Case,
    from_s: int,
    to_s: int,
    seconds: int,
    pause_s: float,
    condition: run.Condition,
    seed: int,
    make_engine: Callable[[], Any] | None = None,
) -> Repeat:
    """Play a section of a recording again and again under one condition and return the Repeat."""
    frames = lookalikes.loop(case.path, from_s, to_s, seconds, pause_s)
    outcome = run.play_frames(case, frames, condition, seed, make_engine=make_engine)
    notice_s, alarm_s = (spans[0][0] if spans else None for spans in (outcome.spans, outcome.alarms))
    return Repeat(case, from_s, notice_s, alarm_s, pause_s, condition)


def markdown(command: str, outcomes: Sequence[Outcome], repeats: Sequence[Repeat]) -> str:
    """
    Return the section of the document, with its markers.

    command   the command line that made it
    outcomes  of run.play() with CONDITION, captures left out
    repeats   of play_repeat() on list_jobs()
    """
    parts = [
        BEGIN,
        f"Made by `{command}`.",
        paragraph(METHOD),
        *joined(by_kind(outcomes)),
        paragraph(worst(outcomes)),
        paragraph("**An hour of active air, and devices.** " + HOURS),
        *joined(by_hour(outcomes)),
        paragraph("**A visit of three minutes beside one such device.** " + VISITS),
        *joined(by_visit(outcomes, repeats)),
        paragraph(repeats_with_alarm(repeats)),
        *joined(cameras(outcomes, repeats)),
        paragraph("**By collection.** " + IN_SAMPLE),
        *joined(by_collection(outcomes, repeats)),
        END,
    ]
    return "\n\n".join(parts) + "\n"


def by_kind(outcomes: Iterable[Outcome]) -> list[str]:
    """Return a line for each kind of device without a camera, their sum, and the cameras that do not stream."""
    lines = [
        "| kind | recordings | active windows | with a false notice | limit | five-threshold rule | with a false "
        f"alarm | limit | after {UNBROKEN_S} s |",
        "|---" * 9 + "|",
    ]
    lines += [
        f"| {name} | {tally.recordings} | {tally.windows:,} | {_share(tally.notices, tally.windows)} | "
        f"{_limit(tally.notices, tally.windows)} | {tally.five} | {tally.alarms} | "
        f"{_limit(tally.alarms, tally.windows)} | {tally.unbroken:,} |"
        for name, tally in _rows(outcomes)
    ]
    return lines


def by_hour(outcomes: Iterable[Outcome]) -> list[str]:
    """Return a line for each kind: notices and alarms by hour of active air, and devices that had one."""
    lines = [
        "| kind | hours | notices an hour | alarms an hour | active devices | with a notice | limit | with an alarm | "
        "limit |",
        "|---" * 9 + "|",
    ]
    for name, tally in _rows(outcomes):
        devices = tally.devices().values()
        noticed, alarmed = sum(row[1] > 0 for row in devices), sum(row[2] > 0 for row in devices)
        lines.append(
            f"| {name} | {tally.hours:.1f} | {_rate(tally.begun, tally.hours)} | "
            f"{_rate(tally.alarms_begun, tally.hours)} | {len(devices)} | {noticed} | "
            f"{_limit(noticed, len(devices))} | {alarmed} | {_limit(alarmed, len(devices))} |"
        )
    return lines


def worst(outcomes: Iterable[Outcome]) -> str:
    """Return sentences that name the worst kind and the worst devices."""
    kinds = [(name, tally) for name, tally in _kinds(outcomes) if tally.windows]
    if not any(tally.notices for _, tally in kinds):
        return "No device without a camera had a notice."
    name, tally = max(kinds, key=lambda row: row[1].notices / row[1].windows)
    devices = [
        (notices, windows, alarms, device, label)
        for label, kind in kinds
        for device, (windows, notices, alarms) in kind.devices().items()
        if notices
    ]
    devices.sort(key=lambda row: (-row[2], -row[0], row[1], row[3]))
    listed = [
        f"{device} ({label}, {notices} of {windows} windows" + (f", {alarms} with an alarm)" if alarms else ")")
        for notices, windows, alarms, device, label in devices[:WORST_DEVICES]
    ]
    more = f", and {len(devices) - WORST_DEVICES} others" if len(devices) > WORST_DEVICES else ""
    above = [name for name, kind in kinds if kind.notices > kind.five]
    return (
        f"The worst kind is `{name}`: {_share(tally.notices, tally.windows)} of its windows. The worst device is "
        f"{listed[0]}. "
        + (f"The next: {', '.join(listed[1:])}{more}. " if listed[1:] else "")
        + (
            f"More windows than the five-threshold rule: {', '.join(f'`{name}`' for name in above)}."
            if above
            else "No kind has more windows with a notice than the five-threshold rule flags."
        )
    )


def by_visit(outcomes: Iterable[Outcome], repeats: Sequence[Repeat]) -> list[str]:
    """Return a line for each kind: recorded and repeated visits with a notice and with an alarm."""
    lines = [
        "| kind | recorded visits | with a notice | limit | with an alarm | limit | repeated visits | with a notice | "
        "limit | with an alarm | limit |",
        "|---" * 11 + "|",
    ]
    for name, tally in _rows(outcomes):
        visits, notices, alarms = tally.visits()
        cases = {outcome.case for outcome in tally.outcomes}
        own = [repeat for repeat in repeats if repeat.case in cases]
        repeated = len(own), sum(r.notice_s is not None for r in own), sum(r.alarm_s is not None for r in own)
        cells = [
            f"{whole:,} | {_share(noticed, whole)} | {_limit(noticed, whole)} | {alarmed} | {_limit(alarmed, whole)}"
            for whole, noticed, alarmed in ((visits, notices, alarms), repeated)
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def repeats_with_alarm(repeats: Iterable[Repeat]) -> str:
    """Return a sentence that names the repeated recordings of devices without a camera that had an alarm."""
    alarms = sorted(
        (repeat.case.label, repeat.case.id, repeat.alarm_s)
        for repeat in repeats
        if repeat.alarm_s is not None and repeat.case.kind != dataset.CAMERA
    )
    listed = ", ".join(f"{name} ({label}, after {alarm_s:.0f} s)" for label, name, alarm_s in alarms)
    return f"Repeated recordings with an alarm: {listed or 'none'}."


def cameras(outcomes: Iterable[Outcome], repeats: Sequence[Repeat]) -> list[str]:
    """Return the share of camera sessions noticed and alarmed in time, and the names of those that were not."""
    sessions = [
        (outcome.case, session)
        for outcome in outcomes
        if outcome.case.kind == dataset.CAMERA
        for session in outcome.summary.sessions
    ]
    if not sessions:
        return ["There are no camera sessions."]
    own = [repeat for repeat in repeats if repeat.case.kind == dataset.CAMERA]
    models = {case.model for case, _ in sessions}
    late = [(case, session.start_s) for case, session in sessions if not _within(session.delay_s, NOTICE_S)]
    in_time = len(models) - len({case.model for case, _ in late})
    repeated: dict[str, list[Repeat]] = {}
    for repeat in own:
        pauses = "all pauses" if repeat.pause_s == math.inf else f"pauses of {repeat.pause_s:.0f} s at most"
        repeated.setdefault(f"repeated, {pauses}, {repeat.condition.name}", []).append(repeat)
    own = [repeat for repeat in own if repeat.pause_s == math.inf]
    quiet = [(repeat.case, repeat.from_s) for repeat in own if not _within(repeat.alarm_s, ALARM_S)]
    recorded = [
        _found([_within(session.delay_s, limit) for _, session in sessions]) for limit in (NOTICE_S, LATE_NOTICE_S)
    ]
    lines = [
        paragraph(
            f"**Cameras.** Sessions: {len(sessions)}, models: {len(models)}; in brackets the lower end of the Wilson "
            "95 % interval. A session is 8 s or more with 2 kB/s or more, with gaps of 3 s at most; *repeated* plays "
            f"it again and again for {REPEAT_S} s."
        ),
        "",
        f"| sessions | noticed within {NOTICE_S} s | {LATE_NOTICE_S} s | alarm within {ALARM_S} s | {LATE_ALARM_S} s |",
        "|---" * 5 + "|",
        "| as recorded, on channel | " + " | ".join(recorded) + " | - | - |",
    ]
    for name, group in repeated.items():
        cells = [_found([_within(row.notice_s, limit) for row in group]) for limit in (NOTICE_S, LATE_NOTICE_S)]
        cells += [_found([_within(row.alarm_s, limit) for row in group]) for limit in (ALARM_S, LATE_ALARM_S)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    last = f"Models with all sessions noticed within {NOTICE_S} s: {in_time} of {len(models)}."
    if late:
        last += f" Not within {NOTICE_S} s as recorded: {_names(late)}."
    if quiet:
        last += f" No alarm within {ALARM_S} s, repeated with all pauses: {_names(quiet)}."
    return [*lines, "", paragraph(last)]


def by_collection(outcomes: Iterable[Outcome], repeats: Sequence[Repeat]) -> list[str]:
    """
    Return a line for each collection: its false windows, and its camera sessions found in time.

    Collections without cameras and without a notice share the last line.
    """
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.case.collection, []).append(outcome)
    lines = [
        f"| collection | recordings | active windows | with a false notice | limit | five-threshold rule | "
        f"with a false alarm | limit | sessions noticed within {NOTICE_S} s | alarm within {ALARM_S} s, repeated |",
        "|---" * 10 + "|",
    ]
    others: list[Outcome] = []
    quiet = 0
    for name, group in sorted(groups.items()):
        if any(outcome.false or outcome.case.kind == dataset.CAMERA for outcome in group):
            lines.append(_collection(name, group, repeats))
        else:
            others += group
            quiet += 1
    return [*lines, _collection(f"others ({quiet})", others, repeats)] if quiet else lines


def _collection(name, group, repeats):
    tally = _Tally(outcome for outcome in group if outcome.case.kind == dataset.NEGATIVE)
    cases = {outcome.case for outcome in group if outcome.case.kind == dataset.CAMERA}
    seen = [
        _within(session.delay_s, NOTICE_S)
        for outcome in group
        if outcome.case in cases
        for session in outcome.summary.sessions
    ]
    alarmed = [
        _within(repeat.alarm_s, ALARM_S) for repeat in repeats if repeat.case in cases and repeat.pause_s == math.inf
    ]
    return (
        f"| {name} | {len(group)} | {tally.windows:,} | {_share(tally.notices, tally.windows)} | "
        f"{_limit(tally.notices, tally.windows)} | {tally.five} | {tally.alarms} | "
        f"{_limit(tally.alarms, tally.windows)} | {_of(seen)} | {_of(alarmed)} |"
    )


def _kinds(outcomes):
    """Return [(label, _Tally), ...] of the devices without a camera."""
    labels: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.case.kind == dataset.NEGATIVE:
            labels.setdefault(outcome.case.label, []).append(outcome)
    return [(label, _Tally(group)) for label, group in sorted(labels.items())]


def _rows(outcomes):
    """Return [(first cell, _Tally), ...] of a table by kind."""
    outcomes = list(outcomes)
    rows = [(f"`{label}`", tally) for label, tally in _kinds(outcomes)]
    rows.append(("all of these", _Tally(outcome for outcome in outcomes if outcome.case.kind == dataset.NEGATIVE)))
    idle = _Tally(outcome for outcome in outcomes if outcome.case.kind == dataset.IDLE)
    return [*rows, ("cameras that do not stream", idle)] if idle.recordings else rows


def _names(found):
    return ", ".join(f"{case.id} at {start_s} s ({case.model})" for case, start_s in found)


def _within(at_s, limit_s):
    return at_s is not None and at_s <= limit_s


def _of(flags):
    return f"{sum(flags)} of {len(flags)}" if flags else "-"


def _found(flags):
    found, low = sum(flags) / len(flags), counting.wilson(sum(flags), len(flags))[0]
    return f"{_of(flags)}, {_percent(found, math.floor)} ({_percent(low, math.floor)})"


def _share(part, whole):
    return f"{part} ({_percent(part / whole, round)})" if part and whole else str(part)


def _limit(part, whole):
    return _percent(counting.wilson(part, whole)[1], math.ceil) if whole else "-"


def _percent(share: float, rounded: Callable[[float], float]) -> str:
    """Return a share in percent with two digits or more; `rounded` keeps a limit on its safe side."""
    steps = 100 if share < 0.01 else 10 if share < 0.1 or 0.9 < share < 1 else 1
    value = rounded(round(share * 100 * steps, 6)) / steps
    return f"{value:.{len(str(steps)) - 1}f} %"


def _rate(count, hours):
    return f"{count / hours:.1f}" if hours else "-"


def paragraph(text):
    return textwrap.fill(" ".join(text.split()), 120, break_long_words=False, break_on_hyphens=False)


def joined(lines):
    return ["\n".join(lines)] if lines else []
