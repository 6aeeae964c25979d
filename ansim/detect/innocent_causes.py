"""
Innocent causes of a camera-like transmission, and whether the measured values fit them.

    considered = weigh(values)        # [("video_call", "against"), ...]

"for": the cause fits too; "against": the values contradict it; "open": the values do not
decide it yet. server/wording/causes.py has advice on deciding each cause.
"""

from array import array

from ansim.detect.camera_evidence import (
    COMMON_LENGTH,
    DUTY,
    FINE_DUTY,
    GOP,
    HEARD_MS,
    LOCAL_ADDRESS,
    LOSS,
    MAX_LENGTH,
    MAX_LENGTH_SHARE,
    MEAN_DOWN,
    MEAN_UP,
    OPEN_NETWORK,
    OWN_SOURCE,
    PERSISTENCE_S,
    RSSI_PEAK,
    RSSI_SPAN,
    RSSI_ZERO,
    SINGLE_CLIENT,
    SMALL_UP,
    UNKNOWN,
    UPLINK_KBPS,
    UPLINK_SHARE,
    VARIATION,
)

FOR, AGAINST, OPEN = "for", "against", "open"
# Causes that keep a sender from being an alarm while they fit. A neighbour's camera does not: it is a camera.
PEOPLE = ("video_call", "live_stream_phone", "bulk_upload", "screen_share", "router_download")

# Two-way calls of the recordings share 0.43 to 0.67 of the bytes and receive frames of 500 bytes; cameras 0.81, 94 to
# 192.
CALL_SHARE = 700
CAMERA_SHARE = 800
CALL_DOWN_BYTES = 350
ONE_WAY_SHARE = 900  # with more of the bytes sent, what is received is no picture, however long its frames are
CAMERA_DOWN_BYTES = 230
RHYTHM = 450  # permille: 16 of 21 cameras are above, calls and downloads hardly ever
NO_RHYTHM = 200
CLOCK = 960  # bursts as equal as that are blocks of a program; key frames and the frames between them vary
CONSTANT = 100  # of variation: sound, or a transfer at a set pace; what an encoder makes of a picture varies more
# Full packets at a set pace, with pauses and without key frames.
MOSTLY_FULL, NO_RHYTHM_AT_ALL, CALM = 850, 300, 700
NO_CLOCK, CHUNKS = 100, 850  # a download that is played comes in chunks, without a rhythm
CUT_BYTES = 1250  # cameras that cut their pictures into datagrams send nothing longer
EVEN = 200  # permille of variation: uploads and calls can be as even as that, cameras have 280 or more
FULL_FRAMES = 940  # permille: file transfers; few cameras have as many
VARIED_FRAMES = 800
LONG_S = 60
LISTENED_MS = 8000  # of listening without an answer
BRIEF_S = 15  # pages, photos and logs are sent in less
TALK_DOWN_BYTES, TALK_SHARE = 240, 790
# Somebody else's picture or voice comes back; cameras with a share this low receive frames of 128 bytes or less.
CALL_TALK_BYTES = 200
# Of the long frames of a camera 322 permille or more have one length, of calls and shared screens 46 to 182: their
# programs divide each picture into equal packets. At lower rates most pictures are one packet, of any length.
EQUAL_PACKETS, EQUAL_PACKETS_KBPS = 240, 250
UPLOAD_KBPS = 1500  # a transfer takes what the network gives; most cameras send less
TRANSFER_KBPS = 5000  # more than an encoder in a small camera makes
NO_PAUSES, PAUSES = 900, 700  # permille of the tenths of seconds: a transfer has no pauses, pictures have
# What a camera rarely does, and what calls, sound and uploads do: an even flow without a rhythm, as rate control and
# pacing make it (worst of 72 camera sessions: variation 502, or 295 with a rhythm of 661); only full packets in less
# unequal bursts than key frames make (1,549), with a rhythm or without; no rhythm at all; speech of 50 short frames a
# second beside the picture (340).
STEADY, FULL_STEADY, ANY_RHYTHM, SPEECH = 400, 1300, 10, 380
# Blocks of a program, paced, with pauses: single pictures come by a clock, and key frames make unequal bursts. Cameras
# without a rhythm and with as even bursts have no pauses (644); with more loss the pauses are those of the listening.
BLOCK_DUTY, BLOCK_LOSS = 550, 250
SOUND_KBPS = 450  # music of 320 kbit/s and its headers; a camera this slow has key frames that stand out
# Uploads, pages and most one-way calls are over by the first; sound and uploads that only their evenness tells from
# cameras have twice the time.
ALARM_MS, ALARM_CALL_MS, ALARM_DATA_MS = 56_000, 70_000, 115_000
HOURS_S = 1800  # longer than any call in a restroom
FAR_DBM = -78  # at the nearest point: a wall, or more than 10 m
NEAR_DBM = -55  # some metres at most
WALKED_DB = 12  # of change: the sensor was carried past the transmitter


def weigh(values: list | array) -> list:
    """Return [(cause id, verdict), ...] for measured values; see camera_evidence.RULES for their indexes."""
    causes = [("iot_burst", _iot_burst(values)), ("neighbour_camera", _neighbour(values))]
    if values[OWN_SOURCE] != UNKNOWN:
        causes.append(("router_download", _download(values)))
    else:
        causes.append(("video_call", _call(values)))
        causes.append(("live_stream_phone", _live_stream(values)))
        causes.append(("bulk_upload", _upload(values)))
        causes.append(("screen_share", _screen(values)))
        causes.append(("voice_call", AGAINST if values[MEAN_UP] >= 350 or _below(values, SMALL_UP, 500) else OPEN))
    return causes


def best(considered: list) -> int:
    """Return 1 + the index in PEOPLE of the first cause of a person's device that is FOR; 0 if none is."""
    for cause, verdict in considered:
        if verdict == FOR and cause in PEOPLE:
            return PEOPLE.index(cause) + 1
    return 0


def least_ms(values: list | array) -> int:
    """Return for how long a sender must meet the conditions before an alarm; it may be a call, sound or data."""
    if values[OWN_SOURCE] != UNKNOWN:
        return ALARM_MS
    full = _at_least(values, MAX_LENGTH_SHARE, FULL_FRAMES)
    if full:
        steady = _below(values, VARIATION, FULL_STEADY)  # with any rhythm: a transfer at a set pace has one, too
    else:
        steady = _below(values, VARIATION, STEADY) and not _at_least(values, GOP, RHYTHM)
    if _may_be_blocks(values):
        return ALARM_DATA_MS
    silence = values[MEAN_DOWN] == UNKNOWN and values[HEARD_MS] >= LISTENED_MS
    if silence or (steady and (full or values[UPLINK_KBPS] < SOUND_KBPS)):
        return ALARM_DATA_MS
    if steady or _below(values, GOP, ANY_RHYTHM) or _at_least(values, SMALL_UP, SPEECH):
        return ALARM_CALL_MS
    return ALARM_MS


def _may_be_blocks(values):
    pauses = values[FINE_DUTY] < BLOCK_DUTY and _below(values, LOSS, BLOCK_LOSS)
    return pauses and _below(values, GOP, RHYTHM) and _below(values, VARIATION, FULL_STEADY)


def likely(considered: list, rows: list, sent_s: int) -> str:
    """
    Return the id of the cause that a sender most likely was that has stopped, "" if that cannot be told.

    considered  what weigh() returned when it was last reported
    rows        its evidence then
    sent_s      how long it has sent
    """
    number = best(considered)
    if number:
        return PEOPLE[number - 1]
    measured = {row.rule: row.value for row in rows}
    if sent_s >= LONG_S:
        return ""
    if (
        measured.get("mean_down_bytes", 0) >= TALK_DOWN_BYTES
        or measured.get("uplink_share_permille", 1000) < TALK_SHARE
    ):
        return "video_call" if sent_s >= BRIEF_S else "iot_burst"
    if measured.get("uplink_kbps", 0) >= UPLOAD_KBPS and ("bulk_upload", AGAINST) not in considered:
        return "bulk_upload"
    return "iot_burst" if sent_s < BRIEF_S else ""


def _at_least(values, place, least):
    return values[place] != UNKNOWN and values[place] >= least


def _below(values, place, limit):
    return values[place] < limit  # UNKNOWN is above every limit


def _iot_burst(values):
    if _at_least(values, PERSISTENCE_S, 20) and values[DUTY] >= 700:
        return AGAINST
    return OPEN


def _neighbour(values):
    peak = values[RSSI_PEAK]
    if peak == UNKNOWN:
        return OPEN
    if peak - RSSI_ZERO <= FAR_DBM:
        return FOR
    if peak - RSSI_ZERO >= NEAR_DBM and _at_least(values, RSSI_SPAN, WALKED_DB):
        return AGAINST
    return OPEN


def _call(values):
    long_answers = _at_least(values, MEAN_DOWN, CALL_DOWN_BYTES) and values[UPLINK_SHARE] < ONE_WAY_SHARE
    talks = _at_least(values, MEAN_DOWN, CALL_TALK_BYTES) and values[UPLINK_SHARE] < TALK_SHARE
    equal_packets = _below(values, COMMON_LENGTH, EQUAL_PACKETS) and values[UPLINK_KBPS] >= EQUAL_PACKETS_KBPS
    if values[UPLINK_SHARE] <= CALL_SHARE or long_answers or talks or equal_packets:
        return FOR
    if _at_least(values, GOP, RHYTHM) and values[UPLINK_SHARE] >= CAMERA_SHARE:
        return AGAINST
    if _at_least(values, PERSISTENCE_S, HOURS_S):
        return AGAINST
    return OPEN


def _live_stream(values):
    if _at_least(values, PERSISTENCE_S, HOURS_S):
        return AGAINST
    if values[LOCAL_ADDRESS] == 1:
        return FOR  # with any rhythm: a phone's encoder sends key frames as a camera's does
    return OPEN


def _upload(values):
    if values[UPLINK_KBPS] >= TRANSFER_KBPS:
        return FOR
    full = _at_least(values, MAX_LENGTH_SHARE, FULL_FRAMES)
    if full and (_at_least(values, GOP, CLOCK) or _below(values, VARIATION, EVEN)):
        return FOR
    if _below(values, VARIATION, CONSTANT) and _below(values, GOP, NO_CLOCK):
        return FOR
    pauses = values[FINE_DUTY] < PAUSES and _at_least(values, MAX_LENGTH_SHARE, MOSTLY_FULL)
    if pauses and _below(values, GOP, NO_RHYTHM_AT_ALL) and _below(values, VARIATION, CALM):
        return FOR
    if _below(values, MAX_LENGTH_SHARE, VARIED_FRAMES) or _at_least(values, GOP, RHYTHM):
        return AGAINST
    if values[FINE_DUTY] < PAUSES:
        return AGAINST if _at_least(values, PERSISTENCE_S, 20) else OPEN
    even = _below(values, GOP, NO_RHYTHM) or _below(values, VARIATION, EVEN)
    if even and full and values[FINE_DUTY] >= NO_PAUSES:
        return FOR
    return OPEN


def _screen(values):
    if _at_least(values, SMALL_UP, 600) and values[UPLINK_SHARE] < TALK_SHARE:
        return FOR  # sound and small changes, and somebody who answers
    if _at_least(values, PERSISTENCE_S, LONG_S) and values[DUTY] >= 950 and _at_least(values, GOP, RHYTHM):
        return AGAINST
    return OPEN


def _download(values):
    if _below(values, SINGLE_CLIENT, 800):
        return FOR
    chunks = values[FINE_DUTY] < CHUNKS and _below(values, GOP, NO_CLOCK)
    if chunks and _at_least(values, MAX_LENGTH, CUT_BYTES):
        return FOR
    if values[OPEN_NETWORK] == 1 and _at_least(values, GOP, RHYTHM):
        return AGAINST
    return OPEN
