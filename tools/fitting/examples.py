"""
Examples for the fit: what the station table said of each device, second by second.

Each recording is played through the real detector under several conditions (Way), and a
generated one stands in where recordings lack a kind of device. An example is one judgement of
one device: its measured values, whether it is a camera sending video, and what it came from.
"""

import csv
import random
from collections import namedtuple
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ansim.detect import camera_evidence as evidence
from ansim.detect.camera_stream import CameraStream
from ansim.detect.engine import Engine
from ansim.detect.stations.layout import O_ACTIVE
from ansim.frame_header import EXTRA, EXTRA_AMSDU, KIND, KIND_DATA, LENGTH, address_bytes
from firmware.radio import plan as planning
from tools.evaluation import counting, dataset
from tools.traffic import air, patterns, playback, scene, streams

# One way of hearing a recording; `weight` is what its examples count for.
Condition = namedtuple("Way", ("name", "hops", "loss", "burst_ms", "retries", "aggregates", "weight"))
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
SETTLED_S = 1.5  # of a session, before its seconds count as a camera's

# Kinds of device of which there are no recordings, or hardly any. They count for less, and no
# figure is reported on them as if they were recorded.
GENERATED_SHARE = 0.5
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

# What resembles a camera for some seconds: only the second stage learns from these, beside the
# recordings of other devices. Generated uploads are left out, because their trains of segments are
# more regular than real ones, and so are live streams, whose encoders are those of cameras.
LOOK_ALIKES = [
    ({"kind": "call_one_way", "kbps": kbps, "fps": fps}, 60) for kbps in (200, 600, 1500) for fps in (15, 24, 30)
]

MAC = address_bytes(scene.generated_address(scene.DEVICE_PREFIX, 1))
PHONE = address_bytes(scene.generated_address(scene.PHONE_PREFIX, 1))
BSSID = address_bytes(scene.generated_address(scene.BSSID_PREFIX, 6))
CLIENT = address_bytes(scene.generated_address(scene.CLIENT_PREFIX, 1))


@dataclass(frozen=True)
class Source:
    """Something to play: a recording or a generated pattern."""

    name: str
    kind: str  # dataset.CAMERA, IDLE or NEGATIVE
    model: str  # cameras of one model are held out together
    device: str
    origin: str  # the collection it comes from
    role: str
    path: Path | None
    spec: dict | None = None
    seconds: float = 0.0

    def frames(self):
        """Iterator of (t_s, up, mpdu_len, rssi)."""
        if self.path:
            return streams.frames(self.path)
        return ((*one, None) for one in patterns.frames({**self.spec, "duration_s": self.seconds}, self.name))


@dataclass
class Examples:
    """Rows of values with what they are; all arrays have the same length."""

    values: np.ndarray  # int64, a column for each of evidence.RULES
    camera: np.ndarray  # bool
    weight: np.ndarray
    source: np.ndarray  # place in the list of sources
    way: np.ndarray  # place in WAYS

    def without(self, places):
        """The same without what came from these sources (a set of places)."""
        kept = ~np.isin(self.source, sorted(places or ()))
        return Examples(*(column[kept] for column in (self.values, self.camera, self.weight, self.source, self.way)))


def list_sources(folder) -> list:
    """The recordings of a folder (see evaluation/dataset.py), then the generated ones."""
    origins = {}
    manifest = Path(folder) / "manifest.csv"
    if manifest.exists():
        with manifest.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                origins[row["id"]] = row.get("repo") or "unknown"
    found = []
    for case in dataset.read(folder):
        if case.kind == dataset.CAPTURE:
            continue
        origin = origins.get(case.id, "unknown")
        found.append(Source(case.id, case.kind, case.model, case.device, origin, case.role, case.path))
    return found + _made(dataset.NEGATIVE, GENERATED) + _made(dataset.CAMERA, GENERATED_CAMERAS)


def list_look_alikes() -> list:
    """The generated sources that the second stage is to tell from cameras."""
    return _made(dataset.NEGATIVE, LOOK_ALIKES)


def _made(kind, specs):
    made = []
    for number, (spec, seconds) in enumerate(specs):
        name = f"made {spec['kind']} {number}"
        made.append(Source(name, kind, name, name, GENERATED_ORIGIN, air.STATION, None, spec, seconds))
    return made


class FixedPlan:
    """
    A round of visits and dwells that asks nobody, in the place of the firmware's plan.

    So what is learned stays the same when the plan changes.
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

    def next(self, now_ms, candidates):
        self._next += 1
        return self._STEPS[(self._next - 1) % len(self._STEPS)]

    def quiet_ms(self):
        return planning.QUIET_MS[self._next // 13 % len(planning.QUIET_MS)]

    def may_leave(self, now_ms, candidates):
        return False

    def upload_soon(self):
        pass


class RecordingDetector(CameraStream):
    """A detector that also writes down the values of every judgement of MAC or PHONE."""

    def __init__(self, rules):
        super().__init__(rules)
        self.rows = []

    def _judge_station(self, number, findings):
        for place in range(evidence.MEASURED, len(evidence.RULES)):
            self.values[place] = evidence.UNKNOWN
        active = self.table.out[O_ACTIVE]
        super()._judge_station(number, findings)
        if active and self.table.address(number) in (MAC, PHONE):
            self.rows.append((self._now_ms, *self.values))


def play(source: Source, way: Condition, rules, seed: int, role=None, is_phone=False, plan=None):
    """
    Play a source in one way to a detector with these rules; hopping by a Round, or by another `plan`.

    Returns (rows [(now_ms, *values)], events [(t_s, Finding)], counting.StreamSummary).
    """
    count = counting.FrameCounter()
    role = role or source.role
    mac = PHONE if is_phone else MAC
    emitter = air.Emitter(
        mac,
        mac if role == air.AP else BSSID,
        playback.STREAM_CHANNEL,
        CLIENT,
        role,
        loss=way.loss,
        burst_ms=way.burst_ms,
        retries=way.retries,
    )
    name = f"{seed} {source.name} {way.name}"
    records = emitter.records(count.frames(source.frames()), name)
    if way.aggregates:
        records = aggregate(records)
    traffic = playback.Traffic(records, None, [], [], [])
    detector = RecordingDetector(rules)
    engine = Engine([detector])
    if way.hops:
        start_ms = random.Random(name).randrange(20_000)
        heard = playback.play_hopping(traffic, engine, plan or FixedPlan(), None, start_ms)
    else:
        start_ms = 0
        heard = playback.play_on_channel(traffic, lambda: engine)
    events = [(at_ms / 1000, finding) for at_ms, finding in heard]
    rows = [(row[0] - start_ms, *row[1:]) for row in detector.rows]
    return rows, events, count.summary()


def aggregate(records, most_bytes=3839, gap_us=2500):
    """Join neighbouring data frames of one transmitter into A-MSDUs, with one sequence number each."""
    waiting = None
    sequences = {}

    def finished(one):
        time_us, record = one
        sender = bytes(record[20:26])
        sequences[sender] = (sequences.get(sender, 0) + 1) & 0xFFF
        record[32:34] = (sequences[sender] << 4).to_bytes(2, "little")
        return time_us, bytes(record)

    for time_us, record in records:
        if record[KIND] & 15 != KIND_DATA:
            yield time_us, record
            continue
        if waiting and waiting[1][14:26] == record[14:26] and time_us - waiting[0] <= gap_us:
            length = (
                int.from_bytes(waiting[1][LENGTH : LENGTH + 2], "little")
                + int.from_bytes(record[LENGTH : LENGTH + 2], "little")
                - 46
            )
            if length <= most_bytes:
                waiting[1][LENGTH : LENGTH + 2] = length.to_bytes(2, "little")
                waiting[1][EXTRA] |= EXTRA_AMSDU
                continue
        if waiting:
            yield finished(waiting)
        waiting = (time_us, bytearray(record))
    if waiting:
        yield finished(waiting)


def play_job(job, rules, seed):
    """Play one (place, Source, number, Way); return its columns of Examples, or None if there is nothing to learn."""
    place, source, number, way = job
    rows, _, account = play(source, way, rules, seed)
    if not rows:
        return None
    rows = np.array(rows, dtype=np.int64)
    at_s = rows[:, 0] / 1000
    share = np.ones(len(rows))
    if source.kind == dataset.CAMERA:
        share[:] = 0
        for session in account.sessions:
            within = (at_s >= session.start_s + SETTLED_S) & (at_s <= session.end_s + 0.5)
            share[within] = 1 / max(1, within.sum())
        rows, share = rows[share > 0], share[share > 0]
    size = len(rows)
    if not size:
        return None
    made = GENERATED_SHARE if source.origin == GENERATED_ORIGIN else 1.0
    return (
        rows[:, 1:],
        np.full(size, source.kind == dataset.CAMERA),
        share * way.weight * made,
        np.full(size, place),
        np.full(size, number),
    )
