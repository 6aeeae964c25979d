"""
Definitions of the counted quantities, so that figures can be compared.

A window is 10 s, starting every 5 s from the recording's start; it is active if it has at least 20
frames of the device. A camera session is a section of a camera's recording of 8 s or more in which the
uplink is at least 2 kB in every second, except for gaps of at most 3 s. It is detected if a finding is
raised for the device between its start and 5 s after its end, or was raised before and still stands. A
false window is an active window of a device that is no camera, during which a finding stands.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

WINDOW_S, STEP_S = 10, 5
ACTIVE_FRAMES = 20
SESSION_BYTES = 2000  # in a second, sent by the device
SESSION_GAP_S = 3
SESSION_S = 8
GRACE_S = 5
VISIT_S = 180  # of an inspection
NORMAL_95 = 1.959964  # quantile of the normal distribution for a two-sided 95 % interval


@dataclass
class Session:
    """A camera session; `raised_s` is the time of its finding, `held` means that an earlier finding still stood."""

    start_s: int
    end_s: int
    longest_up_bytes: int = 0
    raised_s: float | None = None
    held: bool = False

    @property
    def detected(self) -> bool:
        return self.held or self.raised_s is not None

    @property
    def delay_s(self) -> float | None:
        """Seconds from the start until a finding stands; None if the session was missed."""
        if self.held:
            return 0.0
        return None if self.raised_s is None else self.raised_s - self.start_s


@dataclass
class StreamSummary:
    """Counters, active windows and sessions of one header stream."""

    active: list[int]  # start of each active window, seconds
    sessions: list[Session]
    frames: int
    longest_up_bytes: int
    up_bytes: int
    down_bytes: int


class FrameCounter:
    """Passes frames through and counts them, so that a stream is read only once."""

    def __init__(self):
        self._slots: Counter[int] = Counter()  # frames in each 5 s
        self._up: Counter[int] = Counter()  # uplink bytes in each second
        self._longest: dict[int, int] = {}  # second -> longest uplink frame
        self._frames = self._up_bytes = self._down_bytes = 0

    def frames(self, source: Iterable[tuple]) -> Iterator[tuple]:
        """Yield the frames of a source, (t_s, up, mpdu_len, ...), and count them."""
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
        """Return the summary of all frames so far."""
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
        sections = []  # [first second, last second]
        for second in sorted(second for second, size in self._up.items() if size >= SESSION_BYTES):
            if sections and second - sections[-1][1] <= SESSION_GAP_S:
                sections[-1][1] = second
            else:
                sections.append([second, second])
        return [
            Session(start, last + 1, max(self._longest.get(second, 0) for second in range(start, last + 1)))
            for start, last in sections
            if last + 1 - start >= SESSION_S
        ]


def finding_spans(changes: Iterable[tuple[float, bool]], end_s: float) -> list[tuple[float, float]]:
    """Return [(from_s, to_s), ...] during which a finding stood, from [(t_s, is raised), ...] in time order."""
    spans = []
    raised_s = None
    for t_s, is_raised in changes:
        if is_raised and raised_s is None:
            raised_s = t_s
        elif not is_raised and raised_s is not None:
            spans.append((raised_s, t_s))
            raised_s = None
    if raised_s is not None:
        spans.append((raised_s, max(end_s, raised_s)))
    return spans


def mark_sessions(sessions: Iterable[Session], spans: Sequence[tuple[float, float]]) -> None:
    """Set `raised_s` or `held` of each session that was detected."""
    for session in sessions:
        until_s = session.end_s + GRACE_S
        for from_s, to_s in spans:
            if from_s < session.start_s <= to_s:
                session.held = True
            elif session.start_s <= from_s <= until_s and session.raised_s is None:
                session.raised_s = from_s


def windows_during(starts: Iterable[int], spans: Sequence[tuple[float, float]]) -> list[int]:
    """Return the starts of the windows during which a finding stood."""
    return [start for start in starts if any(from_s < start + WINDOW_S and to_s > start for from_s, to_s in spans)]


def wilson(part: int, whole: int) -> tuple[float, float]:
    """
    Return the Wilson 95 % interval of a share, (low, high), 0..1 each; (0, 1) if `whole` is 0.

    The interval holds for independent observations. Windows of one recording are not independent.
    """
    if not whole:
        return 0.0, 1.0
    square = NORMAL_95 * NORMAL_95
    share = part / whole
    middle = share + square / (2 * whole)
    half = NORMAL_95 * math.sqrt(share * (1 - share) / whole + square / (4 * whole * whole))
    scale = 1 + square / whole
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def spans_begun(starts: Sequence[int], spans: Sequence[tuple[float, float]]) -> int:
    """Return the number of spans that overlap one of the windows at least."""
    return sum(any(from_s < start + WINDOW_S and to_s > start for start in starts) for from_s, to_s in spans)


def windows_after(starts: Iterable[int], seconds: int) -> list[int]:
    """Return the active windows that follow so many seconds of active windows without a gap."""
    active = set(starts)
    before = range(STEP_S, seconds + 1, STEP_S)
    return [start for start in sorted(active) if all(start - ago in active for ago in before)]


def visits(starts: Iterable[int]) -> list[list[int]]:
    """Return the windows of each visit of VISIT_S, counted from the recording's start; visits without are left out."""
    by_visit: dict[int, list[int]] = {}
    for start in starts:
        by_visit.setdefault(start // VISIT_S, []).append(start)
    return [by_visit[number] for number in sorted(by_visit)]
