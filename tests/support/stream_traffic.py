"""
Synthetic Wi-Fi traffic for the stream detector: deterministic, the same on CPython and on MicroPython.

    detector = CameraStream()
    findings = play(detector, flows, seconds=20)

A flow is [from_ms, to_ms, every_us, direction, lengths, {options}]: one frame every `every_us`, with the
lengths of `lengths` in turn, over and over. Directions:

    up, down    between a station and its access point
    own, back   between an access point that sends for itself and its client
    relay       from an access point that forwards frames from the network behind it
    ack, cts    control frames to the station; with the option "acked": a Block Ack of so many frames
    lost        uses up a sequence number of the station, but is not received

Options: "sta" and "ap" are the last bytes of the addresses (default 1 and 1), "local" makes the station's
address a locally administered one, "rssi" is in dBm.
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
NO_ADDRESS = bytes(6)
BATCH = 128


def station(number=1, local=False) -> bytes:
    """Return the address of a station."""
    return bytes([0xDA if local else 0xAC, 0xDE, 0x48, 0, 0, number])


def access_point(number=1) -> bytes:
    """Return the address of an access point."""
    return bytes([0xAC, 0xDE, 0x48, 1, 0, number])


def router(number=1) -> bytes:
    """Return the address of the router behind an access point."""
    return bytes([0xAC, 0xDE, 0x48, 1, 0, number ^ 0x80])


def records(flows, from_ms, to_ms, sequences, start_us=0) -> list:
    """
    Return the records of the frames between two moments as bytearrays, in the order of time.

    sequences  {address: last sequence number}, which is advanced
    start_us   added to the times in the records
    """
    frames = []
    for index, flow in enumerate(flows):
        begin_ms, end_ms, every_us, direction, lengths = flow[:5]
        options = flow[5] if len(flow) > 5 else {}
        number = max(0, -((begin_ms - from_ms) * 1000 // every_us)) if begin_ms < from_ms else 0
        while True:
            at_us = begin_ms * 1000 + number * every_us
            if at_us >= min(end_ms, to_ms) * 1000:
                break
            frames.append((at_us, index, direction, lengths[number % len(lengths)], options))
            number += 1
    frames.sort(key=lambda frame: frame[:2])
    made = []
    for at_us, _, direction, length, options in frames:
        record = _record(start_us + at_us, direction, length, options, sequences)
        if record is not None:
            made.append(record)
    return made


def _record(time_us, direction, length, options, sequences):
    """Return one record, None for a lost frame."""
    sta = station(options.get("sta", 1), options.get("local", False))
    ap = access_point(options.get("ap", 1))
    outside = router(options.get("ap", 1))
    control, kind, acked = SUBTYPE_QOS_DATA, KIND_DATA, 0
    sender = None  # whose sequence number the frame has
    if direction in ("up", "lost"):
        control |= FLAG_TO_DS << 8
        addresses = (ap, sta, outside)
        sender = sta
    elif direction == "down":
        control |= FLAG_FROM_DS << 8
        addresses = (sta, ap, outside)
    elif direction == "relay":
        control |= FLAG_FROM_DS << 8
        addresses = (station(99), ap, outside)
    elif direction == "own":
        control |= FLAG_FROM_DS << 8
        addresses = (sta, ap, ap)
        sender = ap
    elif direction == "back":
        control |= FLAG_TO_DS << 8
        addresses = (ap, sta, ap)
    else:
        kind = KIND_CONTROL
        acked = options.get("acked", 0)
        control = SUBTYPE_CTS if direction == "cts" else SUBTYPE_BLOCK_ACK if acked else SUBTYPE_ACK
        addresses = (sta, ap if acked else NO_ADDRESS, NO_ADDRESS)
    sequence = 0
    if sender is not None:
        sequences[sender] = (sequences.get(sender, 0) + 1) & 0xFFF
        if direction == "lost":
            return None
        sequence = sequences[sender] << 4
    record = bytearray(RECORD_BYTES)
    pack_into(
        record,
        0,
        time_us,
        length,
        control,
        options.get("rssi", -55),
        CHANNEL,
        addresses[0],
        addresses[1],
        addresses[2],
        sequence,
        kind,
        extra=acked,
    )
    return record


def play(detector, flows, seconds, start_us=0, from_second=0) -> list:
    """Pass `seconds` of the flows to a detector or engine tuned to CHANNEL, judge every second; return the findings."""
    findings = []
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
        findings += detector.judge(second * 1000 + 1000)
    return findings


def run_vector(vector, detector) -> list:
    """
    Return a detector's findings for a vector as [[event, kind, ...], ...].

    vector  {"flows", "seconds", "open"?: numbers of access points without encryption}
    """
    detector.tune(CHANNEL, 0)
    if "open" in vector:
        from ansim.observation import AccessPoint

        detector.access_points(
            [AccessPoint(0, "cam", access_point(number), CHANNEL, -50, 0) for number in vector["open"]], 0
        )
    rows = []
    for finding in play(detector, vector["flows"], vector["seconds"]):
        evidence = [[row.rule, row.value, row.threshold, row.weight] for row in finding.evidence]
        considered = [list(pair) for pair in finding.considered]
        rows.append([finding.event, finding.kind, finding.subject, finding.at_ms, finding.score, evidence, considered])
    return rows
