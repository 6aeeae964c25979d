"""
Play traffic to the detectors: what tools/replay.py and tools/evaluate.py have in common.

    traffic = playback.open_traffic("scene.json", seed=1)
    for at_ms, finding in playback.play_on_channel(traffic, engine.standard({})): ...
    for at_ms, finding in playback.play_hopping(traffic, engine.standard({}), plan): ...

The time of the traffic is the sensor's time: it starts at 0 ms. Judging is done each second,
as on the sensor. Where nobody sends for long, time is skipped.
"""

import random
from collections import namedtuple

from ansim import messages
from ansim.detect import engine as detection
from ansim.finding import RAISED
from ansim.frame_header import CHANNEL, KIND, KIND_UNDECODABLE, RECORD_BYTES, address_bytes
from ansim.observation import Advertisement, Spectrum
from firmware.radio import plan as planning
from tools.traffic import air, scene, streams
from tools.traffic.advertisers import busy_channels

BATCH = 256  # records handed over at once
JUDGE_MS = 1000
AFTER_MS = 5000  # how long to go on after the last frame of a recording
SILENCE_MS = 120_000  # after that much silence, time is skipped ...
BEFORE_MS = 20_000  # ... up to so long before the next frame
SETTLE_US = 10_000  # the first moments of a visit are dropped, as the firmware does
STREAM_CHANNEL = 6  # where a single header stream is played
SWEEPS = 100  # looks of the nRF24 at the band in one SPECTRUM step
UPLOAD_EVERY_MS = 60_000
OTHERS_MS = 5000  # how often the other radios are asked if every channel is heard all the time
MOST_HEARD = 10  # advertisements of one sender in one scan that are shown to the detectors

# What is on the air.
# records        iterator of (time_us, record) in time order
# end_ms         when it ends, None: AFTER_MS after its last frame
# access_points  list of AccessPoint, heard by a scan
# ble            list of tools.traffic.advertisers.Beacon
# analogue       list of tools.traffic.advertisers.Analogue
Traffic = namedtuple("Traffic", ("records", "end_ms", "access_points", "ble", "analogue"))


class Totals:
    """What was played: `frames` handed to the detectors, `stations` heard, until `now_ms`."""

    def __init__(self):
        self.frames = 0
        self.now_ms = 0
        self.coverage = []  # what Engine.coverage() said in the end, one for each engine

    @property
    def stations(self):
        return sum(one["stations"] for one in self.coverage)


def open_traffic(path, seed=0, loss=0.0, advance=None) -> Traffic:
    """
    Return the Traffic of a capture, a header stream or a scene.

    A header stream is played as a station on channel 6 with made-up addresses. `loss` (0..1)
    of all frames are left out at random. `advance` is called now and then with how far it got:
    bytes of a capture, seconds of anything else. Raises ToolError, also while records are read.
    """
    kind = streams.kind(path)
    if kind == streams.SCENE:
        traffic = from_scene(scene.load(path), seed)
    elif kind == streams.RECORDS:
        traffic = Traffic(streams.records(path, advance), None, [], [], [])
    else:
        mac, bssid = (
            address_bytes(scene.generated_address(one, 0)) for one in (scene.DEVICE_PREFIX, scene.BSSID_PREFIX)
        )
        emitter = air.Emitter(mac, bssid, STREAM_CHANNEL)
        traffic = Traffic(emitter.records(streams.frames(path), seed), None, [], [], [])
    if advance and kind != streams.RECORDS:
        traffic = traffic._replace(records=_timed(traffic.records, advance))
    return with_loss(traffic, loss, seed) if loss else traffic


def from_scene(played, seed=0) -> Traffic:
    """Return the Traffic of a tools.traffic.scene.Scene."""
    end_ms = int(played.duration_s * 1000)
    return Traffic(played.records(seed), end_ms, played.access_points, played.ble, played.analogue)


def with_loss(traffic, loss, seed=0, burst_ms=0.0) -> Traffic:
    """Leave out a share of the records, one by one or in bursts."""
    takes = air.Loss(loss, burst_ms, air.seeded_random(f"{seed} thinned")).is_lost
    return traffic._replace(records=(one for one in traffic.records if not takes(one[0])))


def play_on_channel(traffic, make_engine, tally=None, watch=None):
    """
    Hear every channel all the time, as if a sensor sat on each; yield (at_ms, Finding).

    make_engine  called for each channel on which something is sent, returns an Engine
    tally        a Tally that is filled in
    watch        called with (engine, at_ms) after each judgement
    """
    tally = tally or Totals()
    ears = {}  # channel -> _Ear

    def ear(channel, now_ms):
        if channel not in ears:
            ears[channel] = _Ear(make_engine(), channel, now_ms)
        return ears[channel]

    for one in traffic.access_points:
        ear(one.channel, 0).access_points.append(one)
    # Bluetooth and the nRF24 have their own antenna here; one engine is enough for them.
    others = ear(STREAM_CHANNEL, 0).engine if traffic.ble or traffic.analogue else None
    random_ = random.Random(0)
    judge_ms = JUDGE_MS
    judge_us = judge_ms * 1000
    last_ms = 0
    for time_us, record in _until(traffic):
        while time_us >= judge_us:
            if others and judge_ms % OTHERS_MS == 0:
                _bluetooth(others, traffic.ble, judge_ms, OTHERS_MS)
                _spectrum(others, traffic.analogue, judge_ms, random_, judge_ms)
            for one in ears.values():
                if one.access_points and judge_ms % OTHERS_MS == 0:
                    one.engine.access_points([ap._replace(at_ms=judge_ms) for ap in one.access_points], judge_ms)
                for finding in one.judge(judge_ms, tally):
                    yield judge_ms, finding
                if watch:
                    watch(one.engine, judge_ms)
            judge_ms += JUDGE_MS
            if judge_ms - last_ms > SILENCE_MS and time_us // 1000 - judge_ms > BEFORE_MS:
                judge_ms = time_us // 1_000_000 * 1000 - BEFORE_MS
            judge_us = judge_ms * 1000
        if record is None:
            break
        last_ms = time_us // 1000
        listening = ears.get(record[CHANNEL])
        if listening is None:
            listening = ear(record[CHANNEL], last_ms)
        listening.add(record, tally)
    tally.now_ms = judge_ms - JUDGE_MS
    tally.coverage = [one.engine.coverage() for one in ears.values()]


def play_hopping(traffic, engine, plan, tally=None, start_ms=0):
    """
    Hop, dwell, scan and upload as the firmware's plan wants; yield (at_ms, Finding).

    start_ms  the sensor's time when the traffic starts, so that a session can begin
              anywhere in the hop; at_ms counts from the traffic's start all the same

    A channel is deaf for SETTLE_US after tuning, and all are in the other phases.
    """
    return _Sensor(traffic, engine, plan, tally or Totals(), start_ms).run()


class _Sensor:
    """One antenna, as firmware/radio/listener.py uses it."""

    def __init__(self, traffic, engine, plan, tally, start_ms):
        self._traffic, self._engine, self._plan, self._tally = traffic, engine, plan, tally
        self._start_ms = start_ms
        self._heard = _Ear(engine, 0, 0)
        self._random = random.Random(0)
        self._source = _until(traffic)
        self._next = next(self._source)  # (time_us, record): what comes next; a record of None is the end
        self._now_ms = -start_ms  # of the traffic
        self._last_ms = 0

    def run(self):
        while not self._ended():
            next_ms = self._next[0] // 1000
            if self._now_ms - self._last_ms > SILENCE_MS and next_ms - self._now_ms > BEFORE_MS:
                self._now_ms = next_ms - BEFORE_MS
            step = self._plan.next(self._sensor_ms(), self._engine.candidates(self._sensor_ms()))
            if step.phase in (planning.SNIFF, planning.DWELL):
                self._engine.tune(step.channel, self._sensor_ms())
                yield from self._listen(step)
            else:
                self._engine.tune(0, self._sensor_ms())
                yield from self._other(step)
        self._tally.now_ms = self._now_ms
        self._tally.coverage = [self._engine.coverage()]

    def _sensor_ms(self):
        return self._now_ms + self._start_ms

    def _ended(self):
        return self._next[1] is None and self._now_ms * 1000 >= self._next[0]

    def _listen(self, step):
        end_ms = self._now_ms + step.duration_ms
        from_us = self._now_ms * 1000 + SETTLE_US
        if step.phase == planning.SNIFF:
            self._now_ms += self._plan.quiet_ms()
            self._pass(step.channel, from_us)
            if self._heard.is_quiet(self._tally):
                end_ms = self._now_ms
                yield from self._told(self._heard.judge(self._sensor_ms(), self._tally))
        while self._now_ms < end_ms and not self._ended():
            self._now_ms = min(end_ms, self._now_ms + JUDGE_MS)
            self._pass(step.channel, from_us)
            yield from self._told(self._heard.judge(self._sensor_ms(), self._tally))
            if step.phase == planning.DWELL and self._plan.may_leave(
                self._sensor_ms(), self._engine.candidates(self._sensor_ms())
            ):
                return

    def _other(self, step):
        self._now_ms += step.duration_ms
        self._pass(0, 0)
        engine, traffic, now_ms = self._engine, self._traffic, self._sensor_ms()
        if step.phase == planning.SCAN:
            engine.access_points([one._replace(at_ms=now_ms) for one in traffic.access_points], now_ms)
        elif step.phase == planning.BLE:
            _bluetooth(engine, traffic.ble, now_ms, step.duration_ms)
        elif step.phase == planning.SPECTRUM:
            _spectrum(engine, traffic.analogue, self._now_ms, self._random, now_ms)
        elif step.phase == planning.UPLOAD:
            self._plan.end_upload(now_ms, True)
        yield from self._told(engine.judge(now_ms))

    def _told(self, findings):
        for finding in findings:
            if finding.event == RAISED:
                self._plan.upload_soon()
            yield self._now_ms, finding

    def _pass(self, channel, from_us):
        """Let the traffic go by until now; what is on the channel, from this moment on, is heard."""
        until_us = self._now_ms * 1000
        time_us, record = self._next
        heard = self._heard
        while time_us < until_us and record is not None:
            if record[CHANNEL] == channel and time_us >= from_us:
                heard.add(record, self._tally)
            self._last_ms = time_us // 1000
            time_us, record = next(self._source)
        self._next = time_us, record


def firmware_plan(traffic, channels=tuple(range(1, 14)), uplink="wifi"):
    """The plan of a sensor with Wi-Fi and Bluetooth, and with an nRF24 if there is something for it to hear."""
    capabilities = [messages.SCAN, messages.SNIFF, messages.BLE]
    if traffic.analogue:
        capabilities.append(messages.NRF24)
    return planning.Plan(list(channels), capabilities, UPLOAD_EVERY_MS, uplink)


def make_engine():
    """The detectors as a sensor without special settings has them."""
    return detection.standard({})


def _timed(records, advance):
    """Pass records on and tell each second that has gone by."""
    told_us = 0
    for one in records:
        if one[0] - told_us >= 1_000_000:
            seconds = (one[0] - told_us) // 1_000_000
            told_us += seconds * 1_000_000
            advance(seconds)
        yield one


def _until(traffic):
    """The records, then the moment at which the traffic ends with None."""
    last_us = 0
    end_us = None if traffic.end_ms is None else traffic.end_ms * 1000
    for one in traffic.records:
        last_us = one[0]
        yield one
    yield (last_us + AFTER_MS * 1000 if end_us is None else end_us), None


def _bluetooth(engine, ble, now_ms, duration_ms):
    """What a scan of `duration_ms` heard; a scanner is on one of three advertising channels at a time."""
    for one in ble:
        for _ in range(min(MOST_HEARD, max(1, duration_ms // one.interval_ms // 3))):
            engine.advertisement(Advertisement(now_ms, one.address, one.address_type, one.rssi_dbm, one.payload))


def _spectrum(engine, analogue, traffic_ms, random_, now_ms):
    """What the nRF24 saw, if there is anything for it to see."""
    if analogue:
        engine.spectrum(Spectrum(now_ms, SWEEPS, busy_channels(analogue, traffic_ms / 1000, SWEEPS, random_)))


class _Ear:
    """An engine with the records that it has not been given yet."""

    def __init__(self, engine, channel, now_ms):
        self.engine = engine
        self.access_points = []
        self._buffer = bytearray(BATCH * RECORD_BYTES)
        self._filled = 0
        self._undecodable = 0
        if channel:
            engine.tune(channel, now_ms)

    def add(self, record, tally):
        at = self._filled
        self._buffer[at : at + RECORD_BYTES] = record
        self._filled = at + RECORD_BYTES
        if record[KIND] & 0x0F == KIND_UNDECODABLE:
            self._undecodable += 1
        if at == (BATCH - 1) * RECORD_BYTES:
            self._hand_over(tally)

    def is_quiet(self, tally):
        """Hand over what was heard; True if that was nobody."""
        self._hand_over(tally)
        return not self._undecodable and self.engine.is_quiet()

    def judge(self, now_ms, tally):
        """Hand over what was heard; return what the engine makes of it."""
        self._hand_over(tally)
        if self._undecodable:
            self.engine.lost(self._undecodable, 0)
            self._undecodable = 0
        return self.engine.judge(now_ms)

    def _hand_over(self, tally):
        count = self._filled // RECORD_BYTES
        if count:
            self.engine.take(self._buffer, count)
            tally.frames += count
            self._filled = 0
