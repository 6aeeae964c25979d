"""
Undecodable source: somebody sends, others acknowledge it, and this radio cannot read what.

A radio with one antenna cannot decode frames of two spatial streams, 40 MHz, LDPC or
802.11ax; it then hears no addresses. But the acknowledgements of those frames (ACK, Block
Ack, and the CTS before them) are sent at rates everybody understands, and name who they are
for. So such a source is never silent: it is told as "activity, cannot be judged", with a
score below the alarm, and its channel is proposed for a dwell.

A phone that downloads sends many acknowledged frames too, its own TCP acknowledgements; it
is left out, because it is acknowledged less than it acknowledges. Access points are, because
each busy router would be told; their names and addresses are judged by camera_access_point.

Legitimate causes: every laptop and phone with two antennas that uploads or calls.
"""

from ansim.detect.alarm import fingerprint, strongest_first
from ansim.detect.camera_evidence import ACKED_FRAMES, DECODED
from ansim.detect.stations.layout import F_BSSID, F_HOME, F_LAST_S, F_SUM_ACKED_DOWN, F_SUM_DOWN
from ansim.finding import CLEARED, RAISED, Evidence, Finding
from ansim.frame_header import address_text

KIND = "undecodable_source"
MIN_ACKED = 50  # in the last 10 to 20 rows; the weakest camera sends 8 frames a second
MIN_LOOKS = 5  # seconds of a dwell, or visits: a short exchange is not worth telling
MAX_DECODED = 125  # permille
SCORE = 30  # below the alarm whatever happens
RECENT_S = 5
SILENT_MS = 60_000
URGENCY = 20
MOST = 16


class Undecodable:
    """Follows the sources that cannot be judged, over the station table `table`."""

    def __init__(self, table):
        self._table = table
        self.forget()

    def forget(self) -> None:
        self._told = {}  # address -> [heard_ms, channel, first_ms, looks]
        self._access_points = set()  # fingerprints

    def access_points(self, found: list) -> None:
        """These are access points (list of AccessPoint)."""
        for one in found:
            if len(self._access_points) < 64:
                self._access_points.add(fingerprint(one.bssid))

    def look(self, number: int, values, now_ms: int, findings: list) -> None:
        """Judge station `number`, whose measured values are given; append a Finding if there is news."""
        acked = values[ACKED_FRAMES]
        if acked < MIN_ACKED or values[DECODED] > MAX_DECODED:
            return
        table = self._table
        if (now_ms // 1000 - table.field(number, F_LAST_S)) & 0xFFFF > RECENT_S:
            return  # the sums fade only row by row
        if max(table.field(number, F_SUM_ACKED_DOWN), table.field(number, F_SUM_DOWN)) > acked:
            return
        address = table.address(number)
        told = self._told.get(address)
        if told is None:
            if len(self._told) >= MOST or self._is_access_point(address):
                return
            told = self._told[address] = [now_ms, table.field(number, F_HOME), table.first_ms(number), 0]
        told[0] = now_ms
        told[3] += 1
        if told[3] == MIN_LOOKS:
            rows = [
                Evidence("acked_frames", acked, MIN_ACKED, 20),
                Evidence("decoded_permille", values[DECODED], MAX_DECODED, 10),
            ]
            findings.append(self._finding(RAISED, address, told, now_ms, SCORE, strongest_first(rows)))

    def end(self, now_ms: int, findings: list) -> None:
        """Clear what has not been heard for SILENT_MS."""
        for address in list(self._told):
            told = self._told[address]
            if now_ms - told[0] >= SILENT_MS:
                del self._told[address]
                if told[3] < MIN_LOOKS:
                    continue
                rows = [Evidence("silent_ms", now_ms - told[0], SILENT_MS, 0)]
                findings.append(self._finding(CLEARED, address, told, now_ms, 0, rows))

    def candidates(self) -> list:
        """Return [(channel, urgency), ...] of the sources that are or may be told."""
        return [(told[1], URGENCY) for told in self._told.values()]

    def _is_access_point(self, address):
        if fingerprint(address) in self._access_points:
            return True
        table = self._table
        return any(table.address(number, F_BSSID) == address for number in range(table.used()))

    def _finding(self, event, address, told, now_ms, score, rows):
        considered = [("video_call", "open"), ("bulk_upload", "open"), ("live_stream_phone", "open")]
        text = address_text(address)
        return Finding(event, KIND, text, now_ms, told[2], score, told[1], 0, "", rows, considered, "")
