"""
Who has the antenna when. Pure logic: no clock, no radio.

    plan = Plan(settings["channels"], capabilities, 60_000, "wifi")
    step = plan.next(now_ms, engine.candidates(now_ms))     # as soon as the last step has ended
    if plan.leaves(now_ms, engine.candidates(now_ms)): ...  # each second of a DWELL: it may end early
    if heard_nobody_for_ms >= plan.quiet_ms(): ...          # a SNIFF may end early

One radio does one thing at a time (sniffing and Bluetooth together are unstable, and
a connected station cannot change its channel), so the steps follow each other:

    SNIFF    one visit of a hop over all channels
    DWELL    stay on one channel, because a candidate there can be judged by staying
    SCAN     list the access points
    BLE      listen to Bluetooth LE advertisements
    SPECTRUM look at the whole band with the nRF24L01+
    UPLOAD   connect by Wi-Fi and hand over the reports; ends early when all is handed over

A camera that starts at any moment on any channel has to be judged within 30 s. With 13
channels the worst case is: it starts just after its channel was visited (4.55 s until the
next visit), a dwell elsewhere lies between (10 s), its own dwell begins at once and decides
within 10 s: 25 s; a dwell that is prolonged makes it 29.6 s. Three rules keep it there:

1. One whole hop lies between two other steps, and two while nobody is a candidate. So hopping never starves.
2. A channel that is a candidate for the first time in a while breaks into the hop, once
   a hop, and goes before everything but another such channel; and so does one on which
   somebody much stronger is heard than the one that its last dwell was for.
3. A dwell that brought nothing rests its channel for one hop or more, and channels that
   wait grow more important with time. So one stubborn candidate cannot hold the antenna.
"""

from collections import namedtuple

from ansim import messages

SNIFF, DWELL, SCAN, BLE, SPECTRUM, UPLOAD = "sniff", "dwell", "scan", "ble", "spectrum", "upload"

# phase        one of the above
# channel      1..13 for SNIFF and DWELL, else 0
# duration_ms  how long it lasts; the longest it may last for UPLOAD
Step = namedtuple("Step", ("phase", "channel", "duration_ms"))

VISIT_MS = 350  # 13 of them make a hop of 4.55 s
# A visit ends so early if nobody was heard, one hop after the other: shorter hops, each channel's share of the time stays the
# same. They differ so that no camera that sends once or twice a second can be out of step with them for long.
QUIET_MS = (100, 160, 120, 180, 140)
DWELL_MS = 10_000  # the window in which published rules tell a camera from the rest
LONGER_MS = 5_000  # added once when the decision is near and nobody else is waiting
SHORTEST_DWELL_MS = 3_000  # below this a pause between two key frames looks like silence
NEAR_DECISION = 70  # urgency from which LONGER_MS is worth it
SCAN_MS, SCAN_EVERY_MS = 2_000, 15_000
BLE_MS, BLE_EVERY_MS = 3_000, 20_000
SPECTRUM_MS, SPECTRUM_EVERY_MS = 2_000, 30_000
UPLOAD_MS = 8_000  # Wi-Fi, TLS and a few reports take 3 to 8 s
LONG_UPLOAD_MS = 20_000  # after a failure, for a slow network; then it is rare enough
UPLOAD_GAP_MS = 10_000  # a report in a hurry waits at most this long after the last upload
MAX_BACK_OFF = 4  # failed uploads make the interval so many times as long, at most
REST_MS = 6_000  # a channel's rest after a dwell in vain: longer than a hop
MAX_REST_MS = 12_000  # and after several; 12 s of rest + 4.55 s + a dwell stay below 30 s
IDLE_REST_MS = 60_000  # the same where little is to be gained, as with an emitter that is raised already
WORTH_HASTE = 50  # urgency below which little is to be gained
FRESH_MS = 60_000  # no candidate for so long: counts as one for the first time again
STRONG = 65  # urgency from which a camera is likelier than not: it breaks into any hop,
MOST_FRESH = 3  # and so many such dwells go before another step that is due
NEWS = 15  # urgency must have grown by so much for a resting channel to be woken
FRESH_FIRST = 1 << 20  # more than any waiting can bring
PATIENCE = 2  # urgency points per second of waiting


class Plan:
    """
    Decide what the radio does next.

    channels         list of 1..13, hopped in this order
    capabilities     list as in report.CAPABILITIES: what this sensor can hear with
    upload_every_ms  how often to connect; without meaning for a wired uplink
    uplink           "wifi" or "ethernet"; with ethernet there is no UPLOAD

    Raises ValueError if there is nothing to listen with or no channel.
    """

    def __init__(self, channels, capabilities, upload_every_ms, uplink="wifi"):
        self._channels = tuple(channels)
        self._sniffs = messages.SNIFF in capabilities or messages.SNIFF_MANAGEMENT in capabilities
        self._others = []  # [phase, duration_ms, every_ms, due_ms]
        for capability, phase, duration_ms, every_ms in (
            (messages.SCAN, SCAN, SCAN_MS, SCAN_EVERY_MS),
            (messages.BLE, BLE, BLE_MS, BLE_EVERY_MS),
            (messages.NRF24, SPECTRUM, SPECTRUM_MS, SPECTRUM_EVERY_MS),
        ):
            if capability in capabilities:
                self._others.append([phase, duration_ms, every_ms, 0])
        if not self._channels or not (self._sniffs or self._others):
            raise ValueError("no channel, or nothing to listen with")
        self._upload_every_ms = upload_every_ms if uplink == "wifi" else 0
        self._upload_due_ms = 0
        self._upload_ended_ms = -UPLOAD_GAP_MS
        self._failed = 0
        self._hurry = False  # the first upload is due at once, but a fresh candidate goes before it
        self._next_channel = 0
        self._visits = 0  # since the last step that was no visit
        self._hops = 0  # begun
        # Who hears management frames only cannot tell that nobody sends.
        self._quiet_ms = QUIET_MS if messages.SNIFF in capabilities else (VISIT_MS,)
        self._broke_in = False  # a fresh candidate has broken into this hop already
        self._was_dwell = False  # the last step that was no visit
        self._dwells_turn = True  # dwells and the other steps take turns; uploads do not count
        self._fresh_dwells = 0  # on fresh candidates, since the last other step
        self._last = None  # the step that is running
        self._began_ms = 0
        self._began_urgency = 0
        self._longer = False
        self._rests = {}  # channel -> [until_ms, rest_ms, urgency when it began]
        self._stale_ms = {}  # channel -> when it last was a candidate, if it has had its dwell
        self._dealt = {}  # channel -> the urgency that its last dwell was for
        self._waits_ms = {}  # channel -> since when it has been a candidate
        self._asked_channel = 0
        self._asked_until_ms = 0
        self._asked_upload_ms = 0

    def dwell_on(self, channel: int, seconds: int, now_ms: int, upload_every_ms: int = 0) -> None:
        """
        Stay on a channel because a person asked for it; 0 seconds ends it. Uploads go on, the rest waits.

        upload_every_ms  somebody watches from afar: also upload so often meanwhile, if that works at all
        """
        self._asked_channel = channel
        self._asked_until_ms = now_ms + seconds * 1000
        self._asked_upload_ms = upload_every_ms

    def upload_soon(self) -> None:
        """There is a report in a hurry, such as a finding: upload after this hop."""
        self._hurry = True

    def uploaded(self, now_ms: int, delivered: bool) -> None:
        """Say how an UPLOAD ended. While nobody can be reached, more of the time goes to listening."""
        self._failed = 0 if delivered else min(self._failed + 1, MAX_BACK_OFF - 1)
        self._upload_ended_ms = now_ms
        self._upload_due_ms = now_ms + self._upload_every_ms * (1 + self._failed)
        self._hurry = False

    def next(self, now_ms: int, candidates: list) -> Step:
        """
        Return the step that begins now.

        candidates  list of (channel, urgency 0..100): channels where a dwell would help
        """
        urgencies = self._note_candidates(now_ms, candidates)
        longer = self._end_last(now_ms, urgencies)
        step = longer or self._asked(now_ms) or self._interruption(now_ms, urgencies) or self._visit()
        if step is None:  # nothing is due and it cannot sniff: do what is due soonest
            step = self._other(now_ms, min(self._others, key=lambda other: other[3]))
        self._last = step
        self._began_ms = now_ms
        return step

    def leaves(self, now_ms: int, candidates: list) -> bool:
        """True if the DWELL that is running may end now: what it was begun for is decided."""
        if self._last is None or self._last.phase != DWELL:
            return False
        if self._asked_channel:
            return self._asked_channel != self._last.channel or now_ms >= self._asked_until_ms
        if now_ms - self._began_ms < SHORTEST_DWELL_MS:
            return False
        urgency = max([urgency for channel, urgency in candidates if channel == self._last.channel], default=0)
        return urgency <= self._began_urgency // 2

    def quiet_ms(self) -> int:
        """Return after how long the SNIFF that is running may end if nobody was heard."""
        return self._quiet_ms[self._hops % len(self._quiet_ms)]

    def _note_candidates(self, now_ms, candidates):
        urgencies = {}
        for channel, urgency in candidates:
            if self._sniffs and channel in self._channels:
                urgencies[channel] = max(urgency, urgencies.get(channel, 0))
                self._waits_ms.setdefault(channel, now_ms)
                if not self._is_fresh(now_ms, channel, urgency):
                    self._stale_ms[channel] = now_ms
        for channel in list(self._waits_ms):
            if channel not in urgencies:
                del self._waits_ms[channel]
        for channel in list(self._rests):
            if channel not in urgencies and now_ms >= self._rests[channel][0]:
                del self._rests[channel]
        return urgencies

    def _end_last(self, now_ms, urgencies):
        """Draw the lesson of the step that ended; return a Step if it goes on."""
        last = self._last
        if last is None:
            return None
        if last.phase == UPLOAD and self._upload_ended_ms < self._began_ms:
            self.uploaded(now_ms, True)
        if last.phase != DWELL or self._asked_channel:
            return None
        channel = last.channel
        urgency = urgencies.get(channel)
        self._stale_ms[channel] = now_ms
        self._dealt[channel] = max(self._began_urgency, urgency or 0)
        if urgency is None:  # decided
            self._rests.pop(channel, None)
            return None
        alone = all(other == channel or not self._is_fresh(now_ms, other, urgencies[other]) for other in urgencies)
        if urgency >= NEAR_DECISION and alone and not self._longer:
            self._longer = True
            return Step(DWELL, channel, LONGER_MS)
        longest_ms = MAX_REST_MS if urgency >= WORTH_HASTE else IDLE_REST_MS
        rest_ms = min(longest_ms, 2 * self._rests[channel][1]) if channel in self._rests else REST_MS
        self._rests[channel] = [now_ms + rest_ms, rest_ms, urgency]
        self._waits_ms[channel] = now_ms
        return None

    def _asked(self, now_ms):
        if not self._asked_channel:
            return None
        left_ms = self._asked_until_ms - now_ms
        if left_ms <= 0:
            self._asked_channel = 0
            self._visits = 0
            return None
        often = self._asked_upload_ms and self._upload_every_ms and not self._failed
        if self._upload_is_due(now_ms) or (often and now_ms - self._upload_ended_ms >= self._asked_upload_ms):
            return Step(UPLOAD, 0, UPLOAD_MS)  # never a long one: somebody is listening to the beeps
        return Step(DWELL, self._asked_channel, min(left_ms, DWELL_MS)) if self._sniffs else None

    def _interruption(self, now_ms, urgencies):
        """Return the step that breaks into the hop here, or None."""
        whole_hop = not self._sniffs or self._visits >= len(self._channels)
        channel = self._best(now_ms, urgencies)
        fresh = channel != 0 and self._is_fresh(now_ms, channel, urgencies[channel])
        if not whole_hop:
            if fresh and not self._broke_in and (self._was_dwell or urgencies[channel] >= STRONG):
                self._broke_in = True
                return self._dwell(channel, urgencies, fresh)
            return None
        self._broke_in = False
        if self._upload_is_due(now_ms) and (self._hurry or not fresh):
            return self._interrupt(self._upload(), False)
        due = [other for other in self._others if now_ms >= other[3]]
        if self._sniffs and not channel and not self._was_dwell and self._visits < 2 * len(self._channels):
            due = []  # while nobody is a candidate, two hops: a visit falls into a camera's pauses, or its frames are lost
        if channel and (
            not due
            or self._dwells_turn
            or (fresh and self._fresh_dwells < (MOST_FRESH if urgencies[channel] >= STRONG else 1))
        ):
            return self._dwell(channel, urgencies, fresh)
        return self._other(now_ms, min(due, key=lambda other: other[3])) if due else None

    def _upload_is_due(self, now_ms):
        if not self._upload_every_ms:
            return False
        if self._hurry and not self._failed:
            return now_ms - self._upload_ended_ms >= UPLOAD_GAP_MS
        return now_ms >= self._upload_due_ms

    def _upload(self):
        return Step(UPLOAD, 0, LONG_UPLOAD_MS if self._failed else UPLOAD_MS)

    def _best(self, now_ms, urgencies):
        """Return the channel to dwell on: urgent, or waiting for long; 0 if none."""
        best, best_worth = 0, -1
        for channel in urgencies:
            urgency = urgencies[channel]
            rest = self._rests.get(channel)
            if rest and now_ms < rest[0] and urgency < rest[2] + NEWS:
                continue
            worth = urgency + PATIENCE * (now_ms - self._waits_ms[channel]) // 1000
            if self._is_fresh(now_ms, channel, urgency):
                worth = FRESH_FIRST + urgency
            if worth > best_worth:
                best, best_worth = channel, worth
        return best

    def _is_fresh(self, now_ms, channel, urgency):
        if now_ms - self._stale_ms.get(channel, -FRESH_MS) >= FRESH_MS:
            return True
        return urgency >= self._dealt.get(channel, 0) + NEWS  # somebody else than the one its last dwell was for

    def _dwell(self, channel, urgencies, fresh):
        self._longer = False
        self._began_urgency = urgencies[channel]
        self._fresh_dwells = self._fresh_dwells + 1 if fresh else 0
        self._dwells_turn = False
        return self._interrupt(Step(DWELL, channel, DWELL_MS), True)

    def _other(self, now_ms, other):
        other[3] = now_ms + other[1] + other[2]
        self._dwells_turn = True
        self._fresh_dwells = 0
        return self._interrupt(Step(other[0], 0, other[1]), False)

    def _interrupt(self, step, is_dwell):
        self._visits = 0
        self._was_dwell = is_dwell
        return step

    def _visit(self):
        if not self._sniffs:
            return None
        channel = self._channels[self._next_channel]
        if self._next_channel == 0:
            self._hops += 1
        self._next_channel = (self._next_channel + 1) % len(self._channels)
        self._visits += 1
        return Step(SNIFF, channel, VISIT_MS)
