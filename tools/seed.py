"""
Fill a database with many generated places, inspections and findings, to measure the server under load.

    python -m tools.seed --data /tmp/big [--url postgresql+psycopg://...] [--restrooms 60000] [--inspections 1000000]
                         [--sweeps 5000000] [--findings 100000] [--seed 1]

The same numbers and seed give the same rows. The database must have no restrooms; it is created if missing. Works
with SQLite and PostgreSQL; a million inspections with their records take some minutes and gigabytes.
"""

import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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
from server.services.places import names
from tools.lib import arguments, errors
from tools.lib.bulk import BulkWriter
from tools.lib.errors import ToolError

DAY_S = 86400
PERIOD_S = 4 * 365 * DAY_S  # over which the inspections are spread
INTERVAL_S = 183 * DAY_S  # between two inspections, by law
DURATION_S = 1500  # of an inspection
BLOCKS = (
    ("women", "여자화장실", "Women's"),
    ("men", "남자화장실", "Men's"),
    ("accessible", "장애인화장실", "Accessible"),
)
METHODS = ("eye", "rf", "lens")


def main() -> None:
    parser = arguments.full_parser(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="data folder, for the secret and the SQLite database")
    parser.add_argument("--url", default="", help="URL of another database than SQLite in the data folder")
    for name, number in (
        ("restrooms", 60_000),
        ("inspections", 1_000_000),
        ("sweeps", 5_000_000),
        ("findings", 100_000),
    ):
        parser.add_argument(f"--{name}", type=int, default=number, help=f"number of {name} (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of everything random (default %(default)s)")
    options = parser.parse_args()
    settings = Settings(data=options.data, database_url=options.url)
    migrations.upgrade(settings)
    sizes = Sizes(options.restrooms, options.inspections, options.sweeps, options.findings)
    began_s = time.monotonic()

    def report(text):
        print(f"{time.monotonic() - began_s:7.1f} s  {text}", flush=True)

    fill(settings, sizes, options.seed, report=report)


class Sizes:
    """Number of rows of each kind."""

    def __init__(
        self, restrooms: int = 60_000, inspections: int = 1_000_000, sweeps: int = 5_000_000, findings: int = 100_000
    ):
        self.restrooms, self.inspections, self.sweeps, self.findings = restrooms, inspections, sweeps, findings
        self.facilities = max(1, restrooms // len(BLOCKS))
        self.organisations = max(1, min(229, self.facilities // 40))
        self.sensors = max(3, min(2000, restrooms // 100))
        self.users = 40


def fill(
    settings: Settings,
    sizes: Sizes,
    seed: int = 1,
    now_s: int | None = None,
    report: Callable[[str], object] = lambda text: None,
) -> None:
    """
    Insert all rows.

    now_s   the newest rows are from this time (seconds UTC); None is the present
    report  called with a line of text after each table

    Raises ToolError if the database has restrooms.
    """
    sessions = db.open_sessions(settings.url())
    try:
        with sessions() as session:
            if session.scalar(select(func.count(Restroom.id))):
                raise ToolError(
                    f"the database of {settings.data} has restrooms already; choose another --data or --url"
                )
        keys = vault.open_vault(settings)
        generator = RowGenerator(sizes, random.Random(seed), now_s or clock.now_s(), keys)
        with BulkWriter(sessions.engine) as writer:
            for model, columns, rows in generator.tables():
                report(f"{writer.add(model, columns, rows):9} {model.__tablename__}")
            writer.finish(RowGenerator.MODELS)
        report("done")
    finally:
        sessions.engine.dispose()


class RowGenerator:
    """Generates the rows of each table; the same inspections decide about all of them."""

    MODELS = (
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

    def __init__(self, sizes: Sizes, random_: random.Random, now_s: int, keys: vault.Vault):
        self.sizes, self.random, self.now_s, self.keys = sizes, random_, now_s, keys
        self.start_s = now_s - PERIOD_S
        self._schedule: list[tuple[int, int, int, str]] | None = None

    def tables(self) -> Iterator[tuple[Any, tuple[str, ...], Iterator[tuple]]]:
        """Yield (model, columns, rows) of each table, in the order of their foreign keys."""
        yield Organisation, ("id", "public_id", "name", "name_en", "created_s"), self.organisations()
        yield (
            Facility,
            (
                "id",
                "public_id",
                "organisation_id",
                "name",
                "name_en",
                "address",
                "sort_key",
                "sort_key_en",
                "created_s",
            ),
            self.facilities(),
        )
        yield Restroom, RESTROOM_COLUMNS, self.restrooms()
        yield User, USER_COLUMNS, self.users()
        yield Sensor, SENSOR_COLUMNS, self.sensors()
        yield Inspection, INSPECTION_COLUMNS, self.inspections()
        yield InspectionStep, ("id", "inspection_id", "method", "outcome", "note", "at_s", "by_id"), self.steps()
        yield InspectionPerson, ("id", "inspection_id", "user_id", "name", "agency", "added_s"), self.people()
        yield (
            InspectionSensor,
            ("id", "inspection_id", "sensor_id", "version", "chosen_s", "started_s"),
            self.inspection_sensors(),
        )
        yield InspectionResult, RESULT_COLUMNS, self.results()
        yield Finding, FINDING_COLUMNS, self.findings()
        yield FindingEvent, EVENT_COLUMNS, self.events()
        yield Disposition, ("id", "finding_id", "kind", "reason", "at_s", "by_id"), self.dispositions()
        yield Sweep, SWEEP_COLUMNS, self.sweeps()

    def organisations(self) -> Iterator[tuple]:
        for number in range(1, self.sizes.organisations + 1):
            yield (
                number,
                _id(1, number),
                f"예시도 제{number}시 (가상)",
                f"Sample District {number} (invented)",
                self.start_s,
            )

    def facilities(self) -> Iterator[tuple]:
        for number in range(1, self.sizes.facilities + 1):
            owner = self.owner(number)
            name, address = _facility_name(number), f"예시도 제{owner}시 가상로 {number}"
            name_en = f"Sample Building {number}"
            keys = names.sort_text(name), names.sort_text(name_en)
            yield number, _id(2, number), owner, name, name_en, address, *keys, self.start_s

    def owner(self, facility: int) -> int:
        """Return the organisation of a facility."""
        return (facility - 1) % self.sizes.organisations + 1

    def schedule(self) -> list[tuple[int, int, int, str]]:
        """Return [(restroom, started_s, user, result)] of all inspections by time; generated once and kept."""
        if self._schedule is None:
            random_, sizes = self.random, self.sizes
            step_s = PERIOD_S / max(1, sizes.inspections)
            results = ["none_found"] * 970 + ["not_completed"] * 25 + ["referred"] * 5
            self._schedule = [
                (
                    random_.randrange(sizes.restrooms) + 1,
                    int(self.start_s + number * step_s) - 3600,
                    random_.randrange(sizes.users) + 1,
                    random_.choice(results),
                )
                for number in range(sizes.inspections)
            ]
        return self._schedule

    def restrooms(self) -> Iterator[tuple]:
        last, completed = {}, {}
        for number, (restroom, started_s, _, result) in enumerate(self.schedule(), 1):
            last[restroom] = (number, started_s + DURATION_S, result)
            if result != "not_completed":
                completed[restroom] = started_s + DURATION_S
        random_ = random.Random(2)
        for restroom in range(1, self.sizes.restrooms + 1):
            facility = min((restroom - 1) // len(BLOCKS) + 1, self.sizes.facilities)
            block, name, name_en = BLOCKS[(restroom - 1) % len(BLOCKS)]
            public_id, building, owner = _id(3, restroom), _facility_name(facility), self.owner(facility)
            latitude, longitude = random_.uniform(34.5, 37.9), random_.uniform(126.5, 129.3)
            number, finished_s, result = last.get(restroom, (None, None, None))
            done_s = completed.get(restroom)
            due_s = done_s + INTERVAL_S if done_s else self.start_s
            address = f"예시도 제{owner}시 가상로 {facility}"
            search = f"{name} {name_en} {building} sample building {facility} {address} {public_id}"
            yield (
                *(
                    restroom,
                    public_id,
                    facility,
                    name,
                    name_en,
                    block,
                    1 + restroom % 6,
                    search.lower(),
                    names.sort_text(building, name),
                    names.sort_text(f"Sample Building {facility}", name_en),
                ),
                *(round(latitude, 6), round(longitude, 6), "09:00~18:00" if facility % 3 else "24시간", self.start_s),
                *(number, finished_s, result, done_s, done_s, done_s, due_s, "eye"),
            )

    def users(self) -> Iterator[tuple]:
        from argon2 import PasswordHasher

        password_hash = PasswordHasher().hash(ids.new(30))  # of a password that is not kept: these users never sign in
        for number in range(1, self.sizes.users + 1):
            role = "manager" if number == 1 else "inspector"
            yield (
                number,
                _id(4, number),
                f"seed-{number}",
                f"점검원 {number}",
                role,
                True,
                password_hash,
                False,
                "0" * 32,
                self.start_s,
            )

    def sensors(self) -> Iterator[tuple]:
        for number in range(1, self.sizes.sensors + 1):
            name = f"seed-{number}"
            assert is_device(name)
            fixed = number * 50 if number % 2 and number * 50 <= self.sizes.restrooms else None
            key = self.keys.seal(number.to_bytes(32, "big"))
            yield number, name, "", fixed, key, self.start_s, "ready", self.now_s - 30, self.now_s - 30, 1

    def inspections(self) -> Iterator[tuple]:
        for number, (restroom, started_s, user, result) in enumerate(self.schedule(), 1):
            yield number, _id(5, number, 12), restroom, started_s, user, started_s + DURATION_S, result

    def steps(self) -> Iterator[tuple]:
        row = 0
        for number, (_, started_s, user, result) in enumerate(self.schedule(), 1):
            for index, method in enumerate(METHODS):
                row += 1
                outcome = "none_found" if result == "none_found" or index == 0 else "not_done"
                yield row, number, method, outcome, "", started_s + 400 * (index + 1), user

    def people(self) -> Iterator[tuple]:
        row = 0
        for number, (_, started_s, user, _) in enumerate(self.schedule(), 1):
            yield row + 1, number, user, f"점검원 {user}", "", started_s
            yield row + 2, number, None, "경찰관 (가상)", "예시경찰서", started_s
            row += 2

    def inspection_sensors(self) -> Iterator[tuple]:
        for number, (_, started_s, _, _) in enumerate(self.schedule(), 1):
            yield number, number, number % self.sizes.sensors + 1, "0.1.0", started_s, started_s + 20

    def results(self) -> Iterator[tuple]:
        coverage, methods = json.dumps(_coverage()), json.dumps(list(METHODS))
        for number, (_, started_s, user, result) in enumerate(self.schedule(), 1):
            reason = "" if result == "none_found" else "가상의 이유"
            yield number, number, result, methods, reason, "", coverage, started_s + DURATION_S, user

    def finding_of(self, number: int) -> tuple[str, str | None, int, int, int, int]:
        """Return (status, disposition, inspection number, restroom, started_s, user) of a finding."""
        index = max(0, number * self.sizes.inspections // max(1, self.sizes.findings) - 1)
        restroom, started_s, user, _ = self.schedule()[index]
        percentile = number % 100
        if percentile == 0:
            status, disposition = "open", None
        elif percentile == 1:
            status, disposition = "case", "referred"
        elif percentile < 9:
            status, disposition = "noted", None
        else:
            status, disposition = "closed", ("known_emitter", "neighbour", "false")[percentile % 3]
        return status, disposition, index + 1, restroom, started_s, user

    def findings(self) -> Iterator[tuple]:
        for number in range(1, self.sizes.findings + 1):
            status, disposition, inspection, restroom, at_s, _ = self.finding_of(number)
            address = f"00:11:22:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
            yield (
                *(
                    number,
                    _id(6, number, 12),
                    number % self.sizes.sensors + 1,
                    _id(5, inspection, 12),
                    inspection,
                    restroom,
                ),
                *("camera_stream", f"{number % 70_000:032x}", 1, "00:11:22", False),
                *(address if status in ("open", "case") else None, "", "", at_s + 300, status, "raised"),
                *(("notice", None) if status == "noted" else ("alarm", at_s + 300)),
                *(at_s + 200, at_s + 300, 80, 85, -55, -50, 6, 1, at_s + 600, disposition),
            )

    def events(self) -> Iterator[tuple]:
        evidence, considered = json.dumps([["uplink_kbps", 412, 80, 30]]), json.dumps([["video_call", "against"]])
        for number in range(1, self.sizes.findings + 1):
            at_s = self.finding_of(number)[4]
            yield number, number, number, "raised", at_s, at_s, 0, 30_000, 85, 6, -55, evidence, considered

    def dispositions(self) -> Iterator[tuple]:
        row = 0
        for number in range(1, self.sizes.findings + 1):
            _, disposition, _, _, at_s, user = self.finding_of(number)
            if disposition:
                row += 1
                yield row, number, disposition, "가상의 이유", at_s + 600, user

    def sweeps(self) -> Iterator[tuple]:
        channels = [
            json.dumps([[channel, 20_000 + 10 * number, 500, 5, 0] for channel in range(1, 14)]) for number in range(20)
        ]
        capabilities = json.dumps(["sniff", "scan", "ble"])
        for number in range(1, self.sizes.sweeps + 1):
            index = min(number * self.sizes.inspections // max(1, self.sizes.sweeps), self.sizes.inspections - 1)
            at_s = self.schedule()[index][1] + 60
            yield (
                *(number, index % self.sizes.sensors + 1, index + 1, _id(5, index + 1, 12), 0, 270_000, at_s),
                *(3000, 260_000, 6500, 65, 0, 12, 4, 3, False, 0, channels[number % 20], capabilities),
            )


FACILITY_COLUMNS = (
    *("id", "public_id", "organisation_id", "name", "name_en", "address", "sort_key", "sort_key_en", "created_s"),
)
RESTROOM_COLUMNS = (
    *("id", "public_id", "facility_id", "name", "name_en", "block", "stalls", "search", "sort_key", "sort_key_en"),
    *("latitude", "longitude", "opening_hours", "created_s", "last_inspection_id", "last_inspected_s", "last_result"),
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
    *("episode", "oui", "local", "address", "bssid", "label", "created_s", "status", "event", "level"),
    *("alarmed_s", "first_at_s"),
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
    """Return a public id that differs for every kind and number and looks as random as a real one."""
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
    errors.run(main)
