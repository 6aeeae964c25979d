"""
What resembles a camera for ten seconds: one-way calls, phones that stream live, uploads.

Recordings of these are few and short, so each is also played again and again, and generated
ones (tools/traffic/patterns.py) stand beside them. What is generated says how the rules answer to a
shape, not how often real devices have it.
"""

import itertools
from dataclasses import dataclass, replace
from pathlib import Path

from tools.evaluation import dataset, run
from tools.evaluation.dataset import Case
from tools.traffic import air, packets, patterns, streams

SECONDS = 120
EARLY_S, LATE_S = 10, 60
ONE_WAY_SHARE = 0.75  # of the bytes sent by the device
GENERATED_LABEL = "generated"

# name -> patterns, each played with several seeds and sizes. "turned": what the device sends is sent to it
# instead; "role": it is the access point.
GENERATED = {
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
    "download": [{"kind": "upload", "kbps": rate, "turned": True} for rate in (1000, 20000)],
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
        {"kind": "video_download", "kbps": 5000, "turned": True, "role": air.AP},
        {"kind": "web", "turned": True, "role": air.AP},
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
    """What stood for one look-alike, in seconds from its first frame."""

    group: str
    made: bool
    raised_s: float | None
    at_early: bool
    at_late: bool
    fits: tuple  # innocent causes that fitted when it was last spoken of


def recorded_groups(outcomes) -> dict:
    """{group: cases} of the recorded cameras, and of the recordings that resemble one in who sends."""
    groups = {name: [] for name in (CAMERA, PPPP_CAMERA, IDLE_CAMERA, ONE_WAY_CALL, TWO_WAY_CALL, UPLOAD)}
    for one in outcomes:
        words = one.case.label.lower()
        share = one.summary.up_bytes / max(1, one.summary.up_bytes + one.summary.down_bytes)
        if one.case.kind == dataset.CAMERA and one.summary.sessions:
            groups[PPPP_CAMERA if one.summary.longest_up_bytes <= packets.PPPP_LONGEST_MPDU else CAMERA].append(
                one.case
            )
        elif one.case.kind == dataset.IDLE:
            groups[IDLE_CAMERA].append(one.case)
        elif one.case.kind != dataset.NEGATIVE:
            continue
        elif "call" in words:
            groups[ONE_WAY_CALL if share >= ONE_WAY_SHARE else TWO_WAY_CALL].append(one.case)
        elif "upload" in words:
            groups[UPLOAD].append(one.case)
    return groups


def list_jobs(outcomes, seed) -> list:
    """[(group, what, seed, part), ...] for judge(): recordings as they are, the same looped, and generated ones."""
    made = []
    sessions = {one.case: one.summary.sessions for one in outcomes}
    for group, cases in recorded_groups(outcomes).items():
        if group not in CAMERAS:
            made += [(group, case, seed, None) for case in cases]
        for case in cases:
            # of a camera its longest session, of anything else all there is
            longest = max(sessions[case], key=lambda one: one.end_s - one.start_s, default=None)
            is_camera = longest and group in (CAMERA, PPPP_CAMERA)
            part = (longest.start_s, longest.end_s) if is_camera else (0, streams.LONGEST_S)
            made.append((group + ", played again and again", case, seed, part))
    for group, specs in GENERATED.items():
        made += [(group, spec, seed * 100 + number, None) for spec in specs for number in range(SEEDS_EACH)]
    return made


def judge(group, what, seed, part) -> Verdict:
    """
    Play one look-alike on its channel and say what stood early and late.

    what  a Case, or a pattern
    part  (from_s, to_s) of a recording that is played again and again; None plays it once, whole
    """
    if isinstance(what, dict):
        role = what.get("role", air.STATION)
        case = Case(
            Path(what["kind"]), dataset.NEGATIVE, GENERATED_LABEL, f"{what}", what["kind"], GENERATED_LABEL, role
        )
        is_phone = role == air.STATION and (what["kind"] in patterns.PHONES or what["kind"] == "upload")
        frames = _made(what, seed)
    else:
        case, is_phone = what, what.kind == dataset.NEGATIVE
        frames = _again(case.path, *part) if part else _from_first(streams.frames(case.path))
    outcome = run.play_frames(replace(case, kind=dataset.NEGATIVE), frames, run.Condition("look-alike"), seed, is_phone)
    spans = outcome.spans
    fits = tuple(outcome.verdicts[-1][3]) if outcome.verdicts else ()
    return Verdict(
        group,
        isinstance(what, dict),
        spans[0][0] if spans else None,
        any(start <= EARLY_S < end for start, end in spans),
        any(start <= LATE_S < end for start, end in spans),
        fits,
    )


def _made(what, seed):
    """The frames of one of GENERATED."""
    spec = {name: value for name, value in what.items() if name not in ("role", "turned")}
    for t_s, up, length in patterns.frames({**spec, "duration_s": SECONDS}, seed):
        yield t_s, 1 - up if what.get("turned") else up, length


def _from_first(frames):
    """The frames, from the first of them at 0."""
    first_s = None
    for t_s, *rest in frames:
        first_s = t_s if first_s is None else first_s
        yield (t_s - first_s, *rest)


def _again(path, from_s=0, to_s=streams.LONGEST_S):
    """A part of a recording, pauses of more than 2 s taken out, again and again until SECONDS are full."""
    part, at_s, last_s = [], 0.0, None
    for t_s, up, length, rssi in streams.frames(path):
        if t_s < from_s:
            continue
        at_s += 0.0 if last_s is None else min(2.0, max(0.0, t_s - last_s))
        last_s = t_s
        if at_s > SECONDS or t_s >= to_s:
            break
        part.append((at_s, up, length, rssi))
    length_s = at_s + 0.05
    for number in itertools.count() if part else ():
        for t_s, *rest in part:
            if number * length_s + t_s > SECONDS:
                return
            yield (number * length_s + t_s, *rest)


def confusion(verdicts) -> list:
    """Lines of a table: what was said in the end of each group, by the second stage."""
    ends = ("never raised", "raised, cleared by 60 s", "standing at 60 s, an innocent cause fits", "standing at 60 s")
    lines = ["| what it is | " + " | ".join(ends) + " |", "|---" * 5 + "|"]
    groups = {}
    for one in verdicts:
        row = groups.setdefault(f"{one.group} (generated)" if one.made else one.group, [0, 0, 0, 0])
        if one.raised_s is None:
            row[0] += 1
        elif not one.at_late:
            row[1] += 1
        else:
            row[2 if one.fits else 3] += 1
    return lines + [f"| {group} | " + " | ".join(str(count) for count in row) + " |" for group, row in groups.items()]


def table(verdicts) -> list:
    """Lines of a table: each group with how many were raised, and stood early and late."""
    groups = {}
    for one in verdicts:
        groups.setdefault((one.group, one.made), []).append(one)
    lines = [
        f"| what it is | played | raised at any time | standing at {EARLY_S} s | standing at {LATE_S} s | innocent cause that fitted |",
        "|---|---|---|---|---|---|",
    ]
    for (group, made), found in groups.items():
        causes = sorted({cause for one in found for cause in one.fits})
        lines.append(
            f"| {group}{' (generated)' if made else ''} | {len(found)} | {sum(one.raised_s is not None for one in found)} "
            f"| {sum(one.at_early for one in found)} | {sum(one.at_late for one in found)} | {', '.join(causes) or '-'} |"
        )
    return lines
