"""
Play one recording to the detectors under one condition, and note what they made of it.

    outcome = run.play(case, Condition("on channel"), seed=1)
"""

import random
from collections import namedtuple
from dataclasses import dataclass, field

from ansim.finding import CLEARED, RAISED, UPDATED
from ansim.frame_header import address_bytes
from tools.evaluation import counting, dataset
from tools.evaluation.anchors import Windows
from tools.evaluation.dataset import Case
from tools.traffic import air, playback, scene, streams

# How a recording is heard.
# name      for tables
# hops      False: on the emitter's channel all the time; True: 13 channels as the firmware does
# loss      0..1, share of frames lost
# burst_ms  mean length of a bad period, 0: each frame by itself
Condition = namedtuple("Condition", ("name", "hops", "loss", "burst_ms"), defaults=(False, 0.0, 0.0))

CAMERA_KINDS = ("camera_stream", "camera_access_point", "camera_beacon")
HOP_MS = 13 * 350


@dataclass
class Outcome:
    """
    account   what was sent, see counting.StreamSummary; its sessions are marked
    events    [(t_s, event, kind, subject, score), ...]
    spans     [(from_s, to_s), ...] while a finding stood for the device
    false     starts of the active windows in which one stood
    scores    {window start: highest score of the device in it}, empty if the detectors do not tell
    verdicts  [(t_s, score, causes that fit), ...] when a finding was raised, changed or cleared
    anchors   {rule's name: starts of the windows it flags}
    """

    case: Case
    condition: Condition
    seed: int
    summary: counting.StreamSummary
    events: list
    spans: list
    false: list
    scores: dict = field(default_factory=dict)
    verdicts: list = field(default_factory=list)
    anchors: dict = field(default_factory=dict)
    seconds: float = 0.0


def play(case: Case, condition: Condition, seed=0) -> Outcome:
    """Return the Outcome of one recording. Raises ToolError if it cannot be read."""
    if case.kind == dataset.CAPTURE:
        return _play_capture(case, condition, seed)
    return play_frames(case, streams.frames(case.path), condition, seed)


def play_frames(case, frames, condition, seed=0, is_phone=False) -> Outcome:
    """
    The same for frames from anywhere: (t_s, up, mpdu_len, ...).

    is_phone  True gives the device an address that it made up itself, as phones do
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
    count = counting.FrameCounter()
    windows = None if condition.hops else Windows(condition.loss, condition.burst_ms, seed)
    counted = count.frames(frames)
    if windows:
        counted = windows.frames(counted)
    traffic = playback.Traffic(emitter.records(counted, seed), None, [], [], [])
    outcome = _listen(case, condition, traffic, seed, random_, {mac})
    outcome.summary = count.summary()
    counting.mark_sessions(outcome.summary.sessions, outcome.spans)
    outcome.false = counting.windows_during(outcome.summary.active, outcome.spans)
    if windows:
        outcome.anchors = windows.flagged()
    return outcome


def _play_capture(case, condition, seed):
    """A whole capture: every finding in it is false, and there is no device to count windows of."""
    random_ = random.Random(f"{seed} {case.id} {condition.name}")
    traffic = playback.Traffic(streams.records(case.path), None, [], [], [])
    if condition.loss:
        traffic = playback.with_loss(traffic, condition.loss, seed, condition.burst_ms)
    outcome = _listen(case, condition, traffic, seed, random_, None)
    outcome.false = [span[0] for span in outcome.spans]
    return outcome


def _listen(case, condition, traffic, seed, random_, own):
    tally = playback.Totals()
    score_of = _Scores(own)
    if condition.hops:
        start_ms = random_.randrange(HOP_MS)
        found = playback.play_hopping(traffic, playback.make_engine(), playback.firmware_plan(traffic), tally, start_ms)
    else:
        found = playback.play_on_channel(traffic, playback.make_engine, tally, score_of.watch)
    events, verdicts = [], []
    standing = set()
    changes = []
    for at_ms, finding in found:
        if finding.kind not in CAMERA_KINDS:
            continue
        t_s = at_ms / 1000
        events.append((t_s, finding.event, finding.kind, finding.subject, finding.score))
        if finding.event in (RAISED, UPDATED, CLEARED):
            fits = [cause for cause, verdict in finding.considered if verdict == "for"]
            verdicts.append((t_s, finding.event, finding.score, fits))
        # A camera has to be named itself; for other devices any finding is a false one.
        if own is not None and case.kind == dataset.CAMERA and finding.subject not in own:
            continue
        before = bool(standing)
        if finding.event == RAISED:
            standing.add((finding.kind, finding.subject))
        elif finding.event == CLEARED:
            standing.discard((finding.kind, finding.subject))
        if bool(standing) != before:
            changes.append((t_s, bool(standing)))
    spans = counting.finding_spans(changes, tally.now_ms / 1000)
    account = counting.StreamSummary([], [], tally.frames, 0, 0, 0)
    return Outcome(case, condition, seed, account, events, spans, [], score_of.best, verdicts, {}, tally.now_ms / 1000)


class _Scores:
    """
    The highest score of each window, for ROC and calibration.

    A detector tells it with scores(now_ms) -> [(address of six bytes, score 0..100), ...] of
    all the emitters it follows, raised or not. Detectors without it are left out.
    """

    def __init__(self, own):
        self.best = {}
        self._own = None if own is None else {address_bytes(one) for one in own}

    def watch(self, engine, at_ms):
        second = at_ms // 1000
        for detector in engine.detectors:
            if not hasattr(detector, "scores"):
                continue
            highest = -1
            for address, score in detector.scores(at_ms):
                if score > highest and (self._own is None or bytes(address) in self._own):
                    highest = score
            if highest < 0:
                continue
            # judged at the end of a second: it belongs to the windows that hold that second
            slot = (second - 1) // counting.STEP_S
            for start in ((slot - 1) * counting.STEP_S, slot * counting.STEP_S):
                if start >= 0 and highest > self.best.get(start, -1):
                    self.best[start] = highest
