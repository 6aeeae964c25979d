"""
A transmitter that sends what a camera sends: what camera_stream.py remembers of it from one judgement to the next.
"""

from ansim.detect.camera_evidence import RSSI_ZERO, UNKNOWN
from ansim.detect.stations.layout import NONE


class Suspect:
    """What is remembered of a transmitter beyond its counts."""

    # In the class, so that they take room in those suspects only for which something else is noted. A crowd has
    # dozens of suspects and few that are ever told of; up to 12 names in one take 192 bytes there, half on a board.
    silent_ms = 0  # listened to since its stretch of sending ended
    listened_ms = 0  # to it while it sent
    low_times = 0  # judgements in a row below CLEAR_SCORE
    raised = False
    score = told_score = told_ms = 0
    series = gop_ms = 0  # gop_ms: when gop, gop_period_ms and variation were last worked out
    gop = gop_period_ms = variation = UNKNOWN
    rssi_top = 0  # dBm + RSSI_ZERO, as the table has it
    rssi_low = 2 * RSSI_ZERO
    channel = 0
    bssid = b""
    number = NONE  # its place in the table when it was last judged
    urgency = 0
    evidence = None  # what was told last, packed; see camera_evidence.keep()
    considered = ()

    def __init__(self, now_ms, first_ms):
        self.first_ms = first_ms
        self.made_ms = now_ms
        self.since_ms = now_ms  # it has been sending like this since
        self.heard_ms = now_ms
