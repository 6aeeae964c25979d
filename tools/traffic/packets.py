"""
Building blocks of the generated traffic in tools/traffic/patterns.py.

A packet is (t_s, up, mpdu_len), as patterns.frames() describes it.
"""

import random
from collections.abc import Iterator

IP_TO_MPDU_BYTES = 54  # 24 header + 2 QoS + 8 CCMP + 8 LLC/SNAP + 8 MIC + 4 FCS
LONGEST_MPDU = 1500 + IP_TO_MPDU_BYTES
TCP_ACK_MPDU = 40 + 12 + IP_TO_MPDU_BYTES  # with the time-stamp option
PPPP_LONGEST_MPDU = 1114
PACKET_GAP_S = 0.0006  # between the packets of one video frame

CBR, VBR = "cbr", "vbr"

Packet = tuple[float, int, int]


def packets(t_s: float, up: int, size_bytes: int, mtu: int) -> Iterator[Packet]:
    """Split data into IP packets; yield them as MPDUs, one after the other."""
    overhead = 40
    while size_bytes > 0:
        payload_bytes = min(size_bytes, mtu - overhead)
        yield t_s, up, payload_bytes + overhead + IP_TO_MPDU_BYTES
        size_bytes -= payload_bytes
        t_s += PACKET_GAP_S


def frame_sizes(
    random_: random.Random, kbps: float, fps: float, gop_s: float, key_ratio: float, rate: str
) -> Iterator[int]:
    """
    Yield the sizes in bytes of successive video frames, with key frames; with VBR the activity of the scene varies.
    """
    mean = kbps * 125 / fps
    gop_frames = max(1, round(gop_s * fps))
    other = mean * gop_frames / (key_ratio + gop_frames - 1)
    activity = 1.0
    number = 0
    while True:
        if rate == VBR:
            activity += (1.0 - activity) * 0.02 + random_.gauss(0, 0.06)
            activity = min(2.5, max(0.4, activity))
        size = other * (key_ratio if number % gop_frames == 0 else activity)
        yield max(60, int(size * random_.lognormvariate(0, 0.06 if rate == CBR else 0.18)))
        number += 1


def periodic(
    random_: random.Random, every_s: float, bytes_each: float, up: int, start_s: float = 0.0, jitter_s: float = 0.001
) -> Iterator[Packet]:
    """Yield packets of similar size at regular intervals, for ever."""
    number = 0
    while True:
        t_s = start_s + number * every_s + random_.random() * min(jitter_s, every_s / 2)
        yield t_s, up, max(80, int(28 + bytes_each * random_.uniform(0.85, 1.15)) + IP_TO_MPDU_BYTES)
        number += 1


def tcp_transfer(start_s: float, up: int, total_bytes: float, kbps: float, random_: random.Random) -> Iterator[Packet]:
    """Yield a TCP transfer: full segments in bursts, an ACK for every second one."""
    t_s = start_s
    sent = 0
    step_s = LONGEST_MPDU * 8 / (kbps * 1000)
    while total_bytes > 0:
        payload_bytes = min(1460, total_bytes)
        yield t_s, up, int(payload_bytes) + 40 + IP_TO_MPDU_BYTES
        total_bytes -= payload_bytes
        sent += 1
        if sent % 2 == 0:
            yield t_s + step_s * 0.15, 1 - up, TCP_ACK_MPDU
        # Segments are sent in trains of about ten; occasionally the window shrinks.
        t_s += step_s * 0.3 if sent % 10 else step_s * (7.3 + random_.expovariate(4))


def call_video(random_: random.Random, kbps: float, fps: float, up: int) -> Iterator[Packet]:
    """Yield the video of a call: its rate follows the estimated bandwidth, so it drifts and drops."""
    factor = 0.4
    number = 0
    free_s = 0.0
    while True:
        factor = min(1.3, factor + random_.uniform(0, 0.02)) if random_.random() > 0.004 else factor * 0.5
        size = kbps * 125 / fps * factor * random_.lognormvariate(0, 0.25)
        for packet in packets(max(free_s, number / fps + random_.random() * 0.006), up, int(size), 1200):
            yield packet
            free_s = packet[0] + PACKET_GAP_S
        number += 1
