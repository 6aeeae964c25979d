"""
Fill a database with invented places, inspections and findings, many of them, to see how the server bears it.

    python -m tools.seed --data /tmp/big [--url postgresql+psycopg://...] [--restrooms 60000] [--inspections 1000000]
                         [--sweeps 5000000] [--findings 100000] [--seed 1]

The same numbers and the same seed give the same rows. Only into a database without restrooms; it is made if it is
not there. SQLite and PostgreSQL; a million inspections with what belongs to them take some minutes and gigabytes.
"""

import argparse
import json
import random
import sys
import time
from pathlib import Path

from sqlalchemy import func, select

from ansim.topics import is_device
from server import clock, db, ids, migrations, vault
from server.config import Settings
from server.models import (
    Disposition,
    Facility,
    Finding,
    FindingEvent,
    Inspection,
    InspectionPerson,
    InspectionResult,
    InspectionSensor,
    InspectionStep,
    Organisation,
    Restroom,
    Sensor,
    Sweep,
    User,
)
from server.services.places.restrooms import sort_key
from tools.lib.bulk import BulkWriter
from tools.lib.errors import ToolError, run

DAY_S = 86400
YEARS_S = 4 * 365 * DAY_S
LEGAL_S = 183 * DAY_S
BLOCKS = (
    ("women", "여자화장실", "Women's"),
    ("men", "남자화장실", "Men's"),
    ("accessible", "장애인화장실", "Accessible"),
)
METHODS = ("eye", "rf", "lens")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="data folder, for the secret and for SQLite")
    parser.add_argument("--url", default="", help="another database than SQLite in the data folder")
    for name, number in (
        ("restrooms", 60_000),
        ("inspections", 1_000_000),
        ("sweeps", 5_000_000),
        ("findings", 100_000),
    ):
        parser.add_argument(f"--{name}", type=int, default=number)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    settings = Settings(data=options.data, database_url=options.url)
    migrations.upgrade(settings)
    sizes = Sizes(options.restrooms, options.inspections, options.sweeps, options.findings)
    began = time.monotonic()
    fill(
        settings, sizes, options.seed, tell=lambda text: print(f"{time.monotonic() - began:7.1f} s  {text}", flush=True)
    )


class Sizes:
    """How many of each."""

    def __init__(self, restrooms=60_000, inspections=1_000_000, sweeps=5_000_000, findings=100_000):
        self.restrooms, self.inspections, self.sweeps, self.findings = restrooms, inspections, sweeps, findings
        self.facilities = max(1, restrooms // len(BLOCKS))
        self.organisations = max(1, min(229, self.facilities // 40))
        self.sensors = max(3, min(2000, restrooms // 100))
        self.users = 40


def fill(settings: Settings, sizes: Sizes, seed: int = 1, now_s: int | None = None, tell=lambda text: None) -> None:
    """Add all rows. Raises ToolError if there are restrooms already."""
    sessions = db.open_sessions(settings.url())
    try:
        with sessions() as session:
            if session.scalar(select(func.count(Restroom.id))):
                raise ToolError(f"there are restrooms in {settings.data} already; choose another --data or --url")
        keys = vault.open_vault(settings)
        maker = Maker(sizes, random.Random(seed), now_s or clock.now_s(), keys)
        with BulkWriter(sessions.engine) as bulk:
            for table, columns, rows in maker.tables():
                tell(f"{bulk.add(table, columns, rows):9} {table.__tablename__}")
            bulk.finish(Maker.TABLES)
        tell("done")
    finally:
        sessions.engine.dispose()


class Maker:
    """Makes the rows, table after table, each from what the ones before it settled."""

    TABLES = (
        Organisation,
        Facility,
        Restroom,
        User,
        Sensor,
        Inspection,
        InspectionStep,
        InspectionPerson,
        InspectionSensor,
        InspectionResult,
        Finding,
        FindingEvent,
        Disposition,
    )

    def __init__(self, sizes: Sizes, chance: random.Random, now_s: int, keys):
        self.sizes, self.chance, self.now_s, self.keys = sizes, chance, now_s, keys
        self.start_s = now_s - YEARS_S
        self._plan = None

    def tables(self):
        """Yield (model, columns, rows)."""
        yield Organisation, ("id", "public_id", "name", "name_en", "created_s"), self.organisations()
        yield (
            Facility,
            ("id", "public_id", "organisation_id", "name", "name_en", "address", "created_s"),
            self.facilities(),
        )
        yield Restroom, ROOM_COLUMNS, self.restrooms()
        yield User, USER_COLUMNS, self.users()
        yield Sensor, SENSOR_COLUMNS, self.sensors()
        yield Inspection, INSPECTION_COLUMNS, self.inspections()
        yield InspectionStep, ("id", "inspection_id", "method", "outcome", "note", "at_s", "by_id"), self.steps()
        yield InspectionPerson, ("id", "inspection_id", "user_id", "name", "agency", "added_s"), self.people()
        yield InspectionSensor, ("id", "inspection_id", "sensor_id", "version", "chosen_s", "started_s"), self.used()
        yield InspectionResult, RESULT_COLUMNS, self.results()
        yield Finding, FINDING_COLUMNS, self.findings()
        yield FindingEvent, EVENT_COLUMNS, self.events()
        yield Disposition, ("id", "finding_id", "kind", "reason", "at_s", "by_id"), self.dispositions()
        yield Sweep, SWEEP_COLUMNS, self.sweeps()

    def organisations(self):
        for one in range(1, self.sizes.organisations + 1):
            yield one, _id(1, one), f"예시도 제{one}시 (가상)", f"Sample District {one} (invented)", self.start_s

    def facilities(self):
        for one in range(1, self.sizes.facilities + 1):
            owner = self.owner(one)
            name, address = _facility_name(one), f"예시도 제{owner}시 가상로 {one}"
            yield one, _id(2, one), owner, name, f"Sample Building {one}", address, self.start_s

    def owner(self, facility):
        return (facility - 1) % self.sizes.organisations + 1

    def visits(self):
        """[(restroom, started_s, user, result)] by time: made once, walked several times."""
        if self._plan is None:
            chance, sizes = self.chance, self.sizes
            step_s = YEARS_S / max(1, sizes.inspections)
            results = ["none_found"] * 970 + ["not_completed"] * 25 + ["referred"] * 5
            self._plan = [
                (
                    chance.randrange(sizes.restrooms) + 1,
                    int(self.start_s + number * step_s) - 3600,
                    chance.randrange(sizes.users) + 1,
                    chance.choice(results),
                )
                for number in range(sizes.inspections)
            ]
        return self._plan

    def restrooms(self):
        last, done = {}, {}
        for number, (room, started_s, _, result) in enumerate(self.visits(), 1):
            last[room] = (number, started_s + 1500, result)
            if result != "not_completed":
                done[room] = started_s + 1500
        chance = random.Random(2)
        for one in range(1, self.sizes.restrooms + 1):
            facility = min((one - 1) // len(BLOCKS) + 1, self.sizes.facilities)
            block, name, name_en = BLOCKS[(one - 1) % len(BLOCKS)]
            public_id, building, owner = _id(3, one), _facility_name(facility), self.owner(facility)
            at = chance.uniform(34.5, 37.9), chance.uniform(126.5, 129.3)
            number, finished_s, result = last.get(one, (None, None, None))
            done_s = done.get(one)
            due_s = done_s + LEGAL_S if done_s else self.start_s
            words = f"{name} {name_en} {building} sample building {facility} 예시도 제{owner}시 가상로 {facility} {public_id}"
            yield (
                *(one, public_id, facility, name, name_en, block, 1 + one % 6, words.lower(), sort_key(building, name)),
                *(round(at[0], 6), round(at[1], 6), "09:00~18:00" if facility % 3 else "24시간", self.start_s),
                *(number, finished_s, result, done_s, done_s, done_s, due_s, "eye"),
            )

    def users(self):
        from argon2 import PasswordHasher

        nobody = PasswordHasher().hash(ids.new(30))  # nobody signs in as these
        for one in range(1, self.sizes.users + 1):
            role = "manager" if one == 1 else "inspector"
            yield one, _id(4, one), f"seed-{one}", f"점검원 {one}", role, True, nobody, False, "0" * 32, self.start_s

    def sensors(self):
        for one in range(1, self.sizes.sensors + 1):
            name = f"seed-{one}"
            assert is_device(name)
            fixed = one * 50 if one % 2 and one * 50 <= self.sizes.restrooms else None
            key = self.keys.seal(one.to_bytes(32, "big"))
            yield one, name, "", fixed, key, self.start_s, "ready", self.now_s - 30, self.now_s - 30, 1

    def inspections(self):
        for number, (room, started_s, user, result) in enumerate(self.visits(), 1):
            yield number, _id(5, number, 12), room, started_s, user, started_s + 1500, result

    def steps(self):
        row = 0
        for number, (_, started_s, user, result) in enumerate(self.visits(), 1):
            for place, method in enumerate(METHODS):
                row += 1
                outcome = "none_found" if result == "none_found" or place == 0 else "not_done"
                yield row, number, method, outcome, "", started_s + 400 * (place + 1), user

    def people(self):
        row = 0
        for number, (_, started_s, user, _) in enumerate(self.visits(), 1):
            yield row + 1, number, user, f"점검원 {user}", "", started_s
            yield row + 2, number, None, "경찰관 (가상)", "예시경찰서", started_s
            row += 2

    def used(self):
        for number, (_, started_s, _, _) in enumerate(self.visits(), 1):
            yield number, number, number % self.sizes.sensors + 1, "0.1.0", started_s, started_s + 20

    def results(self):
        coverage, methods = json.dumps(_coverage()), json.dumps(list(METHODS))
        for number, (_, started_s, user, result) in enumerate(self.visits(), 1):
            reason = "" if result == "none_found" else "가상의 이유"
            yield number, number, result, methods, reason, "", coverage, started_s + 1500, user

    def finding_of(self, number):
        """(status, disposition, inspection number, restroom, started_s, user) of a finding."""
        visit = number * self.sizes.inspections // max(1, self.sizes.findings) - 1
        room, started_s, user, _ = self.visits()[max(0, visit)]
        turn = number % 100
        if turn == 0:
            return "open", None, max(0, visit) + 1, room, started_s, user
        if turn == 1:
            return "case", "referred", max(0, visit) + 1, room, started_s, user
        if turn < 9:
            return "noted", None, max(0, visit) + 1, room, started_s, user
        kind = ("known_emitter", "neighbour", "false")[turn % 3]
        return "closed", kind, max(0, visit) + 1, room, started_s, user

    def findings(self):
        for number in range(1, self.sizes.findings + 1):
            status, kind, visit, room, at_s, _ = self.finding_of(number)
            address = f"00:11:22:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
            yield (
                *(number, _id(6, number, 12), number % self.sizes.sensors + 1, _id(5, visit, 12), visit, room),
                *("camera_stream", f"{number % 70_000:032x}", 1, "00:11:22", False),
                *(address if status in ("open", "case") else None, "", "", at_s + 300, status, "raised"),
                *(at_s + 200, at_s + 300, 80, 85, -55, -50, 6, 1, at_s + 600, kind),
            )

    def events(self):
        evidence, considered = json.dumps([["uplink_kbps", 412, 80, 30]]), json.dumps([["video_call", "against"]])
        for number in range(1, self.sizes.findings + 1):
            at_s = self.finding_of(number)[4]
            yield number, number, number, "raised", at_s, at_s, 0, 30_000, 85, 6, -55, evidence, considered

    def dispositions(self):
        row = 0
        for number in range(1, self.sizes.findings + 1):
            _, kind, _, _, at_s, user = self.finding_of(number)
            if kind:
                row += 1
                yield row, number, kind, "가상의 이유", at_s + 600, user

    def sweeps(self):
        channels = [
            json.dumps([[channel, 20_000 + 10 * turn, 500, 5, 0] for channel in range(1, 14)]) for turn in range(20)
        ]
        capabilities = json.dumps(["sniff", "scan", "ble"])
        for number in range(1, self.sizes.sweeps + 1):
            visit = number * self.sizes.inspections // max(1, self.sizes.sweeps)
            visit = min(visit, self.sizes.inspections - 1)
            at_s = self.visits()[visit][1] + 60
            yield (
                *(number, visit % self.sizes.sensors + 1, visit + 1, _id(5, visit + 1, 12), 0, 270_000, at_s),
                *(3000, 260_000, 6500, 65, 0, 12, 4, 3, False, 0, channels[number % 20], capabilities),
            )


ROOM_COLUMNS = (
    *("id", "public_id", "facility_id", "name", "name_en", "block", "stalls", "search", "sort_key", "latitude"),
    *("longitude", "opening_hours", "created_s", "last_inspection_id", "last_inspected_s", "last_result"),
    *("eye_done_s", "rf_done_s", "lens_done_s", "due_s", "due_method"),
)
USER_COLUMNS = (
    *("id", "public_id", "login", "name", "role", "everywhere", "password_hash", "must_change_password"),
    *("session_word", "created_s"),
)
SENSOR_COLUMNS = (
    *("id", "name", "label", "restroom_id", "key_sealed", "enrolled_s", "state", "state_s", "last_seen_s", "boot"),
)
INSPECTION_COLUMNS = ("id", "public_id", "restroom_id", "started_s", "started_by_id", "finished_s", "result")
RESULT_COLUMNS = ("id", "inspection_id", "result", "methods", "reason", "note", "coverage", "at_s", "by_id")
FINDING_COLUMNS = (
    *("id", "public_id", "sensor_id", "inspection_ref", "inspection_id", "restroom_id", "detector", "pseudonym"),
    *("episode", "oui", "local", "address", "bssid", "label", "created_s", "status", "event", "first_at_s"),
    *("last_at_s", "score", "score_max", "rssi_dbm", "rssi_max_dbm", "channel", "events_count", "changed_s"),
    "disposition",
)
EVENT_COLUMNS = (
    *("id", "finding_id", "report_id", "event", "at_s", "received_s", "first_ms", "last_ms", "score", "channel"),
    *("rssi_dbm", "evidence", "considered"),
)
SWEEP_COLUMNS = (
    *("report_id", "sensor_id", "inspection_id", "inspection_ref", "from_ms", "to_ms", "at_s", "deaf_ms"),
    *("listened_ms", "frames", "undecodable", "dropped", "stations", "access_points", "ble", "tables_full"),
    *("spectrum_sweeps", "channels", "capabilities"),
)


def _facility_name(number):
    return f"가상건물 {number:05}"


def _id(kind, number, length=10):
    """A public id that is different for every kind and number, and looks as random as the real ones."""
    value = (number * 0x9E3779B97F4A7C15 + kind * 0x51ED270B) % 32 ** (length - 1)
    digits = []
    for _ in range(length - 1):
        value, digit = divmod(value, 32)
        digits.append(ids.ALPHABET[digit])
    return ids.ALPHABET[kind] + "".join(digits)


def _coverage():
    channels = [[channel, 60_000, 1500, 15] for channel in range(1, 14)]
    return {
        "percent": 100,
        "enough": True,
        "enough_ms": 20_000,
        "missing": [],
        "listened_ms": 780_000,
        "deaf_ms": 12_000,
        "undecodable_permille": 10,
        "tables_full": False,
        "capabilities": ["ble", "scan", "sniff"],
        "sweeps": 5,
        "channels": channels,
    }


if __name__ == "__main__":
    sys.exit(run(main))
