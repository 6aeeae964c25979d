"""
Crowded scenes, composed by chance from recordings: one camera among up to 30 others.

    for scene in crowded.compose(cases, seed=1, number=40): ...
    result = crowded.judge(scene, hops=True)

Each scene draws how many others there are and on how many channels, how strong each is heard
(-40 to -85 dBm), how much of it is lost (0 to 80 %, one by one or in bursts) and how many frames
a second there are in all (up to 2,000, filled up with generated downloads). Where the recording
has no Wi-Fi of its own, ACKs, Block Acks and retries are made up (tools/traffic/air.py).
"""

import itertools
import json
import random
from dataclasses import dataclass
from pathlib import Path

from ansim.finding import RAISED
from ansim.frame_header import CHANNEL
from tools.evaluation import dataset
from tools.evaluation.counting import FrameCounter
from tools.evaluation.run import CAMERA_KINDS
from tools.evaluation.tables import share
from tools.lib.errors import ToolError
from tools.traffic import playback, scene, streams

AFTER_S = 45  # how long the camera is watched after its start
WITHIN_S = 30
MOST_OTHERS = 30
STRONGEST_DBM, WEAKEST_DBM = -40, -85
MOST_LOSS = 0.8
FRAMES_PER_S = (0, 100, 400, 1000, 2000)  # filled up to this; 0: only what the others send
BURST_MS = 120
FILLER_KBPS, FILLER_FRAMES_PER_S = 6000, 780  # a download with its TCP ACKs
BEFORE_S = 20  # the others may be there so long before the camera starts


@dataclass
class Crowd:
    """
    A composed scene: `given` is the scene's JSON, the rest says what was drawn.

    Without a camera, as a scene file may be, `mac` is empty and every finding a false one.
    """

    number: int
    given: dict
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
    folder: str = "."  # that paths in it are relative to


@dataclass
class Result:
    crowd: Crowd
    hops: bool
    found_s: float | None  # from the camera's start
    false: list  # [(subject's recording, t_s), ...]
    frames: int
    seconds: float

    @property
    def late(self) -> bool:
        return bool(self.crowd.mac) and (self.found_s is None or self.found_s > WITHIN_S)


def find_segments(cases) -> tuple:
    """([(case, from_s, to_s), ...] of camera sessions, the same of other devices' busiest minutes)."""
    cameras, others = [], []
    for case in cases:
        if case.kind not in (dataset.CAMERA, dataset.NEGATIVE):
            continue
        count = FrameCounter()
        for _ in count.frames(streams.frames(case.path)):
            pass
        account = count.summary()
        if case.kind == dataset.CAMERA:
            cameras += [(case, one.start_s, one.end_s) for one in account.sessions]
        elif account.active:
            first = max(account.active, key=lambda start: sum(start <= one < start + 60 for one in account.active))
            others.append((case, first, first + 60))
    return cameras, others


def compose(cases, seed, number) -> list:
    """Return `number` scenes, the same for the same seed and recordings; empty without a camera or another device."""
    cameras, others = find_segments(cases)
    if not cameras or not others:
        return []
    return [_one(random.Random(f"{seed} crowd {index}"), index, cameras, others) for index in range(number)]


def _one(random_, index, cameras, others):
    models = sorted({case.model for case, _, _ in cameras})
    model = random_.choice(models)
    case, from_s, to_s = random_.choice([one for one in cameras if one[0].model == model])
    channels = random_.sample(range(1, 14), random_.randint(1, 13))
    channel = random_.choice(channels)
    # a third of the scenes are clear, so that each difficulty is also seen alone
    lossy, burst = random_.choice(((False, False), (True, False), (True, True)))
    loss = random_.uniform(0, MOST_LOSS) if lossy else 0.0
    start_s = round(random_.uniform(0, BEFORE_S), 2)
    duration_s = start_s + AFTER_S
    mac = scene.generated_address(scene.DEVICE_PREFIX, 1)
    rssi_dbm = random_.randint(WEAKEST_DBM, STRONGEST_DBM)
    emitters = [
        {
            **_heard(random_, loss, burst),
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
    for place in range(count):
        other, other_from_s, other_to_s = random_.choice(others)
        start = scene.PHONE_PREFIX if random_.random() < 0.5 else scene.DEVICE_PREFIX
        emitters.append(
            {
                **_heard(random_, loss, burst),
                "name": f"{other.label} {other.id}",
                "stream": str(other.path.resolve()),
                "mac": scene.generated_address(start, 100 + place),
                "channel": random_.choice(channels),
                "rssi_dbm": random_.randint(WEAKEST_DBM, STRONGEST_DBM),
                "start_s": round(random_.uniform(0, BEFORE_S), 2),
                "from_s": other_from_s,
                "to_s": other_to_s,
                "loop": True,
            }
        )
    for place in range(round(frames_per_s / FILLER_FRAMES_PER_S + 0.3) if frames_per_s else 0):
        kbps = min(FILLER_KBPS, frames_per_s / FILLER_FRAMES_PER_S * FILLER_KBPS)
        emitters.append(
            {
                **_heard(random_, loss, burst),
                "name": "generated download",
                "pattern": {"kind": "video_download", "kbps": max(100, round(kbps)), "chunk_s": random_.uniform(1, 6)},
                "mac": scene.generated_address(scene.DEVICE_PREFIX, 200 + place),
                "channel": channel if random_.random() < 0.5 else random_.choice(channels),
                "rssi_dbm": random_.randint(WEAKEST_DBM, STRONGEST_DBM),
            }
        )
    used = sorted({one["channel"] for one in emitters})
    access_points = [
        {
            "ssid": f"network {one}",
            "bssid": scene.generated_address(scene.BSSID_PREFIX, one),
            "channel": one,
            "rssi_dbm": random_.randint(WEAKEST_DBM, STRONGEST_DBM),
        }
        for one in used
    ]
    given = {"duration_s": duration_s, "emitters": emitters, "access_points": access_points}
    return Crowd(index, given, case.id, mac, start_s, count, len(used), channel, rssi_dbm, loss, burst, frames_per_s)


def _heard(random_, loss, burst):
    """How well the sensor hears one emitter: around the scene's loss."""
    return {
        "loss": round(min(MOST_LOSS, max(0.0, loss * random_.uniform(0.7, 1.3))), 3),
        "burst_ms": BURST_MS if burst else 0,
        "retries": round(random_.uniform(0, 0.15), 3),
        "partner_dbm": random_.randint(WEAKEST_DBM, STRONGEST_DBM),
    }


def judge(crowd: Crowd, hops: bool, seed=0) -> Result:
    """Play a scene; on the camera's channel all the time, or hopping as the firmware does."""
    played = scene.Scene(crowd.given, crowd.folder, f"crowded scene {crowd.number}")
    traffic = playback.from_scene(played, f"{seed} {crowd.number}")
    tally = playback.Totals()
    if hops:
        found = playback.play_hopping(traffic, playback.make_engine(), playback.firmware_plan(traffic), tally)
    else:
        if crowd.mac:
            traffic = traffic._replace(records=(one for one in traffic.records if one[1][CHANNEL] == crowd.channel))
        found = playback.play_on_channel(traffic, playback.make_engine, tally)
    names = {played.addresses(index)[0]: _name(one) for index, one in enumerate(played.emitters)}
    found_s, false = None, []
    for at_ms, finding in found:
        if finding.event != RAISED or finding.kind not in CAMERA_KINDS:
            continue
        if finding.subject != crowd.mac:
            false.append((names.get(finding.subject, "an access point"), at_ms / 1000))
        elif found_s is None:
            found_s = at_ms / 1000 - crowd.start_s
    return Result(crowd, hops, found_s, false, tally.frames, crowd.given["duration_s"])


def from_file(path, number) -> Crowd:
    """A scene file as a Crowd; its camera is the first emitter that is named, recorded or generated as one."""
    given = streams.read_json(path, "scene")
    played = scene.Scene(given, Path(path).parent, str(path))
    cameras = [index for index, one in enumerate(played.emitters) if _is_camera(one)]
    channels = {one.get("channel", playback.STREAM_CHANNEL) for one in played.emitters}
    if not cameras:
        return Crowd(
            number, given, "", "", 0.0, len(played.emitters), len(channels), 0, 0, 0.0, False, 0, str(Path(path).parent)
        )
    camera = played.emitters[cameras[0]]
    rssi_dbm = camera.get("rssi_dbm", -60)
    return Crowd(
        number,
        given,
        _name(camera),
        played.addresses(cameras[0])[0],
        camera.get("start_s", 0.0),
        len(played.emitters) - 1,
        len(channels),
        camera.get("channel", playback.STREAM_CHANNEL),
        rssi_dbm if type(rssi_dbm) is int else max(point[1] for point in rssi_dbm),
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


def write_scenes(crowds, folder) -> None:
    """Write each scene as a file of its own. Raises ToolError."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for crowd in crowds:
            (Path(folder) / f"crowded_{crowd.number:03d}.json").write_text(json.dumps(crowd.given, indent=1))
    except OSError as error:
        raise ToolError(f"cannot write scenes to {folder}: {error.strerror}; give --keep another folder") from None


def describe(result: Result) -> str:
    """A scene in a few words."""
    crowd = result.crowd
    bursts = " in bursts" if crowd.burst else ""
    when = "never" if result.found_s is None else f"after {result.found_s:.0f} s"
    heard = "hopping" if result.hops else "on channel"
    return (
        f"scene {crowd.number} ({crowd.camera}, {heard}, {crowd.others} others, {crowd.rssi_dbm} dBm, "
        f"{crowd.loss:.0%} lost{bursts}: {when})"
    )


AXES = (
    ("others", lambda crowd: crowd.others, (0, 6, 16, 31)),
    ("channels in use", lambda crowd: crowd.channels, (1, 3, 7, 14)),
    ("camera's signal, dBm", lambda crowd: crowd.rssi_dbm, (-85, -70, -55, -39)),
    ("frames lost, %", lambda crowd: round(crowd.loss * 100), (0, 1, 30, 60, 81)),
    ("bursts", lambda crowd: int(crowd.burst), (0, 1, 2)),
    ("filled to frames/s", lambda crowd: crowd.frames_per_s, (0, 100, 1000, 2001)),
)


def table(results) -> list:
    """Lines of a table: found within WITHIN_S and false findings, along each axis that was drawn."""
    lines = [
        f"| scenes | heard | found within {WITHIN_S} s | median delay, s | scenes with a false finding |",
        "|---|---|---|---|---|",
    ]
    for hops in sorted({one.hops for one in results}):
        group = [one for one in results if one.hops == hops]
        heard = "hopping" if hops else "on the camera's channel"
        lines.append(_line("all", heard, group))
        for name, value, edges in AXES:
            for low, high in itertools.pairwise(edges):
                part = [one for one in group if low <= value(one.crowd) < high]
                if part:
                    label = f"{name} {low}" if high == low + 1 else f"{name} {low} to {high - 1}"
                    lines.append(_line(label, heard, part))
    return lines


def _line(label, heard, group):
    with_camera = [one for one in group if one.crowd.mac]
    within = sum(not one.late for one in with_camera)
    delays = sorted(one.found_s for one in with_camera if one.found_s is not None)
    median = f"{delays[len(delays) // 2]:.1f}" if delays else "-"
    false = sum(bool(one.false) for one in group)
    return f"| {label} | {heard} | {share(within, len(with_camera), 0)} | {median} | {false} of {len(group)} |"
