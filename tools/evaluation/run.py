"""
Play one recording to the detectors under one condition, and record their findings.

    outcome = run.play(case, Condition("on channel"), seed=1)
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ansim.finding import ALARM, CLEARED, RAISED, UPDATED
from ansim.frame_header import address_bytes
from tools.evaluation import counting, dataset
from tools.evaluation.anchors import Windows
from tools.evaluation.dataset import Case
from tools.traffic import air, playback, scene, streams


class Condition(NamedTuple):
    """How a recording is received."""

    name: str  # for tables
    hops: bool = False  # False: always on the emitter's channel; True: 13 channels as the firmware does
    loss: float = 0.0  # 0..1, share of frames lost
    burst_ms: float = 0.0  # mean length of a bad period; 0: frames are lost independently


CAMERA_KINDS = ("camera_stream", "camera_access_point", "camera_beacon")
HOP_MS = 13 * 350


@dataclass
class Outcome:
    """
    The findings on one recording under one condition.

    summary   of the frames sent, see counting.StreamSummary; its sessions are marked
    events    [(t_s, event, kind, subject, score, level), ...]
    spans     [(from_s, to_s), ...] while a finding stood for the device
    alarms    the same while one of the level alarm stood
    false     starts of the active windows during which a finding stood; of a capture, starts of the spans
    false_alarms  the same of alarms
    scores    {window start: highest score of the device in it}, empty if the detectors provide none
    verdicts  [(t_s, event, score, causes that fit), ...] when a finding was raised, updated or cleared
    anchors   {name of a published rule: starts of the windows it flags}
    seconds   duration of the playback
    """

    case: Case
    condition: Condition
    seed: int
    summary: counting.StreamSummary
    events: list[tuple]
    spans: list[tuple[float, float]]
    false: Sequence[float]
    scores: dict[int, int] = field(default_factory=dict)
    verdicts: list[tuple] = field(default_factory=list)
    anchors: dict[str, list[int]] = field(default_factory=dict)
    seconds: float = 0.0
    alarms: list[tuple[float, float]] = field(default_factory=list)
    false_alarms: Sequence[float] = ()


def play(case: Case, condition: Condition, seed: int = 0, make_engine: Callable[[], Any] | None = None) -> Outcome:
    """Return the Outcome of one recording. Raises ToolError if it cannot be read."""
    if case.kind == dataset.CAPTURE:
        return _play_capture(case, condition, seed, make_engine)
    return play_frames(case, streams.frames(case.path), condition, seed, make_engine=make_engine)


def play_frames(
    case: Case,
    frames: Iterable[tuple],
    condition: Condition,
    seed: int = 0,
    is_phone: bool = False,
    make_engine: Callable[[], Any] | None = None,
) -> Outcome:
    """
    Return the Outcome for frames (t_s, up, mpdu_len, ...) from any source.

    is_phone  True gives the device a random address, as phones use
    """
    random_ = random.Random(f"{seed} {case.label} {case.id} {condition.name}")
    channel = random_.randrange(1, 14) if condition.hops else playback.STREAM_CHANNEL
    mac = scene.generated_address(scene.PHONE_PREFIX if is_phone else scene.DEVICE_PREFIX, 0)
    bssid = mac if case.role == air.AP else scene.generated_address(scene.BSSID_PREFIX, 0)
    client = scene.generated_address(scene.CLIENT_PREFIX, 0)
    emitter = air.Emitter(
        address_bytes(mac),
        address_bytes(bssid),
        channel,
        address_bytes(client),
        case.role,
        loss=condition.loss,
        burst_ms=condition.burst_ms,
    )
    counter = counting.FrameCounter()
    windows = None if condition.hops else Windows(condition.loss, condition.burst_ms, seed)
    counted = counter.frames(frames)
    if windows:
        counted = windows.frames(counted)
    traffic = playback.Traffic(emitter.records(counted, seed))
    outcome = _listen(case, condition, traffic, seed, random_, {mac}, make_engine)
    outcome.summary = counter.summary()
    counting.mark_sessions(outcome.summary.sessions, outcome.spans)
    outcome.false = counting.windows_during(outcome.summary.active, outcome.spans)
    outcome.false_alarms = counting.windows_during(outcome.summary.active, outcome.alarms)
    if windows:
        outcome.anchors = windows.flagged()
    return outcome


def _play_capture(case, condition, seed, make_engine):
    """Play a whole capture: every finding in it is false, and there is no device whose windows could be counted."""
    random_ = random.Random(f"{seed} {case.id} {condition.name}")
    traffic = playback.Traffic(streams.records(case.path))
    if condition.loss:
        traffic = playback.with_loss(traffic, condition.loss, seed, condition.burst_ms)
    outcome = _listen(case, condition, traffic, seed, random_, None, make_engine)
    outcome.false = [from_s for from_s, _ in outcome.spans]
    outcome.false_alarms = [from_s for from_s, _ in outcome.alarms]
    return outcome


def _listen(case, condition, traffic, seed, random_, addresses, make_engine):
    """Play traffic and return an Outcome; `addresses` are those of the device, None if it is unknown."""
    totals = playback.Totals()
    scores = _Scores(addresses)
    make_engine = make_engine or playback.make_engine
    if condition.hops:
        start_ms = random_.randrange(HOP_MS)
        findings = playback.play_hopping(traffic, make_engine(), playback.firmware_plan(traffic), totals, start_ms)
    else:
        findings = playback.play_on_channel(traffic, make_engine, totals, scores.watch)
    events, verdicts = [], []
    standing = Standing(), Standing()  # all findings, alarms alone
    for at_ms, finding in findings:
        if finding.kind not in CAMERA_KINDS:
            continue
        t_s = at_ms / 1000
        events.append((t_s, finding.event, finding.kind, finding.subject, finding.score, finding.level))
        if finding.event in (RAISED, UPDATED, CLEARED):
            fits = [cause for cause, verdict in finding.considered if verdict == "for"]
            verdicts.append((t_s, finding.event, finding.score, fits))
        # A finding about a camera must name that device; for other devices any finding is false.
        if addresses is not None and case.kind == dataset.CAMERA and finding.subject not in addresses:
            continue
        subject = finding.kind, finding.subject
        standing[0].change(t_s, subject, finding.event != CLEARED)
        standing[1].change(t_s, subject, finding.event != CLEARED and finding.level == ALARM)
    end_s = totals.now_ms / 1000
    summary = counting.StreamSummary([], [], totals.frames, 0, 0, 0)
    outcome = Outcome(case, condition, seed, summary, events, standing[0].spans(end_s), [], scores.best, verdicts)
    outcome.seconds, outcome.alarms = end_s, standing[1].spans(end_s)
    return outcome


class Standing:
    """When something stood for any of the subjects."""

    def __init__(self):
        self._subjects: set = set()
        self._changes: list[tuple[float, bool]] = []

    def change(self, t_s: float, subject: tuple, stands: bool) -> None:
        """Note that it stands for a subject from now on, or does not."""
        before = bool(self._subjects)
        (self._subjects.add if stands else self._subjects.discard)(subject)
        if bool(self._subjects) != before:
            self._changes.append((t_s, not before))

    def spans(self, end_s: float) -> list[tuple[float, float]]:
        """Return [(from_s, to_s), ...] until the end of the recording."""
        return counting.finding_spans(self._changes, end_s)


class _Scores:
    """
    The highest score of each window, for ROC and calibration.

    A detector provides scores(now_ms) -> [(address of six bytes, score 0..100), ...] of all emitters
    it follows, raised or not. Detectors without this method are left out.
    """

    def __init__(self, addresses):
        self.best: dict[int, int] = {}
        self._addresses = None if addresses is None else {address_bytes(address) for address in addresses}

    def watch(self, engine: Any, at_ms: int) -> None:
        second = at_ms // 1000
        for detector in engine.detectors:
            if not hasattr(detector, "scores"):
                continue
            highest = -1
            for address, score in detector.scores(at_ms):
                if score > highest and (self._addresses is None or bytes(address) in self._addresses):
                    highest = score
            if highest < 0:
                continue
            # The judgement comes at the end of a second and counts for the windows with that second.
            slot = (second - 1) // counting.STEP_S
            for start in ((slot - 1) * counting.STEP_S, slot * counting.STEP_S):
                if start >= 0 and highest > self.best.get(start, -1):
                    self.best[start] = highest
