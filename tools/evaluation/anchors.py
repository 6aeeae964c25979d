"""
Published rules, run on the same frames for comparison.

Each rule judges 10 s windows of one device that is received all the time, and knows which frames the
device sent. The rules do not hop, do not know of lost frames and raise no finding; they flag a window
or not.

rate        uplink of 80 kbit/s or more
CamLoPA     mean length of the device's data frames above 300 B and 30 of them a second or more
            (its public code asks for more than 150 frames in 5 s)
DeWiCam     longest frame above 1000 B, and 5 to 95 % of the frames that long (length rule of the
            public re-implementation; its terms for duration and channel volume are left out)
five rules  uplink >= 80 kbit/s and >= 75 % of the bytes, mean downlink frame <= 250 B, mean uplink
            frame >= 350 B, and 1500 B sent in half of the seconds or more
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from tools.evaluation.counting import STEP_S, WINDOW_S, Session
from tools.traffic import air

RATE, CAMLOPA, DEWICAM, FIVE = "rate only", "CamLoPA", "DeWiCam length", "five thresholds"
NAMES = (RATE, CAMLOPA, DEWICAM, FIVE)


class _Slot:
    """Counters of a device's frames in 5 s."""

    __slots__ = ("down_bytes", "down_frames", "lengths", "seconds", "up_bytes", "up_frames")

    def __init__(self):
        self.up_frames = self.up_bytes = self.down_frames = self.down_bytes = 0
        self.lengths: Counter[int] = Counter()
        self.seconds: Counter[int] = Counter()  # uplink bytes by second


class Windows:
    """Passes frames through and counts them in slots of 5 s for the rules; a share of the frames is lost."""

    def __init__(self, loss: float = 0.0, burst_ms: float = 0.0, seed: int = 0):
        self._slots: dict[int, _Slot] = {}
        self._loss = air.Loss(loss, burst_ms, air.seeded_random(f"{seed} anchors")) if loss else None

    def frames(self, source: Iterable[tuple]) -> Iterator[tuple]:
        """Yield the frames of a source, (t_s, up, mpdu_len, ...), and count them."""
        slots = self._slots
        is_lost = self._loss.is_lost if self._loss else None
        last_us = 0
        for frame in source:
            yield frame
            t_s, up, length = frame[0], frame[1], frame[2]
            if is_lost:
                last_us = max(last_us, int(t_s * 1_000_000))
                if is_lost(last_us):
                    continue
            number = int(t_s) // STEP_S
            slot = slots.get(number)
            if slot is None:
                slot = slots[number] = _Slot()
            if up:
                slot.up_frames += 1
                slot.up_bytes += length
                slot.lengths[length] += 1
                slot.seconds[int(t_s)] += length
            else:
                slot.down_frames += 1
                slot.down_bytes += length

    def flagged(self) -> dict[str, list[int]]:
        """Return {name of a rule: starts of the windows it flags, in seconds}."""
        windows = {name: [] for name in NAMES}
        numbers = sorted({number for slot in self._slots for number in (slot - 1, slot) if number >= 0})
        for number in numbers:
            slots = [self._slots[slot] for slot in (number, number + 1) if slot in self._slots]
            for name in flagged_by(slots):
                windows[name].append(number * STEP_S)
        return windows


def flagged_by(slots: Sequence[_Slot]) -> list[str]:
    """Return the names of the rules that flag a window of these slots."""
    up_frames = sum(slot.up_frames for slot in slots)
    up_bytes = sum(slot.up_bytes for slot in slots)
    down_frames = sum(slot.down_frames for slot in slots)
    down_bytes = sum(slot.down_bytes for slot in slots)
    if not up_frames:
        return []
    names = []
    kbps = up_bytes * 8 / 1000 / WINDOW_S
    if kbps >= 80:
        names.append(RATE)
    if up_bytes / up_frames > 300 and up_frames / WINDOW_S >= 30:
        names.append(CAMLOPA)
    lengths = sum((slot.lengths for slot in slots), Counter())
    longest = max(lengths)
    if longest > 1000 and 0.05 <= lengths[longest] / up_frames <= 0.95:
        names.append(DEWICAM)
    busy = sum(size >= 1500 for slot in slots for size in slot.seconds.values())
    if (
        kbps >= 80
        and up_bytes >= 0.75 * (up_bytes + down_bytes)
        and up_bytes / up_frames >= 350
        and (not down_frames or down_bytes / down_frames <= 250)
        and busy >= WINDOW_S / 2
    ):
        names.append(FIVE)
    return names


def detection_delay(session: Session, starts: Iterable[int], grace_s: int) -> int | None:
    """Return the seconds until a rule first flags a whole window inside a session, None if it never does."""
    for start in starts:
        if session.start_s <= start and start + WINDOW_S <= session.end_s + grace_s:
            return start + WINDOW_S - session.start_s
    return None
