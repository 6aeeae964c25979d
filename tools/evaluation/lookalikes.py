"""
Look-alikes, which resemble a camera for ten seconds: one-way calls, phones that stream live, uploads.

There are few and short recordings of them, so each is also looped, and generated ones are added
(tools/traffic/patterns.py). A generated look-alike shows how the rules respond to a shape, not how often
real devices have that shape.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tools.evaluation import dataset, run
from tools.evaluation.dataset import Case
from tools.traffic import air, packets, patterns, streams

PAUSE_S = 2.0  # of a loop, at most
SECONDS = 120
EARLY_S, LATE_S = 10, 60
ONE_WAY_SHARE = 0.75  # of the bytes sent by the device
GENERATED_LABEL = "generated"

# group -> patterns, each played with SEEDS_EACH seeds. "reversed": with uplink and downlink exchanged; "role": the
# device is the access point.
GENERATED: dict[str, list[dict[str, Any]]] = {
    "two-way call": [{"kind": "call", "up_kbps": rate, "down_kbps": rate} for rate in (300, 900, 2000)],
    "conference": [{"kind": "call", "up_kbps": up, "down_kbps": down} for up, down in ((800, 2500), (1500, 800))],
    "one-way call": [{"kind": "call_one_way", "kbps": rate} for rate in (200, 500, 1000, 2000)],
    "voice call": [{"kind": "voice", "kbps": rate} for rate in (24, 64)],
    "phone streaming live": [
        {"kind": "live_stream", "kbps": rate, "rate": kind}
        for rate in (800, 2500, 5000)
        for kind in (packets.CBR, packets.VBR)
    ],
    "bulk upload": [{"kind": "upload", "kbps": rate} for rate in (300, 1000, 4000, 15000)],
    "photo backup": [
        {"kind": "photo_backup", "kbps": rate, "every_s": pause} for rate in (1000, 6000) for pause in (0, 5)
    ],
    "upload over QUIC": [{"kind": "quic_upload", "kbps": rate} for rate in (500, 3000, 12000)],
    "laptop's backup to a network drive": [{"kind": "drive_backup", "kbps": rate} for rate in (2000, 10000, 30000)],
    "phone's screen on a television": [{"kind": "screen_mirror", "kbps": rate} for rate in (2000, 6000)],
    "slides shown from a laptop": [{"kind": "screen_share", "kbps": rate} for rate in (300, 1000)],
    "download": [{"kind": "upload", "kbps": rate, "reversed": True} for rate in (1000, 20000)],
    "web": [{"kind": "web"}, {"kind": "web", "page_kb": 6000, "think_s": 3}],
    "video on a TV": [{"kind": "video_download", "kbps": rate} for rate in (2000, 12000)],
    "game": [{"kind": "game"}],
    "camera": [
        {"kind": "camera", "kbps": rate, "rate": kind, "acks": acks}
        for rate in (150, 600, 2500)
        for kind, acks in ((packets.CBR, patterns.TCP), (packets.VBR, patterns.UDP))
    ],
    "PPPP camera": [{"kind": "camera_pppp", "kbps": rate} for rate in (150, 400, 900)],
    "camera of single pictures": [
        {"kind": "camera_mjpeg", "fps": fps, "picture_kb": size} for fps, size in ((25, 6), (12, 8), (2, 20), (0.5, 40))
    ],
    "camera that uploads pieces": [{"kind": "camera_pieces", "piece_s": length} for length in (1, 2, 4)],
    "camera, its own access point": [
        {"kind": "camera_pppp", "kbps": 400, "role": air.AP},
        {"kind": "camera_pppp", "kbps": 1500, "role": air.AP},
        {"kind": "camera", "kbps": 1200, "acks": patterns.UDP, "role": air.AP},
        {"kind": "camera_mjpeg", "role": air.AP},
    ],
    "download from an access point": [
        {"kind": "upload", "kbps": 3000, "role": air.AP},
        {"kind": "quic_upload", "kbps": 3000, "role": air.AP},
        {"kind": "video_download", "kbps": 5000, "reversed": True, "role": air.AP},
        {"kind": "web", "reversed": True, "role": air.AP},
    ],
    "watched call through an access point": [
        {"kind": "call_one_way", "kbps": rate, "role": air.AP} for rate in (600, 1500)
    ],
    "camera that sends clips": [{"kind": "camera_clips", "clip_s": length, "every_s": 40} for length in (10, 20)],
}
CAMERA, PPPP_CAMERA, IDLE_CAMERA = "recorded camera", "recorded PPPP camera", "recorded idle camera"
ONE_WAY_CALL, TWO_WAY_CALL, UPLOAD = "recorded one-way call", "recorded two-way call", "recorded upload"
CAMERAS = (CAMERA, PPPP_CAMERA, IDLE_CAMERA)
SEEDS_EACH = 4


@dataclass
class Verdict:
    """The findings on one look-alike; times are from its first frame."""

    group: str
    generated: bool
    raised_s: float | None
    at_early: bool  # a finding stood at EARLY_S
    at_late: bool  # a finding stood at LATE_S
    fits: tuple[str, ...]  # innocent causes that fitted in the last event of the finding


def recorded_groups(outcomes: Iterable[run.Outcome]) -> dict[str, list[Case]]:
    """Return {group: cases} of the recorded cameras, calls and uploads."""
    groups: dict[str, list[Case]] = {
        name: [] for name in (CAMERA, PPPP_CAMERA, IDLE_CAMERA, ONE_WAY_CALL, TWO_WAY_CALL, UPLOAD)
    }
    for outcome in outcomes:
        label = outcome.case.label.lower()
        share = outcome.summary.up_bytes / max(1, outcome.summary.up_bytes + outcome.summary.down_bytes)
        if outcome.case.kind == dataset.CAMERA and outcome.summary.sessions:
            is_pppp = outcome.summary.longest_up_bytes <= packets.PPPP_LONGEST_MPDU
            groups[PPPP_CAMERA if is_pppp else CAMERA].append(outcome.case)
        elif outcome.case.kind == dataset.IDLE:
            groups[IDLE_CAMERA].append(outcome.case)
        elif outcome.case.kind != dataset.NEGATIVE:
            continue
        elif "call" in label:
            groups[ONE_WAY_CALL if share >= ONE_WAY_SHARE else TWO_WAY_CALL].append(outcome.case)
        elif "upload" in label:
            groups[UPLOAD].append(outcome.case)
    return groups


def list_jobs(outcomes: Sequence[run.Outcome], seed: int) -> list[tuple]:
    """Return the arguments of judge() for each recorded look-alike, the same looped, and each generated one."""
    jobs = []
    sessions = {outcome.case: outcome.summary.sessions for outcome in outcomes}
    for group, cases in recorded_groups(outcomes).items():
        if group not in CAMERAS:
            jobs += [(group, case, seed, None) for case in cases]
        for case in cases:
            # Of a camera its longest session, of any other device the whole recording.
            longest = max(sessions[case], key=lambda session: session.end_s - session.start_s, default=None)
            section = (0, streams.LONGEST_S)
            if longest and group in (CAMERA, PPPP_CAMERA):
                section = (longest.start_s, longest.end_s)
            jobs.append((group + ", played again and again", case, seed, section))
    for group, specs in GENERATED.items():
        jobs += [(group, spec, seed * 100 + number, None) for spec in specs for number in range(SEEDS_EACH)]
    return jobs


def judge(group: str, source: Case | dict[str, Any], seed: int, section: tuple[float, float] | None) -> Verdict:
    """
    Play one look-alike on its channel and return which findings stood early and late.

    source   a Case, or a pattern
    section  (from_s, to_s) of a recording to be looped; None plays it once, whole
    """
    if isinstance(source, dict):
        role = source.get("role", air.STATION)
        kind = source["kind"]
        case = Case(Path(kind), dataset.NEGATIVE, GENERATED_LABEL, f"{source}", kind, GENERATED_LABEL, role)
        is_phone = role == air.STATION and (kind in patterns.PHONES or kind == "upload")
        frames = _generated(source, seed)
    else:
        case, is_phone = source, source.kind == dataset.NEGATIVE
        frames = loop(case.path, *section, SECONDS) if section else _from_first(streams.frames(case.path))
    outcome = run.play_frames(replace(case, kind=dataset.NEGATIVE), frames, run.Condition("look-alike"), seed, is_phone)
    spans = outcome.spans
    fits = tuple(outcome.verdicts[-1][3]) if outcome.verdicts else ()
    return Verdict(
        group,
        isinstance(source, dict),
        spans[0][0] if spans else None,
        any(start <= EARLY_S < end for start, end in spans),
        any(start <= LATE_S < end for start, end in spans),
        fits,
    )


def _generated(source, seed):
    """Yield the frames of one pattern of GENERATED."""
    spec = {name: value for name, value in source.items() if name not in ("role", "reversed")}
    for t_s, up, length in patterns.frames({**spec, "duration_s": SECONDS}, seed):
        yield t_s, 1 - up if source.get("reversed") else up, length


def _from_first(frames):
    """Shift the times of frames so that the first is at 0."""
    first_s = None
    for t_s, *rest in frames:
        first_s = t_s if first_s is None else first_s
        yield (t_s - first_s, *rest)


def loop(path: Path, from_s: float, to_s: float, seconds: float, pause_s: float = PAUSE_S) -> Iterator[tuple]:
    """
    Yield the frames of a section of a recording again and again for some seconds.

    from_s, to_s  the section, seconds from the recording's start
    pause_s       longer pauses are shortened to this
    """
    section, at_s, last_s = [], 0.0, None
    for t_s, up, length, rssi in streams.frames(path):
        if t_s < from_s:
            continue
        if t_s >= to_s:  # the pause before this frame is not part of the section
            break
        at_s += 0.0 if last_s is None else min(pause_s, max(0.0, t_s - last_s))
        last_s = t_s
        if at_s > seconds:
            break
        section.append((at_s, up, length, rssi))
    length_s = at_s + 0.05
    for number in itertools.count() if section else ():
        for t_s, *rest in section:
            if number * length_s + t_s > seconds:
                return
            yield (number * length_s + t_s, *rest)


def confusion(verdicts: Iterable[Verdict]) -> list[str]:
    """Return the lines of a table of the final findings of each group, by the second stage."""
    endings = (
        "never raised",
        "raised, cleared by 60 s",
        "standing at 60 s, an innocent cause fits",
        "standing at 60 s",
    )
    lines = ["| what it is | " + " | ".join(endings) + " |", "|---" * 5 + "|"]
    groups: dict[str, list[int]] = {}
    for verdict in verdicts:
        row = groups.setdefault(f"{verdict.group} (generated)" if verdict.generated else verdict.group, [0, 0, 0, 0])
        if verdict.raised_s is None:
            row[0] += 1
        elif not verdict.at_late:
            row[1] += 1
        else:
            row[2 if verdict.fits else 3] += 1
    return lines + [f"| {group} | " + " | ".join(str(count) for count in row) + " |" for group, row in groups.items()]


def table(verdicts: Iterable[Verdict]) -> list[str]:
    """Return the lines of a table of each group: how many were raised, and stood early and late."""
    groups: dict[tuple[str, bool], list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault((verdict.group, verdict.generated), []).append(verdict)
    lines = [
        f"| what it is | played | raised at any time | standing at {EARLY_S} s | standing at {LATE_S} s | innocent "
        "cause that fitted |",
        "|---|---|---|---|---|---|",
    ]
    for (group, is_generated), members in groups.items():
        causes = sorted({cause for verdict in members for cause in verdict.fits})
        lines.append(
            f"| {group}{' (generated)' if is_generated else ''} | {len(members)} | "
            f"{sum(verdict.raised_s is not None for verdict in members)} "
            f"| {sum(verdict.at_early for verdict in members)} | {sum(verdict.at_late for verdict in members)} | "
            f"{', '.join(causes) or '-'} |"
        )
    return lines
