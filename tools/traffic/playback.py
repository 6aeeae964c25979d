"""
Play traffic to the detectors, for tools/replay.py, tools/evaluate.py and tools/fit.py.

    traffic = playback.open_traffic("scene.json", seed=1)
    for at_ms, finding in playback.play_on_channel(traffic, playback.make_engine): ...
    for at_ms, finding in playback.play_hopping(traffic, playback.make_engine(), playback.firmware_plan(traffic)): ...

The time of the traffic is the sensor's time and starts at 0 ms. The engine judges once a second, as on
the sensor. Long silences are skipped.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansim import messages
from ansim.detect import engine as detection
from ansim.finding import RAISED, Finding
from ansim.frame_header import CHANNEL, KIND, KIND_UNDECODABLE, RECORD_BYTES, address_bytes
from ansim.observation import AccessPoint, Advertisement, Spectrum
from firmware.radio import plan as planning
from tools.traffic import air, scene, streams
from tools.traffic.advertisers import Analogue, Beacon, busy_channels
from tools.traffic.opened import Recording, open_recording
from tools.traffic.pcap import Tally
from tools.traffic.radiotap import UNKNOWN_CHANNEL

BATCH = 256  # records passed to the engine at once
JUDGE_MS = 1000
AFTER_MS = 5000  # played after the last frame of a recording
SILENCE_MS = 120_000  # after this much silence, time is skipped ...
BEFORE_MS = 20_000  # ... until this long before the next frame
SETTLE_US = 10_000  # dropped at the start of a dwell on a channel, as in the firmware
STREAM_CHANNEL = 6  # of a header stream
STAND_IN_CHANNEL = 1  # told to the engine that judges frames without a channel; its findings have channel 0
SWEEPS = 100  # measurements of the nRF24 in one SPECTRUM step
UPLOAD_EVERY_MS = 60_000
UPLOAD_TAKES_MS = 8_000  # of 6 to 10 s; the plan's duration is the longest
OTHER_RADIOS_MS = 5000  # interval of scans by the other radios when all channels are received
MOST_ADVERTISEMENTS = 10  # of one sender in one scan, passed to the engine


class Traffic(NamedTuple):
    """The transmissions of a recording or a scene."""

    records: Iterable[tuple[int, bytes]]  # (time_us, record) in time order
    end_ms: int | None = None  # None: AFTER_MS after the last frame
    access_points: Sequence[AccessPoint] = ()  # found by a scan
    ble: Sequence[Beacon] = ()
    analogue: Sequence[Analogue] = ()


class Totals:
    """Totals of a playback: `frames` passed to the detectors, `stations` received, and the final time `now_ms`."""

    def __init__(self):
        self.frames = 0
        self.now_ms = 0
        self.coverage: list[dict] = []  # the final Engine.coverage() of each engine

    @property
    def stations(self) -> int:
        return sum(coverage["stations"] for coverage in self.coverage)


def open_traffic(
    path: Path | str | Recording,
    seed: int = 0,
    loss: float = 0.0,
    advance: Callable[[int], object] | None = None,
    tally: Tally | None = None,
) -> Traffic:
    """
    Return the Traffic of a capture, a header stream or a scene.

    loss     0..1, share of frames that are left out at random
    advance  called occasionally with the progress: bytes of a capture, seconds of anything else
    tally    of a capture, filled in

    A header stream is played as a station on STREAM_CHANNEL with generated addresses. Raises ToolError,
    also while the records are read.
    """
    recording = open_recording(path)
    kind = streams.kind(recording)
    if kind == streams.SCENE:
        recording.close()
        traffic = from_scene(scene.load(recording.name), seed)
    elif kind == streams.RECORDS:
        traffic = Traffic(streams.records(recording, advance, tally))
    else:
        mac, bssid = (
            address_bytes(scene.generated_address(prefix, 0)) for prefix in (scene.DEVICE_PREFIX, scene.BSSID_PREFIX)
        )
        traffic = Traffic(air.Emitter(mac, bssid, STREAM_CHANNEL).records(streams.frames(recording), seed))
    if advance and kind != streams.RECORDS:
        traffic = traffic._replace(records=_report_seconds(traffic.records, advance))
    return with_loss(traffic, loss, seed) if loss else traffic


def from_scene(scene_: scene.Scene, seed: int | str = 0) -> Traffic:
    """Return the Traffic of a scene."""
    end_ms = int(scene_.duration_s * 1000)
    return Traffic(scene_.records(seed), end_ms, scene_.access_points, scene_.ble, scene_.analogue)


def with_loss(traffic: Traffic, loss: float, seed: int = 0, burst_ms: float = 0.0) -> Traffic:
    """Leave out a share of the records, independently or in bursts (see air.Loss)."""
    is_lost = air.Loss(loss, burst_ms, air.seeded_random(f"{seed} thinned")).is_lost
    return traffic._replace(records=((time_us, record) for time_us, record in traffic.records if not is_lost(time_us)))


def play_on_channel(
    traffic: Traffic,
    make_engine: Callable[[], Any],
    totals: Totals | None = None,
    watch: Callable[[Any, int], object] | None = None,
) -> Iterator[tuple[int, Finding]]:
    """
    Receive every channel all the time, as one sensor per channel would; yield (at_ms, Finding).

    make_engine  called for each channel with traffic, returns an Engine
    totals       filled in
    watch        called with (engine, at_ms) after each judgement
    """
    totals = totals or Totals()
    receivers: dict[int, _Receiver] = {}  # by channel

    def receiver_on(channel, now_ms):
        if channel not in receivers:
            receivers[channel] = receiver = _Receiver(make_engine(), channel)
            receiver.engine.tune(channel or STAND_IN_CHANNEL, now_ms)
        return receivers[channel]

    for access_point in traffic.access_points:
        receiver_on(access_point.channel, 0).access_points.append(access_point)
    # Bluetooth and the nRF24 have their own antennas here; one engine gets what they receive.
    shared_engine = receiver_on(STREAM_CHANNEL, 0).engine if traffic.ble or traffic.analogue else None
    random_ = random.Random(0)
    judge_ms = JUDGE_MS
    judge_us = judge_ms * 1000
    last_ms = 0
    for time_us, record in _with_end(traffic):
        while time_us >= judge_us:
            if shared_engine and judge_ms % OTHER_RADIOS_MS == 0:
                _scan_bluetooth(shared_engine, traffic.ble, judge_ms, OTHER_RADIOS_MS)
                _scan_spectrum(shared_engine, traffic.analogue, judge_ms, random_, judge_ms)
            for receiver in receivers.values():
                if receiver.access_points and judge_ms % OTHER_RADIOS_MS == 0:
                    found = [access_point._replace(at_ms=judge_ms) for access_point in receiver.access_points]
                    receiver.engine.access_points(found, judge_ms)
                for finding in receiver.judge(judge_ms, totals):
                    yield judge_ms, finding if receiver.channel else finding._replace(channel=UNKNOWN_CHANNEL)
                if watch:
                    watch(receiver.engine, judge_ms)
            judge_ms += JUDGE_MS
            if judge_ms - last_ms > SILENCE_MS and time_us // 1000 - judge_ms > BEFORE_MS:
                judge_ms = time_us // 1_000_000 * 1000 - BEFORE_MS
            judge_us = judge_ms * 1000
        if record is None:
            break
        last_ms = time_us // 1000
        receiver = receivers.get(record[CHANNEL])
        if receiver is None:
            receiver = receiver_on(record[CHANNEL], last_ms)
        receiver.add(record, totals)
    totals.now_ms = judge_ms - JUDGE_MS
    totals.coverage = [receiver.engine.coverage() for receiver in receivers.values()]


def play_hopping(
    traffic: Traffic, engine: Any, plan: Any, totals: Totals | None = None, start_ms: int = 0
) -> Iterator[tuple[int, Finding]]:
    """
    Hop, dwell, scan and upload by the firmware's plan; yield (at_ms, Finding).

    totals    filled in
    start_ms  the sensor's time when the traffic starts, so that a recording can begin anywhere in the hop;
              at_ms counts from the start of the traffic nevertheless

    A channel is not received for SETTLE_US after tuning, and no channel is received in the other phases.
    """
    return _Sensor(traffic, engine, plan, totals or Totals(), start_ms).run()


class _Sensor:
    """One antenna, used as in firmware/radio/listener.py."""

    def __init__(self, traffic, engine, plan, totals, start_ms):
        self._traffic, self._engine, self._plan, self._totals = traffic, engine, plan, totals
        self._start_ms = start_ms
        self._receiver = _Receiver(engine)
        self._random = random.Random(0)
        self._source = _with_end(traffic)
        self._next = next(self._source)  # the next (time_us, record); a record of None is the end
        self._now_ms = -start_ms  # of the traffic
        self._last_ms = 0

    def run(self):
        while not self._has_ended():
            next_ms = self._next[0] // 1000
            if self._now_ms - self._last_ms > SILENCE_MS and next_ms - self._now_ms > BEFORE_MS:
                self._now_ms = next_ms - BEFORE_MS
            step = self._plan.next(self._sensor_ms(), self._engine.candidates(self._sensor_ms()))
            if step.phase in (planning.SNIFF, planning.DWELL):
                self._engine.tune(step.channel, self._sensor_ms())
                yield from self._listen(step)
            else:
                self._engine.tune(0, self._sensor_ms())
                yield from self._run_other_phase(step)
        self._totals.now_ms = self._now_ms
        self._totals.coverage = [self._engine.coverage()]

    def _sensor_ms(self):
        return self._now_ms + self._start_ms

    def _has_ended(self):
        return self._next[1] is None and self._now_ms * 1000 >= self._next[0]

    def _listen(self, step):
        end_ms = self._now_ms + step.duration_ms
        from_us = self._now_ms * 1000 + SETTLE_US
        if step.phase == planning.SNIFF:
            self._now_ms += self._plan.quiet_ms()
            self._receive(step.channel, from_us)
            if self._receiver.is_quiet(self._totals):
                end_ms = self._now_ms
                yield from self._timed(self._receiver.judge(self._sensor_ms(), self._totals))
        while self._now_ms < end_ms and not self._has_ended():
            self._now_ms = min(end_ms, self._now_ms + JUDGE_MS)
            self._receive(step.channel, from_us)
            yield from self._timed(self._receiver.judge(self._sensor_ms(), self._totals))
            if step.phase == planning.DWELL and self._plan.may_leave(
                self._sensor_ms(), self._engine.candidates(self._sensor_ms())
            ):
                return

    def _run_other_phase(self, step):
        is_upload = step.phase == planning.UPLOAD
        self._now_ms += min(step.duration_ms, UPLOAD_TAKES_MS) if is_upload else step.duration_ms
        self._receive(0, 0)
        engine, traffic, now_ms = self._engine, self._traffic, self._sensor_ms()
        if step.phase == planning.SCAN:
            found = [access_point._replace(at_ms=now_ms) for access_point in traffic.access_points]
            engine.access_points(found, now_ms)
        elif step.phase == planning.BLE:
            _scan_bluetooth(engine, traffic.ble, now_ms, step.duration_ms)
        elif step.phase == planning.SPECTRUM:
            _scan_spectrum(engine, traffic.analogue, self._now_ms, self._random, now_ms)
        elif step.phase == planning.UPLOAD:
            self._plan.end_upload(now_ms, True)
        yield from self._timed(engine.judge(now_ms))

    def _timed(self, findings):
        """Yield findings with their time, and tell the plan of new ones."""
        for finding in findings:
            if finding.event == RAISED:
                self._plan.upload_soon()
            yield self._now_ms, finding

    def _receive(self, channel, from_us):
        """Consume the traffic until now; the receiver gets the records of one channel from a time on."""
        until_us = self._now_ms * 1000
        time_us, record = self._next
        receiver = self._receiver
        while time_us < until_us and record is not None:
            if record[CHANNEL] == channel and time_us >= from_us:
                receiver.add(record, self._totals)
            self._last_ms = time_us // 1000
            time_us, record = next(self._source)
        self._next = time_us, record


def firmware_plan(
    traffic: Traffic, channels: Sequence[int] = tuple(range(1, 14)), uplink: str = "wifi"
) -> planning.Plan:
    """Return the plan of a sensor with Wi-Fi and Bluetooth, and with an nRF24 if there are analogue senders."""
    capabilities = [messages.SCAN, messages.SNIFF, messages.BLE]
    if traffic.analogue:
        capabilities.append(messages.NRF24)
    return planning.Plan(list(channels), capabilities, UPLOAD_EVERY_MS, uplink)


def make_engine() -> Any:
    """Return the detectors of a sensor with default settings."""
    return detection.standard({})


def _report_seconds(records, advance):
    """Pass records on and report each second of their time."""
    reported_us = 0
    for time_us, record in records:
        if time_us - reported_us >= 1_000_000:
            seconds = (time_us - reported_us) // 1_000_000
            reported_us += seconds * 1_000_000
            advance(seconds)
        yield time_us, record


def _with_end(traffic):
    """Yield the records, then (end of the traffic, None)."""
    last_us = 0
    end_us = None if traffic.end_ms is None else traffic.end_ms * 1000
    for time_us, record in traffic.records:
        last_us = time_us
        yield time_us, record
    yield (last_us + AFTER_MS * 1000 if end_us is None else end_us), None


def _scan_bluetooth(engine, ble, now_ms, duration_ms):
    """Pass the result of a scan to the engine; a scanner is on one of three advertising channels at a time."""
    for beacon in ble:
        for _ in range(min(MOST_ADVERTISEMENTS, max(1, duration_ms // beacon.interval_ms // 3))):
            engine.advertisement(
                Advertisement(now_ms, beacon.address, beacon.address_type, beacon.rssi_dbm, beacon.payload)
            )


def _scan_spectrum(engine, analogue, traffic_ms, random_, now_ms):
    """Pass the measurements of the nRF24 to the engine, if there are analogue senders."""
    if analogue:
        engine.spectrum(Spectrum(now_ms, SWEEPS, busy_channels(analogue, traffic_ms / 1000, SWEEPS, random_)))


class _Receiver:
    """An engine and a buffer of records that it has not got yet."""

    def __init__(self, engine, channel=0):
        self.engine = engine
        self.channel = channel
        self.access_points = []
        self._buffer = bytearray(BATCH * RECORD_BYTES)
        self._filled = 0
        self._undecodable = 0

    def add(self, record, totals):
        start = self._filled
        self._buffer[start : start + RECORD_BYTES] = record
        self._filled = start + RECORD_BYTES
        if record[KIND] & 0x0F == KIND_UNDECODABLE:
            self._undecodable += 1
        if start == (BATCH - 1) * RECORD_BYTES:
            self._flush(totals)

    def is_quiet(self, totals):
        """Flush the buffer; return True if no frame was received."""
        self._flush(totals)
        return not self._undecodable and self.engine.is_quiet()

    def judge(self, now_ms, totals):
        """Flush the buffer; return the engine's findings."""
        self._flush(totals)
        if self._undecodable:
            self.engine.lost(self._undecodable, 0)
            self._undecodable = 0
        return self.engine.judge(now_ms)

    def _flush(self, totals):
        count = self._filled // RECORD_BYTES
        if count:
            self.engine.take(self._buffer, count)
            totals.frames += count
            self._filled = 0
