"""
Crowded scenes, composed at random from recordings: one camera among up to 30 other devices.

    for crowd in crowded.compose(cases, seed=1, number=40):
        result = crowded.judge(crowd, hops=True)

Drawn for each scene are the number of other devices and of channels, the signal strength of each device
(-40 to -85 dBm), its loss (0 to 80 %, independent or in bursts) and the total number of frames per second
(up to 2,000, filled up with generated downloads). ACKs, Block Acks and retries, which the recordings lack,
are simulated (tools/traffic/air.py).
"""

import itertools
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansim.finding import RAISED
from ansim.frame_header import CHANNEL
from tools.evaluation import dataset
from tools.evaluation.counting import FrameCounter
from tools.evaluation.run import CAMERA_KINDS
from tools.evaluation.tables import share
from tools.lib.errors import ToolError
from tools.traffic import playback, scene, streams

AFTER_S = 45  # played after the start of the camera
WITHIN_S = 30
MOST_OTHERS = 30
STRONGEST_DBM, WEAKEST_DBM = -40, -85
MOST_LOSS = 0.8
FRAMES_PER_S = (0, 100, 400, 1000, 2000)  # filled up to this; 0: only the frames of the devices
BURST_MS = 120
FILLER_KBPS, FILLER_FRAMES_PER_S = 6000, 780  # a download with its TCP ACKs
BEFORE_S = 20  # the other devices start up to this long before the camera


@dataclass
class Crowd:
    """
    A composed scene: `scene` is its JSON, the other fields are the drawn values.

    In a scene file without a camera `mac` is empty, and every finding is false.
    """

    number: int
    scene: dict[str, Any]
    camera: str
    mac: str
    start_s: float
    others: int
    channels: int
    channel: int
    rssi_dbm: int
    loss: float
    burst: bool
    frames_per_s: int
    folder: str = "."  # base of the paths in the scene


@dataclass
class Result:
    """The findings in one scene."""

    crowd: Crowd
    hops: bool
    found_s: float | None  # from the camera's start
    false: list[tuple[str, float]]  # [(recording of the subject, t_s), ...]
    frames: int
    seconds: float

    @property
    def is_late(self) -> bool:
        """True if the scene has a camera that was not found within WITHIN_S."""
        return bool(self.crowd.mac) and (self.found_s is None or self.found_s > WITHIN_S)


def find_segments(cases: Iterable[dataset.Case]) -> tuple[list[tuple], list[tuple]]:
    """Return [(case, from_s, to_s), ...] of the camera sessions, and of the busiest minute of each other device."""
    cameras, others = [], []
    for case in cases:
        if case.kind not in (dataset.CAMERA, dataset.NEGATIVE):
            continue
        counter = FrameCounter()
        for _ in counter.frames(streams.frames(case.path)):
            pass
        summary = counter.summary()
        if case.kind == dataset.CAMERA:
            cameras += [(case, session.start_s, session.end_s) for session in summary.sessions]
        elif summary.active:
            active = summary.active
            first = max(active, key=lambda start: sum(start <= window < start + 60 for window in active))
            others.append((case, first, first + 60))
    return cameras, others


def compose(cases: Iterable[dataset.Case], seed: int, number: int) -> list[Crowd]:
    """Return `number` scenes, equal for equal seed and recordings; none without a camera or without another device."""
    cameras, others = find_segments(cases)
    if not cameras or not others:
        return []
    return [_compose_scene(random.Random(f"{seed} crowd {index}"), index, cameras, others) for index in range(number)]


def _compose_scene(random_, index, cameras, others):
    models = sorted({case.model for case, _, _ in cameras})
    model = random_.choice(models)
    case, from_s, to_s = random_.choice([segment for segment in cameras if segment[0].model == model])
    channels = random_.sample(range(1, 14), random_.randint(1, 13))
    channel = random_.choice(channels)
    # A third of the scenes has no loss, so that each other difficulty also occurs alone.
    lossy, burst = random_.choice(((False, False), (True, False), (True, True)))
    loss = random_.uniform(0, MOST_LOSS) if lossy else 0.0
    start_s = round(random_.uniform(0, BEFORE_S), 2)
    duration_s = start_s + AFTER_S
    mac = scene.generated_address(scene.DEVICE_PREFIX, 1)
    rssi_dbm = random_.randint(WEAKEST_DBM, STRONGEST_DBM)
    emitters = [
        {
            **_reception(random_, loss, burst),
            "name": f"camera {case.id}",
            "stream": str(case.path.resolve()),
            "role": case.role,
            "mac": mac,
            "channel": channel,
            "rssi_dbm": rssi_dbm,
            "start_s": start_s,
            "from_s": from_s,
            "to_s": to_s,
            "loop": True,
        }
    ]
    count = random_.randint(0, MOST_OTHERS)
    frames_per_s = random_.choice(FRAMES_PER_S)
    for device in range(count):
        other, other_from_s, other_to_s = random_.choice(others)
        prefix = scene.PHONE_PREFIX if random_.random() < 0.5 else scene.DEVICE_PREFIX
        emitters.append(
            {
                **_reception(random_, loss, burst),
                "name": f"{other.label} {other.id}",
                "stream": str(other.path.resolve()),
                "mac": scene.generated_address(prefix, 100 + device),
                "channel": random_.choice(channels),
                "rssi_dbm": random_.randint(WEAKEST_DBM, STRONGEST_DBM),
                "start_s": round(random_.uniform(0, BEFORE_S), 2),
                "from_s": other_from_s,
                "to_s": other_to_s,
                "loop": True,
            }
        )
    for download in range(round(frames_per_s / FILLER_FRAMES_PER_S + 0.3) if frames_per_s else 0):
        kbps = min(FILLER_KBPS, frames_per_s / FILLER_FRAMES_PER_S * FILLER_KBPS)
        emitters.append(
            {
                **_reception(random_, loss, burst),
                "name": "generated download",
                "pattern": {"kind": "video_download", "kbps": max(100, round(kbps)), "chunk_s": random_.uniform(1, 6)},
                "mac": scene.generated_address(scene.DEVICE_PREFIX, 200 + download),
                "channel": channel if random_.random() < 0.5 else random_.choice(channels),
                "rssi_dbm": random_.randint(WEAKEST_DBM, STRONGEST_DBM),
            }
        )
    used_channels = sorted({emitter["channel"] for emitter in emitters})
    access_points = [
        {
            "ssid": f"network {used}",
            "bssid": scene.generated_address(scene.BSSID_PREFIX, used),
            "channel": used,
            "rssi_dbm": random_.randint(WEAKEST_DBM, STRONGEST_DBM),
        }
        for used in used_channels
    ]
    description = {"duration_s": duration_s, "emitters": emitters, "access_points": access_points}
    return Crowd(
        *(index, description, case.id, mac, start_s, count, len(used_channels)),
        *(channel, rssi_dbm, loss, burst, frames_per_s),
    )


def _reception(random_, loss, burst):
    """Draw how well the sensor receives one emitter: around the scene's loss."""
    return {
        "loss": round(min(MOST_LOSS, max(0.0, loss * random_.uniform(0.7, 1.3))), 3),
        "burst_ms": BURST_MS if burst else 0,
        "retries": round(random_.uniform(0, 0.15), 3),
        "partner_dbm": random_.randint(WEAKEST_DBM, STRONGEST_DBM),
    }


def judge(crowd: Crowd, hops: bool, seed: int = 0) -> Result:
    """Play a scene: always on the camera's channel, or hopping as the firmware does."""
    played = scene.Scene(crowd.scene, crowd.folder, f"crowded scene {crowd.number}")
    traffic = playback.from_scene(played, f"{seed} {crowd.number}")
    totals = playback.Totals()
    if hops:
        findings = playback.play_hopping(traffic, playback.make_engine(), playback.firmware_plan(traffic), totals)
    else:
        if crowd.mac:
            traffic = traffic._replace(
                records=((time_us, record) for time_us, record in traffic.records if record[CHANNEL] == crowd.channel)
            )
        findings = playback.play_on_channel(traffic, playback.make_engine, totals)
    names = {played.addresses(index)[0]: _name(emitter) for index, emitter in enumerate(played.emitters)}
    found_s, false = None, []
    for at_ms, finding in findings:
        if finding.event != RAISED or finding.kind not in CAMERA_KINDS:
            continue
        if finding.subject != crowd.mac:
            false.append((names.get(finding.subject, "an access point"), at_ms / 1000))
        elif found_s is None:
            found_s = at_ms / 1000 - crowd.start_s
    return Result(crowd, hops, found_s, false, totals.frames, crowd.scene["duration_s"])


def from_file(path: Path | str, number: int) -> Crowd:
    """Return a scene file as a Crowd; its camera is the first emitter whose name, stream or pattern is a camera's."""
    description = streams.read_json(path, "scene")
    played = scene.Scene(description, Path(path).parent, str(path))
    cameras = [index for index, emitter in enumerate(played.emitters) if _is_camera(emitter)]
    channels = {emitter.get("channel", playback.STREAM_CHANNEL) for emitter in played.emitters}
    if not cameras:
        return Crowd(
            number,
            description,
            "",
            "",
            0.0,
            len(played.emitters),
            len(channels),
            0,
            0,
            0.0,
            False,
            0,
            str(Path(path).parent),
        )
    camera = played.emitters[cameras[0]]
    rssi_dbm = camera.get("rssi_dbm", -60)
    return Crowd(
        number,
        description,
        _name(camera),
        played.addresses(cameras[0])[0],
        camera.get("start_s", 0.0),
        len(played.emitters) - 1,
        len(channels),
        camera.get("channel", playback.STREAM_CHANNEL),
        max(point[1] for point in rssi_dbm) if isinstance(rssi_dbm, list) else rssi_dbm,
        camera.get("loss", 0.0),
        camera.get("burst_ms", 0) > 0,
        0,
        str(Path(path).parent),
    )


def _is_camera(emitter):
    text = " ".join(
        (emitter.get("name", ""), emitter.get("stream", ""), emitter.get("pattern", {}).get("kind", ""))
    ).lower()
    return "cam" in text and "idle" not in text


def _name(emitter):
    return emitter.get("name") or emitter.get("stream") or "generated " + emitter["pattern"]["kind"]


def write_scenes(crowds: Iterable[Crowd], folder: Path | str) -> None:
    """Write each scene to a file in a folder. Raises ToolError."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for crowd in crowds:
            (Path(folder) / f"crowded_{crowd.number:03d}.json").write_text(json.dumps(crowd.scene, indent=1))
    except OSError as error:
        raise ToolError(f"cannot write scenes to {folder}: {error.strerror}; give --keep another folder") from None


def describe(result: Result) -> str:
    """Describe a scene and its result in a few words."""
    crowd = result.crowd
    bursts = " in bursts" if crowd.burst else ""
    delay = "never" if result.found_s is None else f"after {result.found_s:.0f} s"
    condition = "hopping" if result.hops else "on channel"
    return (
        f"scene {crowd.number} ({crowd.camera}, {condition}, {crowd.others} others, {crowd.rssi_dbm} dBm, "
        f"{crowd.loss:.0%} lost{bursts}: {delay})"
    )


AXES = (
    ("others", lambda crowd: crowd.others, (0, 6, 16, 31)),
    ("channels in use", lambda crowd: crowd.channels, (1, 3, 7, 14)),
    ("camera's signal, dBm", lambda crowd: crowd.rssi_dbm, (-85, -70, -55, -39)),
    ("frames lost, %", lambda crowd: round(crowd.loss * 100), (0, 1, 30, 60, 81)),
    ("bursts", lambda crowd: int(crowd.burst), (0, 1, 2)),
    ("filled to frames/s", lambda crowd: crowd.frames_per_s, (0, 100, 1000, 2001)),
)


def table(results: Sequence[Result]) -> list[str]:
    """Return the lines of a table of scenes found within WITHIN_S and of false findings, by each drawn quantity."""
    lines = [
        f"| scenes | heard | found within {WITHIN_S} s | median delay, s | scenes with a false finding |",
        "|---|---|---|---|---|",
    ]
    for hops in sorted({result.hops for result in results}):
        group = [result for result in results if result.hops == hops]
        condition = "hopping" if hops else "on the camera's channel"
        lines.append(_line("all", condition, group))
        for name, value, edges in AXES:
            for low, high in itertools.pairwise(edges):
                part = [result for result in group if low <= value(result.crowd) < high]
                if part:
                    label = f"{name} {low}" if high == low + 1 else f"{name} {low} to {high - 1}"
                    lines.append(_line(label, condition, part))
    return lines


def _line(label, condition, group):
    with_camera = [result for result in group if result.crowd.mac]
    in_time = sum(not result.is_late for result in with_camera)
    delays = sorted(result.found_s for result in with_camera if result.found_s is not None)
    median = f"{delays[len(delays) // 2]:.1f}" if delays else "-"
    false = sum(bool(result.false) for result in group)
    return f"| {label} | {condition} | {share(in_time, len(with_camera), 0)} | {median} | {false} of {len(group)} |"
