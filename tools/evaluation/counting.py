"""
What is counted, so that figures can be compared.

A window is 10 s, starting every 5 s from the recording's start; it is active if it holds at
least 20 frames of the device. A camera session is a stretch of a camera's recording in which
no second-long gap in its uplink of 2 kB/s is longer than 3 s, and which lasts 8 s or more. It is
detected if a finding is raised for the device from its start to its end + 5 s, or was raised
before and is still held then. A false window is an active window of a device that is no camera in
which a finding is raised or held.
"""

from collections import Counter
from dataclasses import dataclass

WINDOW_S, STEP_S = 10, 5
ACTIVE_FRAMES = 20
SESSION_BYTES = 2000  # in a second, sent by the device
SESSION_GAP_S = 3
SESSION_S = 8
GRACE_S = 5


@dataclass
class Session:
    """A camera session; `raised_s` is when a finding was raised in it, `held` if one was raised before."""

    start_s: int
    end_s: int
    longest_up_bytes: int = 0
    raised_s: float | None = None
    held: bool = False

    @property
    def detected(self) -> bool:
        return self.held or self.raised_s is not None

    @property
    def delay_s(self):
        """Seconds from the start until the finding stands; None if it was missed."""
        if self.held:
            return 0.0
        return None if self.raised_s is None else self.raised_s - self.start_s


@dataclass
class StreamSummary:
    """What one pass over a header stream tells."""

    active: list  # start of each active window, seconds
    sessions: list
    frames: int
    longest_up_bytes: int
    up_bytes: int
    down_bytes: int


class FrameCounter:
    """Pass frames through, (t_s, up, mpdu_len, ...), and count them on the way: no second reading."""

    def __init__(self):
        self._slots = Counter()  # frames in each 5 s
        self._up = Counter()  # uplink bytes in each second
        self._longest = {}  # second -> longest uplink frame
        self._frames = self._up_bytes = self._down_bytes = 0

    def frames(self, source):
        slots, up_bytes, longest = self._slots, self._up, self._longest
        for frame in source:
            t_s, up, length = frame[0], frame[1], frame[2]
            self._frames += 1
            slots[int(t_s) // STEP_S] += 1
            if up:
                second = int(t_s)
                up_bytes[second] += length
                self._up_bytes += length
                if length > longest.get(second, 0):
                    longest[second] = length
            else:
                self._down_bytes += length
            yield frame

    def summary(self) -> StreamSummary:
        starts = set()
        for slot in self._slots:
            for start in (slot - 1, slot):
                if start >= 0 and self._slots[start] + self._slots[start + 1] >= ACTIVE_FRAMES:
                    starts.add(start * STEP_S)
        return StreamSummary(
            sorted(starts),
            self._sessions(),
            self._frames,
            max(self._longest.values(), default=0),
            self._up_bytes,
            self._down_bytes,
        )

    def _sessions(self):
        stretches = []
        for second in sorted(one for one, size in self._up.items() if size >= SESSION_BYTES):
            if stretches and second - stretches[-1][1] <= SESSION_GAP_S:
                stretches[-1][1] = second
            else:
                stretches.append([second, second])
        return [
            Session(start, last + 1, max(self._longest.get(second, 0) for second in range(start, last + 1)))
            for start, last in stretches
            if last + 1 - start >= SESSION_S
        ]


def finding_spans(events, end_s) -> list:
    """[(from_s, to_s), ...] during which a finding stood, from [(t_s, raised?), ...] in time order."""
    spans = []
    since = None
    for t_s, raised in events:
        if raised and since is None:
            since = t_s
        elif not raised and since is not None:
            spans.append((since, t_s))
            since = None
    if since is not None:
        spans.append((since, max(end_s, since)))
    return spans


def mark_sessions(sessions, spans) -> None:
    """Write into each session when it was detected."""
    for session in sessions:
        until_s = session.end_s + GRACE_S
        for from_s, to_s in spans:
            if from_s < session.start_s <= to_s:
                session.held = True
            elif session.start_s <= from_s <= until_s and session.raised_s is None:
                session.raised_s = from_s


def windows_during(starts, spans) -> list:
    """The starts of those windows in which a finding stood."""
    return [start for start in starts if any(from_s < start + WINDOW_S and to_s > start for from_s, to_s in spans)]
