"""
Camera beacon: a Bluetooth LE advertisement with a camera's name, service or maker.

Cameras advertise while they wait to be set up, some also later. Name, service and maker of
one brand in one advertisement are one sign, not three: only the strongest counts in full.
Signs of Tuya, Matter and module makers are on lamps and plugs as well, and only add to others.

Legitimate causes: a camera of the building or a neighbour being set up, smart glasses or a
body camera that a visitor wears, a doorbell, a plug or lamp waiting to be set up.

Not covered: cameras without Bluetooth, or set up long ago (most are silent then); Bluetooth
classic. Phones, watches and headphones are not judged or remembered.

Sources: the tables' (ansim/signatures/source). No recorded advertisement of a hidden
camera is public, so the names are as their sources state them.
"""

from ansim.ble_fields import advertised
from ansim.detect.hysteresis import Alarm, distance_verdict, fingerprint, make_room, silent, strongest_first, total
from ansim.finding import ALARM_SCORE, NOTICE, Evidence, Finding, printable
from ansim.frame_header import address_text
from ansim.observation import Advertisement
from ansim.signatures import CAMERA, Tables

# By tier: HARMLESS (unused), WEAK, BRAND, CAMERA.
NAME_POINTS = (0, 15, 35, 65)
NAME_RULES = ("", "beacon_name_weak", "beacon_name_brand", "beacon_name_camera")
CODE_POINTS = (0, 10, 30, 50)  # a service or maker: other devices of the brand send it too
SERVICE_RULES = ("", "beacon_service_weak", "beacon_service_brand", "beacon_service_brand")
MAKER_RULES = ("", "beacon_maker_weak", "beacon_maker_brand", "beacon_maker_brand")
AGAIN_POINTS = 5  # a second sign in the same advertisement
OUI_CAMERA_POINTS = 30
OUI_MODULE_POINTS = 5
HARMLESS_POINTS = -40
MAX_WITHOUT_STRONG = ALARM_SCORE - 5

GONE_MS = 180000  # BLE has 3 s in each of the plan's rounds of about 30 s: six silent rounds
MAX_ROWS = 8  # suspects, 300 B each on a board
MAX_ORDINARY = 64
WORTH_TELLING = 30  # a suspect with so many points that finds no place is reported as "full"

FAR_DBM = -85  # modules send at 0 dBm: about 10 m, or a wall
NEAR_DBM = -60  # about 2 m

PUBLIC = 0  # Advertisement.address_type


class CameraBeacon:
    """
    Judge Bluetooth LE advertisements.

    tables  a signatures.Tables to share, or None for one of its own
    """

    name = "camera_beacon"

    def __init__(self, tables: Tables | None = None):
        self._tables = tables or Tables()
        self._known = set()
        self.forget()

    def forget(self) -> None:
        """Start a new inspection."""
        self._rows = {}  # address -> _Row
        self._ordinary = set()  # fingerprints of advertisements without a sign
        self._full = False

    def ignore(self, addresses: list) -> None:
        """Make no findings about these addresses (six bytes each) from now on."""
        self._known = set(addresses)

    def advertisement(self, ad: Advertisement) -> None:
        """Take one Advertisement."""
        address = bytes(ad.address)
        row = self._rows.get(address)
        if row is None:
            mark = fingerprint(address, ad.payload)
            if mark in self._ordinary:
                return
            row = _Row(ad.at_ms, self._maker(ad, address))
            row.read(advertised(ad.payload), self._tables)
            points = total(row.evidence(ad.at_ms)) if row.is_suspect() else 0
            if not row.is_suspect() or not make_room(self._rows, MAX_ROWS, points, ad.at_ms):
                self._full = self._full or points >= WORTH_TELLING
                if len(self._ordinary) >= MAX_ORDINARY:
                    self._ordinary.clear()
                self._ordinary.add(mark)
                return
            self._rows[address] = row
        elif ad.payload != row.payload:
            # The name often comes in a scan response, separate from the services.
            row.read(advertised(ad.payload), self._tables)
        row.payload = bytes(ad.payload)
        row.last_ms = ad.at_ms
        row.rssi_dbm = ad.rssi_dbm if ad.rssi_dbm > row.rssi_dbm else (3 * row.rssi_dbm + ad.rssi_dbm) // 4

    def judge(self, now_ms: int) -> list:
        """Return the findings that are new, changed or over."""
        findings = []
        for address in list(self._rows):
            row = self._rows[address]
            gone = now_ms - row.last_ms >= GONE_MS
            evidence = silent(row.last_ms, now_ms, GONE_MS) if gone else row.evidence(now_ms)
            event = row.alarm.event(total(evidence), row.rssi_dbm, now_ms)
            if event and address not in self._known:
                findings.append(self._finding(event, address, row, evidence, now_ms))
            if gone:
                del self._rows[address]
        return findings

    def stations(self) -> tuple:
        """Return (0, True if a suspect found no place since the last call)."""
        full, self._full = self._full, False
        return 0, full

    def _maker(self, ad, address):
        return self._tables.oui(address) if ad.address_type == PUBLIC else None

    def _finding(self, event, address, row, evidence, now_ms):
        return Finding(
            event,
            self.name,
            address_text(address),
            now_ms,
            row.first_ms,
            total(evidence),
            0,
            row.rssi_dbm,
            "",
            strongest_first(evidence),
            row.considered(),
            printable(row.name),
            NOTICE,  # a name alone is never an alarm
            "",
        )


class _Row:
    """One suspect advertiser."""

    def __init__(self, now_ms, maker):
        self.first_ms = self.last_ms = now_ms
        self.maker = maker  # Sign of the address's maker, or None
        self.rssi_dbm = -128
        self.payload = b""
        self.name = ""
        self.by_name = self.by_service = self.by_company = self.harmless = None
        self.service = self.company = 0
        self.alarm = Alarm()

    def read(self, fields, tables):
        """Take the fields of an advertisement (Advertised); those that it lacks keep their earlier values."""
        if fields.name and fields.name != self.name:
            self.name = fields.name
            self.by_name, self.harmless = tables.ble_name(fields.name)
        for service in fields.services:
            sign = tables.ble_service(service)
            if sign and (self.by_service is None or sign.tier > self.by_service.tier):
                self.by_service, self.service = sign, service
        if fields.maker is not None and fields.maker != self.company:
            sign = tables.ble_maker(fields.maker)
            if sign:
                self.by_company, self.company = sign, fields.maker

    def is_suspect(self):
        return bool(self.by_name or self.by_service or self.by_company or (self.maker and self.maker.tier == CAMERA))

    def evidence(self, now_ms):
        signs = []  # (points, rule, value)
        if self.by_name:
            tier = self.by_name.tier
            signs.append((NAME_POINTS[tier], NAME_RULES[tier], self.by_name.number))
        if self.by_service:
            tier = self.by_service.tier
            signs.append((CODE_POINTS[tier], SERVICE_RULES[tier], self.service))
        if self.by_company:
            tier = self.by_company.tier
            signs.append((CODE_POINTS[tier], MAKER_RULES[tier], self.company))
        most = max([sign[0] for sign in signs]) if signs else 0
        evidence = []
        for points, rule, value in signs:
            evidence.append(Evidence(rule, value, 0, points if points == most else AGAIN_POINTS))
            most = most if points != most else -1  # the second of two equal ones counts as "again"
        if self.maker:
            camera = self.maker.tier == CAMERA
            rule = "oui_camera" if camera else "oui_module"
            evidence.append(Evidence(rule, self.maker.number, 0, OUI_CAMERA_POINTS if camera else OUI_MODULE_POINTS))
        if self.harmless:
            evidence.append(Evidence("name_harmless", self.harmless.number, 0, HARMLESS_POINTS))
        strong = (self.by_name and self.by_name.tier == CAMERA) or (self.maker and self.maker.tier == CAMERA)
        points = sum([row.weight for row in evidence])
        if not strong and points > MAX_WITHOUT_STRONG:
            evidence.append(Evidence("weak_only", points, MAX_WITHOUT_STRONG, MAX_WITHOUT_STRONG - points))
        return evidence

    def considered(self):
        causes = [("neighbour_device", distance_verdict(self.rssi_dbm, FAR_DBM, NEAR_DBM))]
        for sign in (self.harmless, self.by_name, self.by_service, self.by_company, self.maker):
            if sign and sign.cause and sign.cause not in [cause for cause, _ in causes]:
                causes.append((sign.cause, "open" if sign.tier == CAMERA else "for"))
        return causes
