"""What the generated traffic of tools/traffic/patterns.py is put together from; each yields (t_s, up, mpdu_len)."""

IP_TO_MPDU_BYTES = 54  # 24 header + 2 QoS + 8 CCMP + 8 LLC/SNAP + 8 MIC + 4 FCS
LONGEST_MPDU = 1500 + IP_TO_MPDU_BYTES
TCP_ACK_MPDU = 40 + 12 + IP_TO_MPDU_BYTES  # with the time-stamp option
PPPP_LONGEST_MPDU = 1114
PACKET_GAP_S = 0.0006  # between the packets of one video frame

CBR, VBR = "cbr", "vbr"


def packets(t_s, up, size_bytes, mtu):
    """Split a piece of data into IP packets, as MPDUs that follow each other."""
    overhead = 40
    while size_bytes > 0:
        part = min(size_bytes, mtu - overhead)
        yield t_s, up, part + overhead + IP_TO_MPDU_BYTES
        size_bytes -= part
        t_s += PACKET_GAP_S


def frame_sizes(random_, kbps, fps, gop_s, key_ratio, rate):
    """Bytes of one video frame after another: key frames, and for VBR a scene that is now busy, now still."""
    mean = kbps * 125 / fps
    every = max(1, round(gop_s * fps))
    other = mean * every / (key_ratio + every - 1)
    activity = 1.0
    number = 0
    while True:
        if rate == VBR:
            activity += (1.0 - activity) * 0.02 + random_.gauss(0, 0.06)
            activity = min(2.5, max(0.4, activity))
        size = other * (key_ratio if number % every == 0 else activity)
        yield max(60, int(size * random_.lognormvariate(0, 0.06 if rate == CBR else 0.18)))
        number += 1


def periodic(random_, every_s, bytes_each, up, start_s=0.0, jitter_s=0.001):
    """One packet of about the same size again and again."""
    number = 0
    while True:
        t_s = start_s + number * every_s + random_.random() * min(jitter_s, every_s / 2)
        yield t_s, up, max(80, int(28 + bytes_each * random_.uniform(0.85, 1.15)) + IP_TO_MPDU_BYTES)
        number += 1


def tcp_transfer(start_s, up, total_bytes, kbps, random_):
    """A TCP transfer: full segments in bursts, an ACK for every second one."""
    t_s = start_s
    sent = 0
    step_s = LONGEST_MPDU * 8 / (kbps * 1000)
    while total_bytes > 0:
        part = min(1460, total_bytes)
        yield t_s, up, int(part) + 40 + IP_TO_MPDU_BYTES
        total_bytes -= part
        sent += 1
        if sent % 2 == 0:
            yield t_s + step_s * 0.15, 1 - up, TCP_ACK_MPDU
        # Segments leave in trains of about ten, and now and then the window shrinks.
        t_s += step_s * 0.3 if sent % 10 else step_s * (7.3 + random_.expovariate(4))


def call_video(random_, kbps, fps, up):
    """Real-time video follows the network's estimate of itself: the rate wanders and drops."""
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
