"""
Examples for the fit: the values of the station table for each device, second by second.

Each recording is played through the real detector under several conditions, and generated traffic
replaces missing recordings of a kind of device. An example is one judgement of one device: its measured
values, whether it is a camera that sends video, and its source.
"""

import csv
import random
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from ansim.detect import camera_evidence as evidence
from ansim.detect.camera_stream import CameraStream
from ansim.detect.engine import Engine
from ansim.detect.stations.layout import O_ACTIVE
from ansim.frame_header import EXTRA, EXTRA_AMSDU, KIND, KIND_DATA, LENGTH, address_bytes
from firmware.radio import plan as planning
from tools.evaluation import counting, dataset
from tools.traffic import air, patterns, playback, scene, streams


class Condition(NamedTuple):
    """How a recording is received."""

    name: str
    hops: bool  # False: always on the channel; True: by FixedPlan
    loss: float  # 0..1, share of frames lost
    burst_ms: float  # mean length of a bad period; 0: frames are lost independently
    retries: float  # 0..1, share of frames sent twice
    aggregates: bool  # frames are joined into A-MSDUs
    weight: float  # of its examples


CONDITIONS = (
    Condition("clear", False, 0.0, 0, 0.0, False, 1.0),
    Condition("30 % lost", False, 0.3, 0, 0.1, False, 0.4),
    Condition("60 % lost", False, 0.6, 0, 0.0, False, 0.4),
    Condition("80 % lost", False, 0.8, 0, 0.0, False, 0.3),
    Condition("half lost in short bursts", False, 0.5, 60, 0.0, False, 0.4),
    Condition("half lost in long bursts", False, 0.5, 300, 0.0, False, 0.4),
    Condition("A-MSDU", False, 0.0, 0, 0.1, True, 0.3),
    Condition("hopping", True, 0.0, 0, 0.0, False, 0.7),
    Condition("hopping, half lost in bursts", True, 0.5, 120, 0.0, False, 0.5),
)
GENERATED_ORIGIN = "generated"
SETTLED_S = 1.5  # from the start of a session until its seconds are examples of a camera

# (pattern, seconds) of devices of which there are no or hardly any recordings. They have a lower weight, and no
# figure counts them as recordings.
GENERATED_WEIGHT = 0.5
GENERATED = [
    ({"kind": "call", "up_kbps": up, "down_kbps": down}, 40)
    for up, down in ((300, 300), (900, 900), (1500, 700), (600, 1500))
] + [({"kind": "web"}, 60), ({"kind": "game"}, 20), ({"kind": "voice"}, 20)]
GENERATED_CAMERAS = (
    ({"kind": "camera_pppp", "kbps": 220, "fps": 10, "mtu": 1060}, 30),
    ({"kind": "camera_pppp", "kbps": 700, "fps": 15, "mtu": 1060}, 30),
    ({"kind": "camera_pppp", "kbps": 1500, "fps": 20, "mtu": 1060, "key_ratio": 1.2}, 30),
    ({"kind": "camera", "kbps": 300, "audio_kbps": 64}, 30),
    ({"kind": "camera", "kbps": 2500, "fps": 25, "acks": "udp"}, 30),
)

# Devices that resemble a camera for some seconds. Only the second stage is fitted to them, besides the recordings of
# other devices. Generated uploads are left out, because their trains of segments are more regular than real ones;
# live streams are left out, because their encoders are those of cameras.
LOOK_ALIKES = [
    ({"kind": "call_one_way", "kbps": kbps, "fps": fps}, 60) for kbps in (200, 600, 1500) for fps in (15, 24, 30)
]

MAC = address_bytes(scene.generated_address(scene.DEVICE_PREFIX, 1))
PHONE = address_bytes(scene.generated_address(scene.PHONE_PREFIX, 1))
BSSID = address_bytes(scene.generated_address(scene.BSSID_PREFIX, 6))
CLIENT = address_bytes(scene.generated_address(scene.CLIENT_PREFIX, 1))


@dataclass(frozen=True)
class Source:
    """A recording or a generated pattern to play."""

    name: str
    kind: str  # dataset.CAMERA, IDLE or NEGATIVE
    model: str  # cameras of one model are held out together
    device: str
    origin: str  # the collection it comes from
    role: str
    path: Path | None
    spec: dict[str, Any] | None = None
    seconds: float = 0.0

    def frames(self) -> Iterator[tuple]:
        """Return the frames, (t_s, up, mpdu_len, rssi_dbm)."""
        if self.path:
            return streams.frames(self.path)
        spec = {**(self.spec or {}), "duration_s": self.seconds}
        return ((*frame, None) for frame in patterns.frames(spec, self.name))


@dataclass
class Examples:
    """Rows of measured values with their labels; all arrays have the same length."""

    values: np.ndarray  # int64, a column for each of camera_evidence.RULES
    camera: np.ndarray  # bool
    weight: np.ndarray
    source: np.ndarray  # index in the list of sources
    condition: np.ndarray  # index in CONDITIONS

    def without(self, sources: Collection[int] | None) -> "Examples":
        """Return the examples without those of some sources (indexes)."""
        selected = ~np.isin(self.source, sorted(sources or ()))
        return Examples(
            *(column[selected] for column in (self.values, self.camera, self.weight, self.source, self.condition))
        )


def list_sources(folder: Path | str) -> list[Source]:
    """Return the recordings of a folder (see evaluation/dataset.py), then the generated sources."""
    origins = {}
    manifest = Path(folder) / "manifest.csv"
    if manifest.exists():
        with manifest.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                origins[row["id"]] = row.get("repo") or "unknown"
    sources = []
    for case in dataset.read(folder):
        if case.kind == dataset.CAPTURE:
            continue
        origin = origins.get(case.id, "unknown")
        sources.append(Source(case.id, case.kind, case.model, case.device, origin, case.role, case.path))
    return sources + _generated(dataset.NEGATIVE, GENERATED) + _generated(dataset.CAMERA, GENERATED_CAMERAS)


def list_look_alikes() -> list[Source]:
    """Return the generated sources that the second stage has to tell from cameras."""
    return _generated(dataset.NEGATIVE, LOOK_ALIKES)


def _generated(kind, specs):
    sources = []
    for number, (spec, seconds) in enumerate(specs):
        name = f"made {spec['kind']} {number}"
        sources.append(Source(name, kind, name, name, GENERATED_ORIGIN, air.STATION, None, spec, seconds))
    return sources


class FixedPlan:
    """
    A fixed sequence of steps, in place of the firmware's plan.

    It ignores the candidates, so that the weights do not depend on the firmware's plan.
    """

    _HOP = [planning.Step(planning.SNIFF, channel, planning.SNIFF_MS) for channel in range(1, 14)]
    _STEPS = (
        *_HOP,
        *_HOP,
        planning.Step(planning.BLE, 0, 3000),
        *_HOP,
        planning.Step(planning.DWELL, playback.STREAM_CHANNEL, 10_000),
    )

    def __init__(self):
        self._next = 0

    def next(self, now_ms: int, candidates: list) -> planning.Step:
        self._next += 1
        return self._STEPS[(self._next - 1) % len(self._STEPS)]

    def quiet_ms(self) -> int:
        return planning.QUIET_MS[self._next // 13 % len(planning.QUIET_MS)]

    def may_leave(self, now_ms: int, candidates: list) -> bool:
        return False

    def upload_soon(self) -> None:
        pass


class RecordingDetector(CameraStream):
    """A detector that records the values of every judgement of MAC or PHONE."""

    def __init__(self, rules: SimpleNamespace):
        super().__init__(rules)  # pyright: ignore[reportArgumentType]  (any object with the names of the weights)
        self.rows: list[tuple] = []

    def _judge_station(self, number, findings):
        for rule in range(evidence.MEASURED, len(evidence.RULES)):
            self.values[rule] = evidence.UNKNOWN
        active = self.table.out[O_ACTIVE]
        super()._judge_station(number, findings)
        if active and self.table.address(number) in (MAC, PHONE):
            self.rows.append((self._now_ms, *self.values))


def play(
    source: Source,
    condition: Condition,
    rules: SimpleNamespace,
    seed: int,
    role: str | None = None,
    is_phone: bool = False,
    plan: Any = None,
) -> tuple[list[tuple], list[tuple], counting.StreamSummary]:
    """
    Play a source under one condition to a detector with these rules.

    role      of the device, None: that of the source
    is_phone  True gives the device a random address
    plan      used if the condition hops, None: a FixedPlan

    Returns (rows [(now_ms, *values)], events [(t_s, Finding)], counting.StreamSummary).
    """
    counter = counting.FrameCounter()
    role = role or source.role
    mac = PHONE if is_phone else MAC
    emitter = air.Emitter(
        mac,
        mac if role == air.AP else BSSID,
        playback.STREAM_CHANNEL,
        CLIENT,
        role,
        loss=condition.loss,
        burst_ms=condition.burst_ms,
        retries=condition.retries,
    )
    name = f"{seed} {source.name} {condition.name}"
    records = emitter.records(counter.frames(source.frames()), name)
    if condition.aggregates:
        records = aggregate(records)
    traffic = playback.Traffic(records)
    detector = RecordingDetector(rules)
    engine = Engine([detector])
    if condition.hops:
        start_ms = random.Random(name).randrange(20_000)
        findings = playback.play_hopping(traffic, engine, plan or FixedPlan(), None, start_ms)
    else:
        start_ms = 0
        findings = playback.play_on_channel(traffic, lambda: engine)
    events = [(at_ms / 1000, finding) for at_ms, finding in findings]
    rows = [(row[0] - start_ms, *row[1:]) for row in detector.rows]
    return rows, events, counter.summary()


def aggregate(
    records: Iterable[tuple[int, bytes]], most_bytes: int = 3839, gap_us: int = 2500
) -> Iterator[tuple[int, bytes]]:
    """Join successive data frames of one transmitter into A-MSDUs, with one sequence number each."""
    pending = None  # (time_us, record as bytearray)
    sequences: dict[bytes, int] = {}

    def finish(time_us, record):
        sender = bytes(record[20:26])
        sequences[sender] = (sequences.get(sender, 0) + 1) & 0xFFF
        record[32:34] = (sequences[sender] << 4).to_bytes(2, "little")
        return time_us, bytes(record)

    for time_us, record in records:
        if record[KIND] & 15 != KIND_DATA:
            yield time_us, record
            continue
        if pending and pending[1][14:26] == record[14:26] and time_us - pending[0] <= gap_us:
            length = (
                int.from_bytes(pending[1][LENGTH : LENGTH + 2], "little")
                + int.from_bytes(record[LENGTH : LENGTH + 2], "little")
                - 46
            )
            if length <= most_bytes:
                pending[1][LENGTH : LENGTH + 2] = length.to_bytes(2, "little")
                pending[1][EXTRA] |= EXTRA_AMSDU
                continue
        if pending:
            yield finish(*pending)
        pending = (time_us, bytearray(record))
    if pending:
        yield finish(*pending)


def play_job(
    source_index: int, source: Source, condition_index: int, condition: Condition, rules: SimpleNamespace, seed: int
) -> tuple[np.ndarray, ...] | None:
    """Play a source under one condition; return the columns of its Examples, None if there are none."""
    rows, _, summary = play(source, condition, rules, seed)
    if not rows:
        return None
    values = np.array(rows, dtype=np.int64)
    at_s = values[:, 0] / 1000
    weight = np.ones(len(values))
    if source.kind == dataset.CAMERA:
        weight[:] = 0
        for session in summary.sessions:
            within = (at_s >= session.start_s + SETTLED_S) & (at_s <= session.end_s + 0.5)
            weight[within] = 1 / max(1, within.sum())
        values, weight = values[weight > 0], weight[weight > 0]
    size = len(values)
    if not size:
        return None
    origin_weight = GENERATED_WEIGHT if source.origin == GENERATED_ORIGIN else 1.0
    return (
        values[:, 1:],
        np.full(size, source.kind == dataset.CAMERA),
        weight * condition.weight * origin_weight,
        np.full(size, source_index),
        np.full(size, condition_index),
    )
