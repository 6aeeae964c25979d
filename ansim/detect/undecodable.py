"""
Undecodable source: a transmitter whose frames are acknowledged but cannot be decoded here.

A radio with one antenna cannot decode frames of two spatial streams, 40 MHz, LDPC or
802.11ax, so it does not hear their addresses. But the acknowledgements of these frames (ACK,
Block Ack, and the CTS before them) are sent at basic rates and carry the address of the
transmitter. So such a source is reported as activity that cannot be judged, with a score
below the alarm, and its channel becomes a candidate for a dwell.

A phone that downloads sends many acknowledged frames too, its TCP acknowledgements; it is excluded
because it sends more acknowledgements than it receives. Access points are left out because
every busy router would be reported; camera_access_point judges their names and addresses.

Legitimate causes: every laptop and phone with two antennas that uploads or calls.
"""

from array import array

from ansim.detect.camera_evidence import ACKED_FRAMES, DECODED
from ansim.detect.hysteresis import fingerprint, strongest_first
from ansim.detect.stations.layout import F_BSSID, F_HOME, F_LAST_S, F_SUM_ACKED_DOWN, F_SUM_DOWN
from ansim.detect.stations.table import StationTable
from ansim.finding import CLEARED, NOTICE, RAISED, Evidence, Finding
from ansim.frame_header import address_text

KIND = "undecodable_source"
MIN_ACKED = 50  # in the last 10 to 20 rows; the weakest camera sends 8 frames a second
MIN_JUDGEMENTS = 5  # seconds of a dwell, or visits: a short exchange is not worth a report
MAX_DECODED = 125  # permille
SCORE = 30  # what cannot be judged is never an alarm
RECENT_S = 5
SILENT_MS = 60_000
URGENCY = 20
MAX_SOURCES = 16


class Undecodable:
    """Follows undecodable sources in the station table `table`."""

    def __init__(self, table: StationTable):
        self._table = table
        self.forget()

    def forget(self) -> None:
        self._sources = {}  # address -> [heard_ms, channel, first_ms, judgements]
        self._access_points = set()  # fingerprints

    def access_points(self, scan: list) -> None:
        """Remember the access points of a scan (list of AccessPoint)."""
        for access_point in scan:
            if len(self._access_points) < 64:
                self._access_points.add(fingerprint(access_point.bssid))

    def look(self, number: int, values: array, now_ms: int, findings: list) -> None:
        """Judge station `number` by its measured values; append a Finding if it is raised."""
        acked = values[ACKED_FRAMES]
        if acked < MIN_ACKED or values[DECODED] > MAX_DECODED:
            return
        table = self._table
        if (now_ms // 1000 - table.field(number, F_LAST_S)) & 0xFFFF > RECENT_S:
            return  # the sums fade only with new rows
        if max(table.field(number, F_SUM_ACKED_DOWN), table.field(number, F_SUM_DOWN)) > acked:
            return
        address = table.address(number)
        source = self._sources.get(address)
        if source is None:
            if len(self._sources) >= MAX_SOURCES or self._is_access_point(address):
                return
            source = self._sources[address] = [now_ms, table.field(number, F_HOME), table.first_ms(number), 0]
        source[0] = now_ms
        source[3] += 1
        if source[3] == MIN_JUDGEMENTS:
            rows = [
                Evidence("acked_frames", acked, MIN_ACKED, 20),
                Evidence("decoded_permille", values[DECODED], MAX_DECODED, 10),
            ]
            findings.append(self._finding(RAISED, address, source, now_ms, SCORE, strongest_first(rows)))

    def end(self, now_ms: int, findings: list) -> None:
        """Clear sources that were not heard for SILENT_MS."""
        for address in list(self._sources):
            source = self._sources[address]
            if now_ms - source[0] >= SILENT_MS:
                del self._sources[address]
                if source[3] < MIN_JUDGEMENTS:
                    continue
                rows = [Evidence("silent_ms", now_ms - source[0], SILENT_MS, 0)]
                findings.append(self._finding(CLEARED, address, source, now_ms, 0, rows))

    def candidates(self) -> list:
        """Return [(channel, urgency), ...] of the sources."""
        return [(source[1], URGENCY) for source in self._sources.values()]

    def _is_access_point(self, address):
        if fingerprint(address) in self._access_points:
            return True
        table = self._table
        return any(table.address(number, F_BSSID) == address for number in range(table.used()))

    def _finding(self, event, address, source, now_ms, score, rows):
        considered = [("video_call", "open"), ("bulk_upload", "open"), ("live_stream_phone", "open")]
        text = address_text(address)
        return Finding(event, KIND, text, now_ms, source[2], score, source[1], 0, "", rows, considered, "", NOTICE, "")
