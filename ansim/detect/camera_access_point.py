"""
Camera access point: a network with the name or the maker of a camera.

Many mini cameras are access points with a typical name. Names have tiers: A strong, B a
camera brand or generic maker, C weak (also common on harmless devices). B and C alone never
raise an alarm, whatever their sum; neither do the addresses of module makers, whose
modules are in cheap cameras and in lamps.

A name or a maker alone makes a notice. An alarm needs a stream of the access point's own besides, for a while. More
suspects in one scan than there are rows are made-up networks: they are reported once, as such.

Legitimate causes: the building's own or a neighbour's security camera, an action or dash
camera or a drone, a plug or vacuum cleaner waiting to be set up, a hobby board, camera-like
names given for fun. List known ones among the restroom's known emitters.

Not covered: a camera whose name imitates a router's (the stream itself is then judged by
camera_stream), a hidden camera that joins an ordinary network (the same), 5 GHz.

Sources: the tables' (ansim/signatures/source); mini cameras as open access points with one
client and video from the BSSID itself: reverse engineering of A9, X5 and HDWiFiCam cameras
(DavidVentura/cam-reverse, datenstau/A9_PPPP).
"""

from ansim.detect.hysteresis import Alarm, distance_verdict, fingerprint, make_room, silent, strongest_first, total
from ansim.finding import ALARM, ALARM_SCORE, CLEARED, NOTICE, RAISED, UPDATED, Evidence, Finding, printable
from ansim.frame_header import address_text, is_local
from ansim.signatures import CAMERA, Tables

# Points. A strong name alone is enough; a camera maker's address needs an open network or a weak name as well.
NAME_POINTS = (0, 15, 35, 65)  # by tier: HARMLESS (unused), WEAK, BRAND, CAMERA
NAME_RULES = ("", "name_weak", "name_brand", "name_camera")
OUI_CAMERA_POINTS = 45
OUI_MODULE_POINTS = 8
OPEN_POINTS = (
    15  # mini cameras are open by default, but so are many set-up and public networks: counts only with another sign
)
HIDDEN_POINTS = 5  # offices hide networks too: counts only with a camera maker's address
STREAM_POINTS = 30  # source address = BSSID: a router forwards other devices' video, a camera sends its own
ONE_CLIENT_POINTS = 10  # one direct viewer
HARMLESS_POINTS = -40  # takes a strong name below the threshold: such names are chosen on purpose
MAX_WITHOUT_STRONG = ALARM_SCORE - 5

STREAM_KBPS = 80  # lowest rate of the 18 measured cameras is 159 kbit/s, half of it may be lost; see camera_stream
STREAM_FRESH_MS = 60000
ALARM_STREAM_MS = 40_000  # from the first to the last report of its stream: downloads from a hotspot are shorter
HOUR_MS, MOST_AN_HOUR = 3_600_000, 30  # findings of names and makers that are raised in an hour; streams always are
GONE_MS = 90000
GONE_SCANS = 3  # if a scan misses every tenth access point, three in a row miss 1 in 1,000
MAX_ROWS = 12  # suspects, 350 B each on a board; ordinary access points have no row
MAX_ORDINARY = 64  # ordinary ones whose name is not looked up again
WORTH_TELLING = 40  # a suspect with so many points that finds no place is reported as "full"

FAR_DBM = -75  # a wall and some metres
NEAR_DBM = -55  # within about 3 m at the 10-15 dBm that such cameras send

OPEN = 0  # AccessPoint.security


class CameraAccessPoint:
    """
    Judge the access points of each scan.

    tables  a signatures.Tables to share, or None for one of its own
    """

    name = "camera_access_point"

    def __init__(self, tables: Tables | None = None):
        self._tables = tables or Tables()
        self._known = set()
        self.forget()

    def forget(self) -> None:
        """Start a new inspection."""
        self._rows = {}  # BSSID -> _Row
        self._ordinary = set()  # fingerprints of BSSID and SSID
        self._scans = 0
        self._full = False
        self._raised = 0  # in the hour that began at self._hour_ms
        self._hour_ms = 0
        self._made_up = 0  # suspects in the last scan with more of them than rows, 0 after scans without
        self._made_up_scan = 0
        self._told = None  # (BSSID, row, evidence) of the finding that tells of them

    def ignore(self, addresses: list) -> None:
        """Make no findings about these BSSIDs (six bytes each) from now on; they take no row."""
        self._known = set(addresses)
        for bssid in self._known:
            self._rows.pop(bssid, None)

    def access_points(self, scan: list, now_ms: int) -> None:
        """Take the result of one scan, a list of AccessPoint."""
        self._scans += 1
        suspects = 0
        for access_point in scan:
            bssid = bytes(access_point.bssid)
            if bssid in self._known:
                continue
            row = self._rows.get(bssid)
            if row is None:
                if fingerprint(bssid, access_point.ssid.encode()) in self._ordinary:
                    continue
                row = self._new_row(bssid, access_point.ssid, access_point.security, now_ms)
                if row is None:
                    suspects += self._refused_points >= ALARM_SCORE
                    continue
            elif access_point.ssid and access_point.ssid != row.ssid:
                row.ssid = access_point.ssid
                row.camera, row.harmless = self._tables.ssid(access_point.ssid)
            row.update(access_point, self._scans, now_ms)
            suspects += total(row.evidence(now_ms)) >= ALARM_SCORE
        if suspects > MAX_ROWS:
            self._made_up, self._made_up_scan = suspects, self._scans
        elif self._scans - self._made_up_scan >= GONE_SCANS:
            self._made_up = 0

    def traffic(self, bssid: bytes, now_ms: int, kbps: int, clients: int) -> None:
        """Note that an access point itself sends a camera-like stream of `kbps` to so many stations."""
        bssid = bytes(bssid)
        if bssid in self._known:
            return
        row = self._rows.get(bssid) or self._new_row(bssid, "", None, now_ms)
        if row is not None:
            if now_ms - row.stream_ms > STREAM_FRESH_MS:
                row.stream_since_ms = now_ms
            row.kbps, row.clients, row.stream_ms = kbps, clients, now_ms
            row.last_ms, row.scan = now_ms, self._scans

    def judge(self, now_ms: int) -> list:
        """Return the findings that are new, changed or over."""
        findings = []
        for bssid in list(self._rows):
            row = self._rows[bssid]
            gone = now_ms - row.last_ms >= GONE_MS and self._scans - row.scan >= GONE_SCANS
            evidence = silent(row.last_ms, now_ms, GONE_MS) if gone else row.evidence(now_ms)
            event = None
            if row.alarm.raised or self._may_raise(row, now_ms):
                event = row.alarm.event(total(evidence), row.rssi_dbm, now_ms)
            if event == RAISED:
                self._raised += 1
                row.level = NOTICE
            if row.alarm.raised and row.level == NOTICE and row.has_streamed(now_ms):
                row.level, event = ALARM, event or UPDATED
                seconds = (row.stream_ms - row.stream_since_ms) // 1000
                evidence.append(Evidence("alarm_listened_s", seconds, ALARM_STREAM_MS // 1000, 0))
            if event:
                findings.append(self._finding(event, bssid, row, evidence, now_ms))
            if gone:
                del self._rows[bssid]
        self._tell_made_up(now_ms, findings)
        return findings

    def _may_raise(self, row, now_ms):
        """Return False for names and makers alone while there are made-up networks, or many findings in this hour."""
        if now_ms - self._hour_ms >= HOUR_MS:
            self._hour_ms, self._raised = now_ms, 0
        if row.streams(now_ms):
            return True
        return row.scan >= self._scans - 1 and not (self._made_up or self._raised >= MOST_AN_HOUR)

    def _tell_made_up(self, now_ms, findings):
        """Append a finding about the strongest of many made-up networks, once, and its end."""
        if self._made_up and self._told is None and self._rows:
            strongest = None
            for bssid in self._rows:
                row = self._rows[bssid]
                if not row.alarm.raised and (strongest is None or row.rssi_dbm > self._rows[strongest].rssi_dbm):
                    strongest = bssid
            if strongest is None:
                return
            row = self._rows[strongest]
            row.level = NOTICE
            self._told = strongest, row, [Evidence("made_up_networks", self._made_up, MAX_ROWS, 0)]
            findings.append(self._finding(RAISED, *self._told, now_ms))
        elif self._told is not None and not self._made_up:
            findings.append(self._finding(CLEARED, *self._told, now_ms))
            self._told = None

    def stations(self) -> tuple:
        """Return (0, True if a suspect found no place since the last call)."""
        full, self._full = self._full, False
        return 0, full

    def _new_row(self, bssid, ssid, security, now_ms):
        """
        Return a row for a suspect; None if there is no sign of a camera, or the table is full of stronger suspects.
        """
        self._refused_points = 0
        camera, harmless = self._tables.ssid(ssid)
        maker = self._tables.oui(bssid)
        row = None
        if camera or maker:
            row = _Row(ssid, camera, harmless, maker, security, now_ms)
            points = total(row.evidence(now_ms))
            if self._make_room(points, now_ms):
                self._rows[bssid] = row
                return row
            self._refused_points = points
            if points >= WORTH_TELLING:
                self._full = True
                return None  # it gets a row in the first scan after one is free
        if len(self._ordinary) >= MAX_ORDINARY:
            self._ordinary.clear()
        self._ordinary.add(fingerprint(bssid, ssid.encode()))
        return None

    def _make_room(self, points, now_ms):
        """Return True if there is room for a suspect; one that is gone and was never raised goes first."""
        if len(self._rows) >= MAX_ROWS:
            for bssid in self._rows:
                row = self._rows[bssid]
                if not row.alarm.raised and row.scan < self._scans - 1:
                    del self._rows[bssid]
                    break
        return make_room(self._rows, MAX_ROWS, points, now_ms)

    def _finding(self, event, bssid, row, evidence, now_ms):
        return Finding(
            event,
            self.name,
            address_text(bssid),
            now_ms,
            row.first_ms,
            total(evidence),
            row.channel,
            row.rssi_dbm,
            address_text(bssid),
            strongest_first(evidence),
            row.considered(is_local(bssid)),
            printable(row.ssid),
            row.level,
            "",
        )


class _Row:
    """One suspect access point."""

    def __init__(self, ssid, camera, harmless, maker, security, now_ms):
        self.ssid = ssid
        self.camera = camera
        self.harmless = harmless
        self.maker = maker
        self.security = security  # None: not seen in a scan yet
        self.first_ms = self.last_ms = now_ms
        self.scan = 0
        self.channel = 0
        self.rssi_dbm = -128
        self.kbps = self.clients = 0
        self.stream_ms = -STREAM_FRESH_MS - 1  # never
        self.stream_since_ms = 0
        self.level = NOTICE
        self.alarm = Alarm()

    def update(self, access_point, scan, now_ms):
        self.scan = scan
        self.last_ms = now_ms
        self.channel = access_point.channel
        self.security = access_point.security
        # The strongest of the last scans: a body in between takes 5-10 dB for a moment.
        rssi_dbm = access_point.rssi_dbm
        self.rssi_dbm = rssi_dbm if rssi_dbm > self.rssi_dbm else (self.rssi_dbm + rssi_dbm) // 2

    def streams(self, now_ms):
        """Return True if it has lately sent a stream of its own."""
        return now_ms - self.stream_ms <= STREAM_FRESH_MS and self.kbps >= STREAM_KBPS

    def has_streamed(self, now_ms):
        """Return True if it has done so for long enough for an alarm."""
        return self.streams(now_ms) and self.stream_ms - self.stream_since_ms >= ALARM_STREAM_MS

    def evidence(self, now_ms):
        camera, maker = self.camera, self.maker
        evidence = []
        if camera:
            evidence.append(Evidence(NAME_RULES[camera.tier], camera.number, 0, NAME_POINTS[camera.tier]))
        if maker:
            if maker.tier == CAMERA:
                evidence.append(Evidence("oui_camera", maker.number, 0, OUI_CAMERA_POINTS))
            else:
                evidence.append(Evidence("oui_module", maker.number, 0, OUI_MODULE_POINTS))
        if self.security == OPEN:
            evidence.append(Evidence("open_network", 1, 1, OPEN_POINTS))
        if self.security is not None and not self.ssid and maker and maker.tier == CAMERA:
            evidence.append(Evidence("hidden_name", 1, 1, HIDDEN_POINTS))
        streams = self.streams(now_ms)
        if streams:
            evidence.append(Evidence("ap_streams_kbps", self.kbps, STREAM_KBPS, STREAM_POINTS))
            if self.clients == 1:
                evidence.append(Evidence("ap_clients", 1, 1, ONE_CLIENT_POINTS))
        if self.harmless:
            evidence.append(Evidence("name_harmless", self.harmless.number, 0, HARMLESS_POINTS))
        strong = streams or (camera and camera.tier == CAMERA) or (maker and maker.tier == CAMERA)
        points = sum([row.weight for row in evidence])
        if not strong and points > MAX_WITHOUT_STRONG:
            evidence.append(Evidence("weak_only", points, MAX_WITHOUT_STRONG, MAX_WITHOUT_STRONG - points))
        return evidence

    def considered(self, local):
        causes = [("neighbour_device", distance_verdict(self.rssi_dbm, FAR_DBM, NEAR_DBM))]
        for sign in (self.harmless, self.camera, self.maker):
            if sign and sign.cause and sign.cause not in [cause for cause, _ in causes]:
                causes.append((sign.cause, "open" if sign.tier == CAMERA else "for"))
        if "phone_hotspot" not in [cause for cause, _ in causes]:
            # Phones randomise their hotspot's address, and so do a few cameras (one of the measured ones).
            causes.append(("phone_hotspot", "open" if local else "against"))
        return causes
