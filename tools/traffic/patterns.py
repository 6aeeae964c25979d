"""
Generated traffic: packets as a camera, a call or a lamp might send them, from a seeded random generator.

    for t_s, up, mpdu_len in patterns.frames({"kind": "camera", "kbps": 600}, seed=1): ...

Nothing here was recorded. The shapes follow what is known of such devices (frame rates, key frames,
packet sizes, acknowledgements). They serve demonstrations, tests and crowded scenes, and do not show how
well real devices are told apart: tools/evaluate.py measures that on recordings.

A pattern is a JSON object with "kind" and any of that kind's numbers; KINDS lists them with their limits
and defaults. "duration_s" ends it; without it the pattern never ends.
"""

import heapq
import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

from ansim import schema
from tools.traffic.packets import (
    CBR,
    IP_TO_MPDU_BYTES,
    PACKET_GAP_S,
    TCP_ACK_MPDU,
    VBR,
    Packet,
    call_video,
    frame_sizes,
    packets,
    periodic,
    tcp_transfer,
)

TCP, UDP, NONE = "tcp", "udp", "none"

# kind -> {name: (minimum, maximum, default)}, or {name: (choice, ...)} of which the first is the default
_VIDEO = {
    "kbps": (10, 20000, 800),
    "fps": (1, 60, 15),
    "gop_s": (0.2, 20, 2),  # interval of key frames
    "key_ratio": (1, 30, 6),  # size of a key frame relative to other frames
    "mtu": (200, 1500, 1500),  # longest IP packet
    "rate": (VBR, CBR),
    "acks": (TCP, UDP, NONE),  # from the receiver: TCP ACKs, a report each second, or nothing
    "audio_kbps": (0, 512, 0),
}
KINDS = {
    "camera": _VIDEO,
    # UDP cameras of the PPPP family, which their app reaches by NAT hole punching
    "camera_pppp": {**_VIDEO, "kbps": (10, 20000, 400), "acks": (UDP, TCP, NONE), "mtu": (200, 1060, 1060)},
    "camera_idle": {"keepalive_s": (1, 300, 20)},
    # a camera that wakes on movement, sends a clip and sleeps
    "camera_clips": {**_VIDEO, "clip_s": (2, 600, 12), "every_s": (5, 3600, 60)},
    # single pictures of similar size, as simple camera boards send them
    "camera_mjpeg": {
        "fps": (0.2, 60, 12),
        "picture_kb": (1, 500, 8),
        "mtu": (200, 1500, 1500),
        "acks": (TCP, UDP, NONE),
    },
    # a camera that uploads its video in pieces
    "camera_pieces": {"kbps": (10, 20000, 600), "piece_s": (0.5, 30, 2), "speed_kbps": (100, 50000, 6000)},
    "call": {"up_kbps": (10, 8000, 600), "down_kbps": (10, 8000, 600), "fps": (1, 60, 24)},
    "call_one_way": {"kbps": (10, 8000, 600), "fps": (1, 60, 24)},
    "voice": {"kbps": (6, 128, 32)},
    "live_stream": {**_VIDEO, "kbps": (50, 20000, 2500), "fps": (1, 60, 30), "audio_kbps": (0, 512, 128)},
    "web": {"page_kb": (10, 20000, 1500), "think_s": (0.5, 120, 8)},
    "video_download": {"kbps": (100, 50000, 5000), "chunk_s": (0.5, 20, 4)},
    "audio_download": {"kbps": (16, 2000, 160)},
    "upload": {"kbps": (50, 50000, 4000), "total_mb": (0.1, 100000, 1000)},
    "photo_backup": {"kbps": (50, 50000, 4000), "photo_mb": (0.1, 100, 3), "every_s": (0, 600, 5)},
    # an upload of paced datagrams of one size, as newer apps and browsers make it
    "quic_upload": {"kbps": (50, 50000, 3000)},
    # files copied to a network drive: blocks, each requested and acknowledged
    "drive_backup": {"kbps": (50, 50000, 10000)},
    # a screen mirrored to a television: bursts on movement
    "screen_mirror": {"kbps": (100, 20000, 5000), "fps": (1, 60, 60)},
    # a presentation: still slides, bursts when they change, and a voice
    "screen_share": {"kbps": (50, 8000, 600), "fps": (1, 60, 10)},
    "iot": {"every_s": (0.5, 3600, 10)},
    "game": {"up_kbps": (5, 500, 40), "down_kbps": (5, 2000, 120)},
}
# kinds that a phone or a laptop sends; such devices use a random address
PHONES = (
    "call",
    "call_one_way",
    "voice",
    "live_stream",
    "web",
    "photo_backup",
    "quic_upload",
    "screen_mirror",
    "game",
)


def check(spec: Any, where: str = "pattern") -> list[str]:
    """Return the problems of a pattern as sentences, an empty list if it is valid. `where` names it in them."""
    if type(spec) is not dict:
        return [f"{where} should be an object"]
    kind = spec.get("kind")
    if type(kind) is not str or kind not in KINDS:
        return [f"{where}.kind should be one of {', '.join(sorted(KINDS))}"]
    fields: dict[str, tuple] = {"kind": ("one_of", (kind,)), "duration_s?": ("nullable", ("number", 0.001, 1e7))}
    for name, limits in KINDS[kind].items():
        fields[name + "?"] = ("one_of", limits) if type(limits[0]) is str else ("number", limits[0], limits[1])
    return schema.check(fields, spec, where)


def frames(spec: dict, seed: int | str = 0) -> Iterator[Packet]:
    """
    Yield (t_s, up, mpdu_len) of a pattern in time order; the same seed gives the same frames.

    t_s       float, seconds from the start
    up        1 sent by the device, 0 sent to it
    mpdu_len  bytes, 1..65535

    Raises ValueError if the pattern does not pass check().
    """
    problems = check(spec)
    if problems:
        raise ValueError("; ".join(problems))
    numbers = {name: limits[0] if type(limits[0]) is str else limits[2] for name, limits in KINDS[spec["kind"]].items()}
    numbers.update((name, value) for name, value in spec.items() if name in numbers)
    generated = GENERATORS[spec["kind"]](random.Random(f"{seed} {spec['kind']}"), **numbers)
    end_s = spec.get("duration_s")
    for frame in generated:
        if end_s is not None and frame[0] >= end_s:
            return
        yield frame


def _video(random_, kbps, fps, gop_s, key_ratio, mtu, rate, acks, audio_kbps, up=1, start_s=0.0):
    """Yield a video stream in one direction, and the receiver's acknowledgements."""
    parts: list[Iterator[Packet]] = [_video_frames(random_, kbps, fps, gop_s, key_ratio, mtu, rate, acks, up, start_s)]
    if audio_kbps:
        parts.append(periodic(random_, 0.04, audio_kbps * 125 * 0.04, up, start_s, 0.002))
    if acks == UDP:
        parts.append(periodic(random_, 1.0, 60, 1 - up, start_s + 0.5, 0.05))
    return heapq.merge(*parts) if len(parts) > 1 else parts[0]


def _video_frames(random_, kbps, fps, gop_s, key_ratio, mtu, rate, acks, up, start_s):
    sent = 0
    free_s = start_s
    for number, size in enumerate(frame_sizes(random_, kbps, fps, gop_s, key_ratio, rate)):
        t_s = max(free_s, start_s + number / fps + random_.random() * 0.004)
        for packet in packets(t_s, up, size, mtu):
            yield packet
            free_s = packet[0] + PACKET_GAP_S
            sent += 1
            # A receiver acknowledges every second segment; the PPPP protocol about every eighth packet.
            if acks == TCP and sent % 2 == 0:
                yield packet[0] + PACKET_GAP_S / 2, 1 - up, TCP_ACK_MPDU
            elif acks == UDP and sent % 8 == 0:
                yield packet[0] + PACKET_GAP_S / 2, 1 - up, 48 + IP_TO_MPDU_BYTES


def _camera_mjpeg(random_, fps, picture_kb, mtu, acks):
    level, free_s = 1.0, 0.0
    for number in itertools.count():
        level += (1.0 - level) * 0.02 + random_.gauss(0, 0.01)
        t_s = max(free_s, number / fps + random_.random() * 0.01)
        size = int(picture_kb * 1000 * level * random_.lognormvariate(0, 0.03))
        for sent, packet in enumerate(packets(t_s, 1, size, mtu)):
            yield packet
            free_s = packet[0] + PACKET_GAP_S
            if acks == TCP and sent % 2:
                yield packet[0] + PACKET_GAP_S / 2, 0, TCP_ACK_MPDU
            elif acks == UDP and sent % 8 == 7:
                yield packet[0] + PACKET_GAP_S / 2, 0, 48 + IP_TO_MPDU_BYTES


def _camera_pieces(random_, kbps, piece_s, speed_kbps):
    start_s = random_.random() * 0.1
    while True:
        end_s = start_s
        yield start_s, 1, 700
        size = kbps * 125 * piece_s * random_.lognormvariate(0, 0.15)
        for frame in tcp_transfer(start_s + 0.03, 1, size, speed_kbps, random_):
            yield frame
            end_s = max(end_s, frame[0])
        yield end_s + 0.05, 0, 350
        start_s = max(start_s + piece_s, end_s + 0.1)


def _camera_idle(random_, keepalive_s):
    t_s = random_.random() * keepalive_s
    while True:
        yield t_s, 1, 90 + IP_TO_MPDU_BYTES + random_.randrange(40)
        yield t_s + 0.03, 0, TCP_ACK_MPDU
        t_s += keepalive_s * random_.uniform(0.9, 1.1)


def _camera_clips(random_, clip_s, every_s, **video):
    start_s = random_.random() * 3
    while True:
        for frame in _video(random_, start_s=start_s, **video):
            if frame[0] >= start_s + clip_s:
                break
            yield frame
        start_s += max(clip_s + 0.5, every_s * random_.uniform(0.7, 1.3))


def _call(random_, up_kbps, down_kbps, fps):
    """Yield a call: both ends send video and voice; the encoder makes no regular key frames."""
    return heapq.merge(
        call_video(random.Random(random_.random()), up_kbps, fps, 1),
        call_video(random.Random(random_.random()), down_kbps, fps, 0),
        periodic(random.Random(random_.random()), 0.02, 80, 1),
        periodic(random.Random(random_.random()), 0.02, 80, 0, 0.007),
    )


def _call_one_way(random_, kbps, fps):
    """Yield a call in which the other end has its camera off and speaks little."""
    return heapq.merge(
        call_video(random.Random(random_.random()), kbps, fps, 1),
        periodic(random.Random(random_.random()), 0.02, 80, 1),
        periodic(random.Random(random_.random()), 0.2, 60, 0, 0.007),
    )


def _voice(random_, kbps):
    return heapq.merge(
        periodic(random.Random(random_.random()), 0.02, kbps * 2.5, 1),
        periodic(random.Random(random_.random()), 0.02, kbps * 2.5, 0, 0.007),
    )


def _web(random_, page_kb, think_s):
    t_s = random_.random()
    while True:
        for _ in range(random_.randrange(3, 12)):
            yield t_s, 1, random_.randrange(300, 900)
            size = max(400, page_kb * 1000 / 7 * random_.lognormvariate(0, 1))
            for frame in tcp_transfer(t_s + 0.05, 0, size, random_.uniform(3000, 20000), random_):
                yield frame
                t_s = max(t_s, frame[0])
            t_s += random_.random() * 0.15 + 0.001
        t_s += random_.expovariate(1 / think_s)


def _video_download(random_, kbps, chunk_s):
    start_s = 0.0
    while True:
        end_s = start_s + 0.04
        yield start_s, 1, random_.randrange(500, 900)
        for frame in tcp_transfer(end_s, 0, kbps * 125 * chunk_s * random_.lognormvariate(0, 0.25), kbps * 4, random_):
            yield frame
            end_s = max(end_s, frame[0])
        start_s = max(end_s + 0.01, start_s + chunk_s)


def _upload(random_, kbps, total_mb):
    yield 0.0, 1, 800
    yield from tcp_transfer(0.05, 1, total_mb * 1e6, kbps, random_)


def _photo_backup(random_, kbps, photo_mb, every_s):
    t_s = 0.0
    while True:
        yield t_s, 1, random_.randrange(500, 900)
        for frame in tcp_transfer(t_s + 0.05, 1, photo_mb * 1e6 * random_.lognormvariate(0, 0.4), kbps, random_):
            yield frame
            t_s = max(t_s, frame[0])
        yield t_s + 0.06, 0, 400
        t_s += 0.1 + random_.expovariate(1 / every_s) if every_s else 0.1


def _quic_upload(random_, kbps):
    t_s, rate = random_.random() * 0.01, kbps
    for number in itertools.count():
        if random_.random() < 0.001:
            rate = kbps * random_.uniform(0.5, 1.2)
        yield t_s, 1, 1278 + IP_TO_MPDU_BYTES
        step_s = 1278 * 8 / (rate * 1000) * random_.uniform(0.2, 1.8)
        if number % 10 == 9:
            yield t_s + step_s / 2, 0, random_.randrange(40, 60) + 28 + IP_TO_MPDU_BYTES
        t_s += step_s


def _drive_backup(random_, kbps):
    t_s = random_.random() * 0.1
    while True:
        end_s = t_s
        speed_kbps = kbps * random_.uniform(0.6, 1.2)
        for frame in tcp_transfer(t_s, 1, random_.choice((64e3, 256e3, 1e6, 1e6, 1e6)), speed_kbps, random_):
            yield frame
            end_s = max(end_s, frame[0])
        yield end_s + 0.002, 0, 150
        yield end_s + 0.003, 1, 200
        t_s = end_s + 0.005 + (random_.expovariate(3) if random_.random() < 0.1 else 0)


def _screen_mirror(random_, kbps, fps):
    return heapq.merge(_mirrored(random_, kbps, fps), periodic(random.Random(random_.random()), 1.0, 80, 0))


def _mirrored(random_, kbps, fps):
    """Yield datagrams of seven transport stream packets each; their number depends on the movement."""
    activity, free_s = 1.0, 0.0
    for number in itertools.count():
        if random_.random() < 0.01:
            activity = random_.choice((0.15, 0.5, 1.0, 2.5))
        free_s = max(free_s, number / fps + random_.random() * 0.003)
        for _ in range(max(1, int(kbps * 125 / fps * activity * random_.lognormvariate(0, 0.3) / 1316))):
            yield free_s, 1, 7 * 188 + 40 + IP_TO_MPDU_BYTES
            free_s += PACKET_GAP_S


def _screen_share(random_, kbps, fps):
    return heapq.merge(
        _slides(random.Random(random_.random()), kbps, fps),
        periodic(random.Random(random_.random()), 0.02, 80, 1),
        periodic(random.Random(random_.random()), 0.1, 90, 0),
    )


def _slides(random_, kbps, fps):
    changing, free_s = 0, 0.0
    for number in itertools.count():
        t_s = max(free_s, number / fps + random_.random() * 0.004)
        if random_.random() < 0.02:
            changing = random_.randrange(2, 12)
        size = kbps * 125 / fps * (4 if changing > 0 else 0.25) * random_.lognormvariate(0, 0.4)
        changing -= 1
        for packet in packets(t_s, 1, int(size), 1200):
            yield packet
            free_s = packet[0] + PACKET_GAP_S


def _iot(random_, every_s):
    t_s = random_.random() * every_s
    while True:
        up = random_.randrange(2)
        for step in range(random_.randrange(1, 4)):
            yield t_s + step * 0.02, (up + step) % 2, random_.randrange(40, 400) + IP_TO_MPDU_BYTES
        t_s += max(0.1, random_.expovariate(1 / every_s))


def _game(random_, up_kbps, down_kbps):
    return heapq.merge(
        periodic(random.Random(random_.random()), 0.033, up_kbps * 4.1, 1, 0.0, 0.01),
        periodic(random.Random(random_.random()), 0.05, down_kbps * 6.2, 0, 0.01, 0.02),
    )


def _audio_download(random_, kbps):
    return _video_download(random_, kbps, 10)


GENERATORS: dict[str, Callable[..., Iterator[Packet]]] = {
    "camera": _video,
    "camera_pppp": _video,
    "camera_idle": _camera_idle,
    "camera_mjpeg": _camera_mjpeg,
    "camera_pieces": _camera_pieces,
    "camera_clips": _camera_clips,
    "call": _call,
    "call_one_way": _call_one_way,
    "voice": _voice,
    "live_stream": _video,
    "web": _web,
    "video_download": _video_download,
    "audio_download": _audio_download,
    "upload": _upload,
    "photo_backup": _photo_backup,
    "quic_upload": _quic_upload,
    "drive_backup": _drive_backup,
    "screen_mirror": _screen_mirror,
    "screen_share": _screen_share,
    "iot": _iot,
    "game": _game,
}
