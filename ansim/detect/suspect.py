"""
Suspects: the state that camera_stream.py keeps of a transmitter between judgements.
"""

from ansim.detect.camera_evidence import RSSI_ZERO, UNKNOWN
from ansim.detect.stations.layout import NONE


class Suspect:
    """The state of a suspect besides its counts."""

    # Class attributes as defaults, so that they take memory only in suspects with other values. A crowd has dozens of
    # suspects, of which few are ever reported; 12 attributes of one take 192 bytes on 64 bits, half of it on a board.
    silent_ms = 0  # listening time since it stopped sending
    listened_ms = 0  # listening time while it sent
    high_judgements = 0  # in a row at ALARM_SCORE or above
    low_judgements = 0  # judgements in a row below CLEAR_SCORE
    unmet_judgements = 0  # in a row, while it sent and was listened to for DECIDED_MS
    met_ms = 0  # listening time in which it met the necessary conditions, less that in which it did not
    met_since_ms = 0  # it has met them since then; 0 if it does not
    level = ""  # of the finding that stands, "" if none does
    movement_ppm = UNKNOWN  # the p-value of a movement test
    maker = None  # number of the camera maker whose address it has, None for other addresses
    score = reported_score = reported_ms = 0
    series = gop_ms = 0  # gop_ms: when gop, gop_period_ms and variation were last measured
    gop = gop_period_ms = variation = common_length = UNKNOWN
    rssi_top = 0  # dBm + RSSI_ZERO, as the table has it
    rssi_low = 2 * RSSI_ZERO
    channel = 0
    bssid = b""
    number = NONE  # its number in the table at the last judgement
    urgency = 0
    evidence = None  # last reported, packed; see camera_evidence.pack_evidence()
    considered = ()

    def __init__(self, now_ms, first_ms):
        self.first_ms = first_ms
        self.made_ms = now_ms
        self.since_ms = now_ms  # it has been sending like this since
        self.heard_ms = now_ms
