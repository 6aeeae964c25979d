"""
Schedule of the radio's steps. Pure logic: no clock, no radio.

    plan = Plan(settings["channels"], capabilities, 60_000, "wifi")
    step = plan.next(now_ms, engine.candidates(now_ms))        # when the previous step has ended
    if plan.may_leave(now_ms, engine.candidates(now_ms)): ...  # every second of a DWELL: it may end early
    if silent_for_ms >= plan.quiet_ms(): ...                   # a SNIFF may end early

The radio does one thing at a time (sniffing and Bluetooth together are unstable, and a connected
station cannot change its channel), so the steps follow each other:

    SNIFF    listen to one channel briefly; one SNIFF on each channel makes a cycle
    DWELL    stay on a channel whose candidate can be judged by listening longer
    SCAN     list the access points
    BLE      listen to Bluetooth LE advertisements
    SPECTRUM measure the whole band with the nRF24L01+
    UPLOAD   connect by Wi-Fi and deliver the reports; ends early when all are delivered

A camera that starts at any moment on any channel must be judged within 30 s. With 13 channels the
worst case is: it starts just after the SNIFF on its channel (4.55 s until the next one), a dwell on
another channel comes first (10 s), then its own dwell decides within 10 s: 25 s; with an extended
dwell 29.6 s. Three rules keep this bound (with channels of 5 GHz a cycle and the bound are longer):

1. One whole cycle lies between two other steps, and two cycles while there is no candidate. So the
   cycle never starves.
2. A channel that becomes a candidate for the first time in a while (a fresh candidate) interrupts the
   cycle, once per cycle, and goes before everything except another fresh candidate. The same holds for
   a channel with a much stronger candidate than the one its last dwell was for.
3. A dwell without a decision rests its channel for one cycle or more, and waiting channels gain
   importance with time. So one undecidable candidate cannot occupy the radio.
"""

from collections import namedtuple

from ansim import messages

SNIFF, DWELL, SCAN, BLE, SPECTRUM, UPLOAD = "sniff", "dwell", "scan", "ble", "spectrum", "upload"

# phase        one of the above
# channel      for SNIFF and DWELL, else 0
# duration_ms  how long it lasts; for UPLOAD, the longest it may last
Step = namedtuple("Step", ("phase", "channel", "duration_ms"))

LAST_24_GHZ = 13
SNIFF_MS = 350  # 13 of them make a cycle of 4.55 s
# A SNIFF without a frame ends after this time, which differs from cycle to cycle: cycles become shorter, each channel's
# share
# of the time stays the same, and a camera that sends once or twice a second cannot stay out of step with them for long.
QUIET_MS = (100, 160, 120, 180, 140)
DWELL_MS = 10_000  # the window in which published rules tell a camera from other traffic
EXTENSION_MS = 5_000  # added once if the decision is near and no other candidate waits
MIN_DWELL_MS = 3_000  # in less time a pause between two key frames looks like silence
NEAR_DECISION = 70  # urgency from which a dwell is extended
SCAN_MS, SCAN_EVERY_MS = 2_000, 15_000
BLE_MS, BLE_EVERY_MS = 3_000, 20_000
SPECTRUM_MS, SPECTRUM_EVERY_MS = 2_000, 30_000
# Scan, association, DHCP, TLS and a few reports take 6 to 10 s, and 2.5 s are reserved for an orderly end.
UPLOAD_MS = 14_000
LONG_UPLOAD_MS = 25_000  # after a failure, for a slow network; failed uploads are rare enough for this
UPLOAD_GAP_MS = 10_000  # an urgent report waits at most this long after the last upload
MAX_BACKOFF = 4  # failed uploads multiply the interval by at most this
REST_MS = 6_000  # a channel's rest after a dwell without a decision: longer than a cycle
MAX_REST_MS = 12_000  # after several such dwells; 12 s of rest + 4.55 s + a dwell stay below 30 s
IDLE_REST_MS = 60_000  # the same below MIN_URGENCY
MIN_URGENCY = 50  # below this a dwell gains little, as with an emitter that is already raised
FRESH_MS = 60_000  # a channel without a candidate for this long is fresh again
URGENT = 65  # urgency from which a camera is more likely than not: it interrupts any cycle,
MAX_FRESH_DWELLS = 3  # and at most this many such dwells go before another step that is due
URGENCY_RISE = 15  # rise in urgency that ends a channel's rest
FRESH_BONUS = 1 << 20  # more than any waiting time adds
WAITING_POINTS_PER_S = 2  # urgency points per second of waiting


class Plan:
    """
    The schedule: next() returns one step after the other.

    channels         list of channels, in the order of the cycle
    rare_channels    list of further channels, one of which is added to each cycle
    capabilities     list as in messages.CAPABILITIES
    upload_every_ms  how often to upload; ignored for a wired uplink
    uplink           "wifi" or "ethernet"; with ethernet there is no UPLOAD

    Raises ValueError without a channel or without a capability to listen.
    """

    def __init__(self, channels, capabilities, upload_every_ms, uplink="wifi", rare_channels=()):
        self._channels = tuple(channels)
        self._rare_channels = tuple(rare_channels)
        self._cycle_steps = len(self._channels) + (1 if rare_channels else 0)
        self._next_rare = 0
        self._sniffs = messages.SNIFF in capabilities or messages.SNIFF_MANAGEMENT in capabilities
        self._periodic = []  # [phase, duration_ms, every_ms, due_ms]
        for capability, phase, duration_ms, every_ms in (
            (messages.SCAN, SCAN, SCAN_MS, SCAN_EVERY_MS),
            (messages.BLE, BLE, BLE_MS, BLE_EVERY_MS),
            (messages.NRF24, SPECTRUM, SPECTRUM_MS, SPECTRUM_EVERY_MS),
        ):
            if capability in capabilities:
                self._periodic.append([phase, duration_ms, every_ms, 0])
        if not self._channels or not (self._sniffs or self._periodic):
            raise ValueError("no channel, or nothing to listen with")
        self._upload_every_ms = upload_every_ms if uplink == "wifi" else 0
        self._upload_due_ms = 0
        self._upload_ended_ms = -UPLOAD_GAP_MS
        self._failed = 0
        self._upload_urgent = False  # a fresh candidate goes before the first upload
        self._next_channel = 0
        self._sniff_steps = 0  # since the last other step
        self._cycles = 0  # begun
        # A sniffer of management frames only cannot tell that a channel is silent.
        self._quiet_ms = QUIET_MS if messages.SNIFF in capabilities else (SNIFF_MS,)
        self._cycle_interrupted = False  # by a fresh candidate
        self._last_was_dwell = False  # the last step that was no SNIFF
        self._dwells_turn = True  # dwells and periodic steps take turns; uploads do not count
        self._fresh_dwells = 0  # on fresh candidates, since the last periodic step
        self._step = None  # the running step
        self._began_ms = 0
        self._began_urgency = 0
        self._extended = False
        self._rests = {}  # channel -> [until_ms, rest_ms, urgency when it began]
        self._stale_ms = {}  # channel -> when it last was a candidate that had had its dwell
        self._dwell_urgency = {}  # channel -> urgency of its last dwell
        self._waiting_since_ms = {}  # channel -> since when it has been a candidate
        self._requested_channel = 0
        self._requested_until_ms = 0
        self._requested_upload_ms = 0

    def dwell_on(self, channel: int, seconds: int, now_ms: int, upload_every_ms: int = 0) -> None:
        """
        Stay on a channel at a person's request; 0 seconds ends it. Only uploads interrupt it.

        upload_every_ms  upload this often meanwhile (0: as usual), unless uploads fail
        """
        self._requested_channel = channel
        self._requested_until_ms = now_ms + seconds * 1000
        self._requested_upload_ms = upload_every_ms

    def hears(self, channel: int) -> bool:
        """True if the sensor can listen to a channel: any of 2.4 GHz, and those of 5 GHz that it was made for."""
        return channel <= LAST_24_GHZ or channel in self._channels or channel in self._rare_channels

    def upload_soon(self) -> None:
        """Upload after this cycle, because there is an urgent report such as a finding."""
        self._upload_urgent = True

    def end_upload(self, now_ms: int, delivered: bool) -> None:
        """Note the end of an UPLOAD. While uploads fail, they become rarer."""
        self._failed = 0 if delivered else min(self._failed + 1, MAX_BACKOFF - 1)
        self._upload_ended_ms = now_ms
        self._upload_due_ms = now_ms + self._upload_every_ms * (1 + self._failed)
        self._upload_urgent = False

    def next(self, now_ms: int, candidates: list) -> Step:
        """
        Return the step that begins now.

        candidates  list of (channel, urgency 0..100): channels where a dwell would help
        """
        urgencies = self._update_candidates(now_ms, candidates)
        step = self._end_step(now_ms, urgencies) or self._requested_step(now_ms)
        step = step or self._interrupting_step(now_ms, urgencies) or self._sniff_step()
        if step is None:  # nothing is due and it cannot sniff: do what is due soonest
            step = self._periodic_step(now_ms, min(self._periodic, key=lambda entry: entry[3]))
        self._step = step
        self._began_ms = now_ms
        return step

    def may_leave(self, now_ms: int, candidates: list) -> bool:
        """True if the running DWELL may end now, because its candidate is decided."""
        if self._step is None or self._step.phase != DWELL:
            return False
        if self._requested_channel:
            return self._requested_channel != self._step.channel or now_ms >= self._requested_until_ms
        if now_ms - self._began_ms < MIN_DWELL_MS:
            return False
        urgency = max([urgency for channel, urgency in candidates if channel == self._step.channel], default=0)
        return urgency <= self._began_urgency // 2

    def quiet_ms(self) -> int:
        """Return after how long the running SNIFF may end if no frame was heard."""
        return self._quiet_ms[self._cycles % len(self._quiet_ms)]

    def _update_candidates(self, now_ms, candidates):
        urgencies = {}
        for channel, urgency in candidates:
            if self._sniffs and (channel in self._channels or channel in self._rare_channels):
                urgencies[channel] = max(urgency, urgencies.get(channel, 0))
                self._waiting_since_ms.setdefault(channel, now_ms)
                if not self._is_fresh(now_ms, channel, urgency):
                    self._stale_ms[channel] = now_ms
        for channel in list(self._waiting_since_ms):
            if channel not in urgencies:
                del self._waiting_since_ms[channel]
        for channel in list(self._rests):
            if channel not in urgencies and now_ms >= self._rests[channel][0]:
                del self._rests[channel]
        return urgencies

    def _end_step(self, now_ms, urgencies):
        """Evaluate the step that ended; return a Step that extends it, or None."""
        step = self._step
        if step is None:
            return None
        if step.phase == UPLOAD and self._upload_ended_ms < self._began_ms:
            self.end_upload(now_ms, True)
        if step.phase != DWELL or self._requested_channel:
            return None
        channel = step.channel
        urgency = urgencies.get(channel)
        self._stale_ms[channel] = now_ms
        self._dwell_urgency[channel] = max(self._began_urgency, urgency or 0)
        if urgency is None:  # decided
            self._rests.pop(channel, None)
            return None
        alone = all(other == channel or not self._is_fresh(now_ms, other, urgencies[other]) for other in urgencies)
        if urgency >= NEAR_DECISION and alone and not self._extended:
            self._extended = True
            return Step(DWELL, channel, EXTENSION_MS)
        longest_ms = MAX_REST_MS if urgency >= MIN_URGENCY else IDLE_REST_MS
        rest_ms = min(longest_ms, 2 * self._rests[channel][1]) if channel in self._rests else REST_MS
        self._rests[channel] = [now_ms + rest_ms, rest_ms, urgency]
        self._waiting_since_ms[channel] = now_ms
        return None

    def _requested_step(self, now_ms):
        if not self._requested_channel:
            return None
        left_ms = self._requested_until_ms - now_ms
        if left_ms <= 0:
            self._requested_channel = 0
            self._sniff_steps = 0
            return None
        often = self._requested_upload_ms and self._upload_every_ms and not self._failed
        if self._upload_is_due(now_ms) or (often and now_ms - self._upload_ended_ms >= self._requested_upload_ms):
            return Step(UPLOAD, 0, UPLOAD_MS)  # never LONG_UPLOAD_MS: a person is listening to the beeps
        return Step(DWELL, self._requested_channel, min(left_ms, DWELL_MS)) if self._sniffs else None

    def _interrupting_step(self, now_ms, urgencies):
        """Return the step that interrupts the cycle now, or None."""
        is_whole_cycle = not self._sniffs or self._sniff_steps >= self._cycle_steps
        channel = self._best_channel(now_ms, urgencies)
        fresh = channel != 0 and self._is_fresh(now_ms, channel, urgencies[channel])
        if not is_whole_cycle:
            if fresh and not self._cycle_interrupted and (self._last_was_dwell or urgencies[channel] >= URGENT):
                self._cycle_interrupted = True
                return self._dwell_step(channel, urgencies, fresh)
            return None
        self._cycle_interrupted = False
        if self._upload_is_due(now_ms) and (self._upload_urgent or not fresh):
            return self._begin_interruption(self._upload_step(), False)
        due = [entry for entry in self._periodic if now_ms >= entry[3]]
        if self._sniffs and not channel and not self._last_was_dwell and self._sniff_steps < 2 * self._cycle_steps:
            due = []  # two cycles without a candidate: the first SNIFF may have missed a camera's frames
        if channel and (
            not due
            or self._dwells_turn
            or (fresh and self._fresh_dwells < (MAX_FRESH_DWELLS if urgencies[channel] >= URGENT else 1))
        ):
            return self._dwell_step(channel, urgencies, fresh)
        return self._periodic_step(now_ms, min(due, key=lambda entry: entry[3])) if due else None

    def _upload_is_due(self, now_ms):
        if not self._upload_every_ms:
            return False
        if self._upload_urgent and not self._failed:
            return now_ms - self._upload_ended_ms >= UPLOAD_GAP_MS
        return now_ms >= self._upload_due_ms

    def _upload_step(self):
        return Step(UPLOAD, 0, LONG_UPLOAD_MS if self._failed else UPLOAD_MS)

    def _best_channel(self, now_ms, urgencies):
        """Return the channel to dwell on, by urgency and waiting time; 0 if none."""
        best, best_worth = 0, -1
        for channel in urgencies:
            urgency = urgencies[channel]
            rest = self._rests.get(channel)
            if rest and now_ms < rest[0] and urgency < rest[2] + URGENCY_RISE:
                continue
            worth = urgency + WAITING_POINTS_PER_S * (now_ms - self._waiting_since_ms[channel]) // 1000
            if self._is_fresh(now_ms, channel, urgency):
                worth = FRESH_BONUS + urgency
            if worth > best_worth:
                best, best_worth = channel, worth
        return best

    def _is_fresh(self, now_ms, channel, urgency):
        if now_ms - self._stale_ms.get(channel, -FRESH_MS) >= FRESH_MS:
            return True
        # A much stronger candidate is another one than that of the last dwell.
        return urgency >= self._dwell_urgency.get(channel, 0) + URGENCY_RISE

    def _dwell_step(self, channel, urgencies, fresh):
        self._extended = False
        self._began_urgency = urgencies[channel]
        self._fresh_dwells = self._fresh_dwells + 1 if fresh else 0
        self._dwells_turn = False
        return self._begin_interruption(Step(DWELL, channel, DWELL_MS), True)

    def _periodic_step(self, now_ms, entry):
        entry[3] = now_ms + entry[1] + entry[2]
        self._dwells_turn = True
        self._fresh_dwells = 0
        return self._begin_interruption(Step(entry[0], 0, entry[1]), False)

    def _begin_interruption(self, step, is_dwell):
        self._sniff_steps = 0
        self._last_was_dwell = is_dwell
        return step

    def _sniff_step(self):
        if not self._sniffs:
            return None
        if self._next_channel == len(self._channels):
            channel = self._rare_channels[self._next_rare]
            self._next_rare = (self._next_rare + 1) % len(self._rare_channels)
        else:
            channel = self._channels[self._next_channel]
        if self._next_channel == 0:
            self._cycles += 1
        self._next_channel = (self._next_channel + 1) % self._cycle_steps
        self._sniff_steps += 1
        return Step(SNIFF, channel, SNIFF_MS)
