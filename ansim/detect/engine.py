"""
The detection engine: passes every observation to the detectors, and accounts for the coverage.

    engine = standard(settings)
    engine.tune(6, now_ms)              # the radio listens on channel 6 from now on; 0: deaf
    engine.take(records, count)         # frame headers heard since (see ansim/frame_header.py)
    engine.lost(undecodable, dropped)   # of this visit, before the next tune()
    for finding in engine.judge(now_ms):
        ...

A detector is an object with a `name` and any of these, called only if it has them:
tune(channel, now_ms), take(records, count), lost(undecodable, dropped),
access_points(list of AccessPoint, now_ms), advertisement(Advertisement), spectrum(Spectrum),
judge(now_ms) -> list of Finding, candidates(now_ms) -> list of (channel, urgency),
moved(six bytes, p-value of a movement test in ppm),
stations() -> (heard since the last call, table was full), missed() -> numbered frames (received, missing),
ignore(list of six bytes), forget(),
is_quiet() -> no station was heard since the last judgement,
own_streams() -> list of (BSSID, kbit/s, clients), passed to the other detectors'
traffic(BSSID, now_ms, kbit/s, clients).

Nothing here has a clock: `now_ms` is the sensor's monotonic time in milliseconds.
"""

from ansim.detect.camera_access_point import CameraAccessPoint
from ansim.detect.camera_beacon import CameraBeacon
from ansim.detect.camera_stream import CameraStream
from ansim.detect.hysteresis import fingerprint
from ansim.frame_header import address_bytes
from ansim.observation import Advertisement, Spectrum
from ansim.signatures import Tables

MAX_DISTINCT = 128  # access points and BLE advertisers counted per coverage period
MAX_CANDIDATES = 4


class Engine:
    """The detectors of one sensor."""

    def __init__(self, detectors: list):
        self.detectors = detectors
        self._record_detectors = _with(detectors, "take")
        self._tuned_detectors = _with(detectors, "tune")
        self._judging_detectors = _with(detectors, "judge")
        self._loss_detectors = _with(detectors, "lost")
        self._stream_sources = _with(detectors, "own_streams")
        self._stream_consumers = _with(detectors, "traffic")
        self._channel = 0
        self._since_ms = 0
        self._known = set()
        self._reset_coverage()

    def tune(self, channel: int, now_ms: int) -> None:
        """Note that the radio listens on `channel` (1..177) from now on; 0 means it is deaf."""
        self._account(now_ms)
        self._channel = channel
        for detector in self._tuned_detectors:
            detector.tune(channel, now_ms)

    def take(self, records: bytes | bytearray | memoryview, count: int) -> None:
        """Take `count` header records of 36 bytes each, heard since the last call. Allocates nothing."""
        self._frames += count
        for detector in self._record_detectors:
            detector.take(records, count)

    def lost(self, undecodable: int, dropped: int) -> None:
        """Count the undecodable frames of the current visit, and the records that the ring had no room for."""
        row = self._row()
        if row is not None:
            row[3] += undecodable
            row[4] += dropped
        for detector in self._loss_detectors:
            detector.lost(undecodable, dropped)

    def access_points(self, scan: list, now_ms: int) -> None:
        """Take the result of one access-point scan, a list of AccessPoint."""
        for access_point in scan:
            self._count_distinct(self._seen_access_points, access_point.bssid)
        for detector in _with(self.detectors, "access_points"):
            detector.access_points(scan, now_ms)

    def advertisement(self, advertisement: Advertisement) -> None:
        """Take one Bluetooth LE Advertisement."""
        self._count_distinct(self._seen_ble, advertisement.address)
        for detector in _with(self.detectors, "advertisement"):
            detector.advertisement(advertisement)

    def spectrum(self, spectrum: Spectrum) -> None:
        """Take one Spectrum of the nRF24."""
        for detector in _with(self.detectors, "spectrum"):
            detector.spectrum(spectrum)

    def ignore(self, addresses: list) -> None:
        """Make no findings about these known emitters (address texts) from now on."""
        self._known = set(addresses)
        as_bytes = [address_bytes(address) for address in addresses]
        for detector in _with(self.detectors, "ignore"):
            detector.ignore(as_bytes)

    def moved(self, address: str, p_ppm: int) -> None:
        """Take the result of a movement test about an emitter (address text): its p-value in parts per million."""
        for detector in _with(self.detectors, "moved"):
            detector.moved(address_bytes(address), p_ppm)

    def judge(self, now_ms: int) -> list:
        """Return the findings that are new, changed or over; call at the end of a visit and each second of a dwell."""
        self._account(now_ms)
        findings = []
        for detector in self._judging_detectors:
            for finding in detector.judge(now_ms):
                if finding.subject not in self._known:
                    findings.append(finding)
        self._pass_on_streams(now_ms)
        return findings

    def _pass_on_streams(self, now_ms):
        """Pass access points that themselves send like a camera to the detectors that judge access points."""
        for source in self._stream_sources:
            for bssid, kbps, clients in source.own_streams():
                for detector in self._stream_consumers:
                    detector.traffic(bssid, now_ms, kbps, clients)

    def is_quiet(self) -> bool:
        """Return True if no station was heard since the last judgement, according to all detectors with is_quiet()."""
        answers = [detector.is_quiet() for detector in self._record_detectors if hasattr(detector, "is_quiet")]
        return bool(answers) and all(answers)

    def candidates(self, now_ms: int) -> list:
        """Return [(channel, urgency 0..100), ...], most urgent first: channels where a dwell would help."""
        best = {}
        for detector in _with(self.detectors, "candidates"):
            for channel, urgency in detector.candidates(now_ms):
                if urgency > best.get(channel, -1):
                    best[channel] = urgency
        ranked = sorted([(-best[channel], channel) for channel in best])
        return [(channel, -urgency) for urgency, channel in ranked[:MAX_CANDIDATES]]

    def coverage(self) -> dict:
        """Return the coverage since the last call as fields of a SWEEP report, and reset it."""
        stations = 0
        full = self._full
        for detector in _with(self.detectors, "stations"):
            heard, was_full = detector.stations()
            stations += heard
            full = full or was_full
        received = missing = 0
        for detector in _with(self.detectors, "missed"):
            pairs, lost = detector.missed()
            received, missing = received + pairs, missing + lost
        coverage = {
            "channels": [self._rows[channel] for channel in sorted(self._rows)],
            "stations": stations,
            "access_points": len(self._seen_access_points),
            "ble": len(self._seen_ble),
            "full": full,
            "numbered": received,
            "missed": missing,
        }
        self._reset_coverage()
        return coverage

    def forget(self) -> None:
        """Start a new inspection: forget everything heard so far."""
        self._reset_coverage()
        for detector in _with(self.detectors, "forget"):
            detector.forget()

    def _reset_coverage(self):
        self._rows = {}  # channel -> [channel, ms, frames, undecodable, dropped]
        self._frames = 0
        self._seen_access_points = set()
        self._seen_ble = set()
        self._full = False

    def _account(self, now_ms):
        """Add the time and frames since the last call to the row of the current channel."""
        row = self._row()
        if row is not None:
            if now_ms > self._since_ms:
                row[1] += now_ms - self._since_ms
            row[2] += self._frames
        self._frames = 0
        self._since_ms = now_ms

    def _row(self):
        channel = self._channel
        if channel == 0:
            return None
        row = self._rows.get(channel)
        if row is None:
            row = self._rows[channel] = [channel, 0, 0, 0, 0]
        return row

    def _count_distinct(self, seen, address):
        mark = fingerprint(address)  # the addresses themselves would take 18 kB in a crowd
        if len(seen) < MAX_DISTINCT:
            seen.add(mark)
        elif mark not in seen:
            self._full = True


def standard(settings: dict, updates: str = "", has_spectrum: bool = True, memory: bytearray | None = None) -> Engine:
    """
    Return an Engine with the standard detectors for checked settings (see ansim/settings.py).

    updates       folder of newer signature tables, "" for none
    has_spectrum  an nRF24 is fitted; otherwise its detector is not loaded
    memory        for the station table, see stations/table.py
    """
    tables = Tables("", updates)
    detectors = [CameraStream(tables=tables, memory=memory), CameraAccessPoint(tables), CameraBeacon(tables)]
    if has_spectrum:
        from ansim.detect.analogue_video import AnalogueVideo

        detectors.append(AnalogueVideo())
    engine = Engine(detectors)
    engine.ignore(settings.get("ignore", []))
    return engine


def _with(detectors, method):
    return [detector for detector in detectors if hasattr(detector, method)]
