"""
Made-up traffic for the stream detector, the same on CPython and on MicroPython, without chance.

    detector = CameraStream()
    told = play(detector, flows, seconds=20)        # [Finding, ...]

A flow is [from_ms, to_ms, every_us, way, lengths, {options}]: a frame every so often, its length the
next one of `lengths`, over and over. `way` is who sends to whom:

    up, down    a station and its access point
    own, back   an access point that sends on its own account, and its client
    relay       an access point hands on what came from behind it
    ack, cts    control frames addressed to the station; "acked" in the options: a Block Ack of so many
    lost        counts a sequence number of the station, but sends nothing

Options: "sta" and "ap" are the last bytes of the addresses (default 1 and 1), "local" makes the
station's address a made-up one, "rssi" dBm.
"""

from ansim.frame_header import (
    FLAG_FROM_DS,
    FLAG_TO_DS,
    KIND_CONTROL,
    KIND_DATA,
    RECORD_BYTES,
    SUBTYPE_ACK,
    SUBTYPE_BLOCK_ACK,
    SUBTYPE_CTS,
    SUBTYPE_QOS_DATA,
    pack_into,
)

CHANNEL = 6
NOBODY = bytes(6)
BATCH = 128


def station(number=1, local=False) -> bytes:
    return bytes([0xDA if local else 0xAC, 0xDE, 0x48, 0, 0, number])


def access_point(number=1) -> bytes:
    return bytes([0xAC, 0xDE, 0x48, 1, 0, number])


def router(number=1) -> bytes:
    return bytes([0xAC, 0xDE, 0x48, 1, 0, number ^ 0x80])


def records(flows, from_ms, to_ms, sequences, start_us=0) -> list:
    """Return [bytearray of one record, ...] of the frames between two moments, in the order of time."""
    made = []
    for place, flow in enumerate(flows):
        begin_ms, end_ms, every_us, way, lengths = flow[:5]
        options = flow[5] if len(flow) > 5 else {}
        first = max(0, -((begin_ms - from_ms) * 1000 // every_us)) if begin_ms < from_ms else 0
        number = first
        while True:
            at_us = begin_ms * 1000 + number * every_us
            if at_us >= min(end_ms, to_ms) * 1000:
                break
            made.append((at_us, place, way, lengths[number % len(lengths)], options))
            number += 1
    made.sort(key=lambda one: one[:2])
    out = []
    for at_us, _, way, length, options in made:
        sta = station(options.get("sta", 1), options.get("local", False))
        ap = access_point(options.get("ap", 1))
        outside = router(options.get("ap", 1))
        control, kind, extra = SUBTYPE_QOS_DATA, KIND_DATA, 0
        counts = None
        if way in ("up", "lost"):
            control |= FLAG_TO_DS << 8
            addresses = (ap, sta, outside)
            counts = sta
        elif way == "down":
            control |= FLAG_FROM_DS << 8
            addresses = (sta, ap, outside)
        elif way == "relay":
            control |= FLAG_FROM_DS << 8
            addresses = (station(99), ap, outside)
        elif way == "own":
            control |= FLAG_FROM_DS << 8
            addresses = (sta, ap, ap)
            counts = ap
        elif way == "back":
            control |= FLAG_TO_DS << 8
            addresses = (ap, sta, ap)
        else:
            kind = KIND_CONTROL
            acked = options.get("acked", 0)
            control = SUBTYPE_CTS if way == "cts" else SUBTYPE_BLOCK_ACK if acked else SUBTYPE_ACK
            addresses = (sta, ap if acked else NOBODY, NOBODY)
            extra = acked
        if counts is not None:
            sequences[counts] = (sequences.get(counts, 0) + 1) & 0xFFF
            if way == "lost":
                continue
        record = bytearray(RECORD_BYTES)
        sequence = sequences[counts] << 4 if counts is not None else 0
        pack_into(
            record,
            0,
            start_us + at_us,
            length,
            control,
            options.get("rssi", -55),
            CHANNEL,
            addresses[0],
            addresses[1],
            addresses[2],
            sequence,
            kind,
            extra=extra,
        )
        out.append(record)
    return out


def play(detector, flows, seconds, start_us=0, from_second=0) -> list:
    """Show `seconds` of the flows to a detector or engine that is tuned to CHANNEL; judge each second."""
    told = []
    sequences = {}
    batch = bytearray(BATCH * RECORD_BYTES)
    for second in range(from_second, from_second + seconds):
        filled = 0
        for record in records(flows, second * 1000, second * 1000 + 1000, sequences, start_us):
            batch[filled * RECORD_BYTES : (filled + 1) * RECORD_BYTES] = record
            filled += 1
            if filled == BATCH:
                detector.take(batch, filled)
                filled = 0
        if filled:
            detector.take(batch, filled)
        told += detector.judge(second * 1000 + 1000)
    return told


def run_vector(vector, detector) -> list:
    """Return what a detector says to a vector {"flows", "seconds", "networks"?}, as [[event, kind, ...], ...]."""
    detector.tune(CHANNEL, 0)
    if "open" in vector:
        from ansim.observation import AccessPoint

        detector.access_points(
            [AccessPoint(0, "cam", access_point(number), CHANNEL, -50, 0) for number in vector["open"]], 0
        )
    told = []
    for one in play(detector, vector["flows"], vector["seconds"]):
        rows = [[row.rule, row.value, row.threshold, row.weight] for row in one.evidence]
        told.append(
            [one.event, one.kind, one.subject, one.at_ms, one.score, rows, [list(pair) for pair in one.considered]]
        )
    return told
