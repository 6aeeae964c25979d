"""
Camera access point: a network with the name or the maker of a camera.

Many mini cameras are access points with a typical name. Names have tiers: A strong, B a
camera brand or generic maker, C weak (also common on harmless devices). B and C alone never
raise an alarm, whatever their sum; neither do the addresses of module makers, whose
modules are in cheap cameras and in lamps.

Legitimate causes: the building's own or a neighbour's security camera, an action or dash
camera or a drone, a plug or vacuum cleaner waiting to be set up, a hobby board, camera-like
names given for fun. List known ones among the restroom's known emitters.

Not covered: a camera whose name imitates a router's (the stream itself is then judged by
camera_stream), a hidden camera that joins an ordinary network (the same), 5 GHz.

Sources: the tables' (ansim/signatures/source); mini cameras as open access points with one
client and video from the BSSID itself: reverse engineering of A9, X5 and HDWiFiCam cameras
(DavidVentura/cam-reverse, datenstau/A9_PPPP).
"""

from ansim.detect.alarm import Alarm, distance_verdict, fingerprint, make_room, silent, strongest_first, total
from ansim.finding import ALARM, ALARM_SCORE, Evidence, Finding, printable
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

    def ignore(self, addresses: list) -> None:
        """Make no findings about these BSSIDs (six bytes each) from now on."""
        self._known = set(addresses)

    def access_points(self, scan: list, now_ms: int) -> None:
        """Take the result of one scan, a list of AccessPoint."""
        self._scans += 1
        for access_point in scan:
            bssid = bytes(access_point.bssid)
            row = self._rows.get(bssid)
            if row is None:
                if fingerprint(bssid, access_point.ssid.encode()) in self._ordinary:
                    continue
                row = self._new_row(bssid, access_point.ssid, access_point.security, now_ms)
                if row is None:
                    continue
            elif access_point.ssid and access_point.ssid != row.ssid:
                row.ssid = access_point.ssid
                row.camera, row.harmless = self._tables.ssid(access_point.ssid)
            row.update(access_point, self._scans, now_ms)

    def traffic(self, bssid: bytes, now_ms: int, kbps: int, clients: int) -> None:
        """Note that an access point itself sends a camera-like stream of `kbps` to so many stations."""
        bssid = bytes(bssid)
        row = self._rows.get(bssid) or self._new_row(bssid, "", None, now_ms)
        if row is not None:
            row.kbps, row.clients, row.stream_ms = kbps, clients, now_ms
            row.last_ms, row.scan = now_ms, self._scans

    def judge(self, now_ms: int) -> list:
        """Return the findings that are new, changed or over."""
        findings = []
        for bssid in list(self._rows):
            row = self._rows[bssid]
            gone = now_ms - row.last_ms >= GONE_MS and self._scans - row.scan >= GONE_SCANS
            evidence = silent(row.last_ms, now_ms, GONE_MS) if gone else row.evidence(now_ms)
            event = row.alarm.event(total(evidence), row.rssi_dbm, now_ms)
            if event and bssid not in self._known:
                findings.append(self._finding(event, bssid, row, evidence, now_ms))
            if gone:
                del self._rows[bssid]
        return findings

    def stations(self) -> tuple:
        """Return (0, True if a suspect found no place since the last call)."""
        full, self._full = self._full, False
        return 0, full

    def _new_row(self, bssid, ssid, security, now_ms):
        """
        Return a row for a suspect; None if there is no sign of a camera, or the table is full of stronger suspects.
        """
        camera, harmless = self._tables.ssid(ssid)
        maker = self._tables.oui(bssid)
        row = None
        if camera or maker:
            row = _Row(ssid, camera, harmless, maker, security, now_ms)
            points = total(row.evidence(now_ms))
            if make_room(self._rows, MAX_ROWS, points, now_ms):
                self._rows[bssid] = row
                return row
            if points >= WORTH_TELLING:
                self._full = True
        if len(self._ordinary) >= MAX_ORDINARY:
            self._ordinary.clear()
        self._ordinary.add(fingerprint(bssid, ssid.encode()))
        return None

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
            ALARM,
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
        self.alarm = Alarm()

    def update(self, access_point, scan, now_ms):
        self.scan = scan
        self.last_ms = now_ms
        self.channel = access_point.channel
        self.security = access_point.security
        # The strongest of the last scans: a body in between takes 5-10 dB for a moment.
        rssi_dbm = access_point.rssi_dbm
        self.rssi_dbm = rssi_dbm if rssi_dbm > self.rssi_dbm else (self.rssi_dbm + rssi_dbm) // 2

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
        streams = now_ms - self.stream_ms <= STREAM_FRESH_MS and self.kbps >= STREAM_KBPS
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
