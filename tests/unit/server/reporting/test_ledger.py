"""
The ledger test: two invented years, kept by the server and, independently, by hand in plain dictionaries.

Everything happens around the edges of half-years: late, offline, corrected, erased, retired, moved. Every number of the
report's page, CSV, XLSX, PDF and API, of the lists and of the public page has to be what the ledger says; made again
after a year, and after retention, it has to be the same.
"""

import csv
import io
import random
import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from openpyxl import load_workbook
from pypdf import PdfReader

from server import clock, create_app
from server.models import Finding, Organisation, Sensor, User
from server.services.findings import dispositions
from server.services.findings.pseudonyms import Pseudonyms
from server.services.inspecting import checklists, inspections, offline_visits
from server.services.people import accounts, data_subjects, tokens
from server.services.places import due_dates, facilities, organisations, restrooms
from server.services.reporting import pdf
from server.services.sensors import enrolment
from server.services.upkeep import retention
from tests.support.paho_sensor import sweep_body
from tests.support.sensor_messages import Voice, heard
from tests.support.session_cookies import cookie_of
from tests.unit.server.api.conftest import Program

ZONE = ZoneInfo("Asia/Seoul")
DAY_S = 86400
SEEDS = (1, 2)
COLUMNS = [
    *("restrooms", "inspected", "not_inspected", "enough_times", "overdue", "inspections", "none_found", "reopened"),
    *("not_completed", "referred", "eye", "rf", "lens", "corrected", "provisional", "coverage_percent", "alarms"),
    *("open", "listed", "as_known_emitter", "as_neighbour", "as_false", "as_unresolved", "as_referred"),
    *("false_percent", "notices"),
]
SHORT = [
    *("restrooms", "inspected", "enough_times", "overdue", "inspections", "eye", "rf", "lens", "coverage_percent"),
    *("alarms", "as_false", "false_percent", "notices"),
]


def at(year, month, day, hour=0, minute=0, second=0):
    return int(datetime(year, month, day, hour, minute, second, tzinfo=ZONE).timestamp())


# The seconds around which things happen.
EDGES = [at(2027, 7, 1), at(2028, 1, 1), at(2028, 2, 29), at(2028, 3, 1), at(2028, 7, 1), at(2029, 1, 1)]
FIRST, LAST = at(2027, 1, 1), at(2029, 1, 1)
SPANS = {
    (2027, 1): (at(2027, 1, 1), at(2027, 7, 1)),
    (2027, 2): (at(2027, 7, 1), at(2028, 1, 1)),
    (2028, 1): (at(2028, 1, 1), at(2028, 7, 1)),
    (2028, 2): (at(2028, 7, 1), at(2029, 1, 1)),
    (2027, 0): (at(2027, 1, 1), at(2028, 1, 1)),
    (2028, 0): (at(2028, 1, 1), at(2029, 1, 1)),
}


def half_up(total, number):
    return None if not number else int(total / number + 0.5)


class Ledger:
    """
    What happened, by hand.

    rooms        {public id: {"name", "facility", "created", "uses": [[organisation, from, to or None], ...]}}
    inspections  [{"room", "when", "result", "methods", "corrected", "percent", "findings": [...]}, ...]
    findings     [{"room", "when", "alarm", "kind", "by_list"}, ...]
    """

    def __init__(self):
        self.rooms, self.inspections, self.findings = {}, [], []
        self.policies = []  # (from when, organisation or None, days or "monthly"), for the lens; the newest counts

    def owner(self, room, since, until):
        """The organisation that had a room last in a period; None if it was not in use then."""
        uses = [use for use in self.rooms[room]["uses"] if use[1] < until and (use[2] is None or use[2] > since)]
        return uses[-1][0] if uses else None

    def counts(self, since, until, rooms):
        in_use = [room for room in rooms if self.owner(room, since, until)]
        done = [row for row in self.inspections if row["room"] in rooms and since <= row["when"] < until]
        completed = [row["room"] for row in done if row["result"] != "not_completed" and row["methods"]]
        needed = 2 if until - since > 200 * DAY_S else 1
        percents = [row["percent"] for row in done if row["percent"] is not None]
        found = [row for row in self.findings if row["room"] in rooms and since <= row["when"] < until]
        alarms = [row for row in found if row["alarm"]]
        judged = [row for row in alarms if row["kind"] and not row["by_list"]]
        numbers = {
            "restrooms": len(in_use),
            "inspected": sum(room in completed for room in in_use),
            "enough_times": sum(completed.count(room) >= needed for room in in_use),
            "overdue": sum(self.is_overdue(room, until) for room in in_use),
            "inspections": len(done),
            "provisional": sum(row["provisional"] for row in done),
            "corrected": sum(row["corrected"] for row in done),
            "coverage_percent": half_up(sum(percents), len(percents)),
            "alarms": len(alarms),
            "open": sum(row["kind"] is None for row in alarms),
            "listed": sum(row["by_list"] for row in alarms),
            "notices": len(found) - len(alarms),
        }
        numbers["not_inspected"] = numbers["restrooms"] - numbers["inspected"]
        for result in ("none_found", "reopened", "not_completed", "referred"):
            numbers[result] = sum(self.standing(row) == result for row in done)
        for method in ("eye", "rf", "lens"):
            numbers[method] = sum(method in row["methods"] for row in done)
        for kind in ("known_emitter", "neighbour", "false", "unresolved", "referred"):
            numbers[f"as_{kind}"] = sum(row["kind"] == kind for row in judged)
        permille = half_up(numbers["as_false"] * 1000, len(judged))
        numbers["false_percent"] = None if permille is None else permille / 10
        return numbers

    def standing(self, row):
        blocks = any(found["kind"] in (None, "unresolved", "referred") for found in row["findings"])
        return "reopened" if row["result"] == "none_found" and blocks else row["result"]

    def is_overdue(self, room, until):
        """Whether the lens step, the only one that is planned, was overdue at the end of a period."""
        if not self.owner(room, until - 1, until):
            return False
        rule = 183
        owner = self.owner(room, until - 1, until)
        for since, organisation, value in self.policies:
            if since < until and organisation in (None, owner):
                rule = value
        times = [
            row["when"]
            for row in self.inspections
            if row["room"] == room and row["when"] < until and "lens" in row["methods"]
            if row["result"] != "not_completed"
        ]
        return not times or self.due(max(times), rule) <= until

    @staticmethod
    def due(done_s, rule):
        day = datetime.fromtimestamp(done_s, ZONE)
        if rule == "monthly":
            months = day.year * 12 + day.month + 1  # the first of the month after the next
            return at(months // 12, months % 12 + 1, 1)
        if rule > 183:
            return done_s + rule * DAY_S
        end_of_next = at(day.year + 1, 1, 1) if day.month < 7 else at(day.year + 1, 7, 1)
        return min(done_s + rule * DAY_S, end_of_next)


class World:
    """Makes things happen on the server, and writes them into the ledger."""

    def __init__(self, app, pseudonyms, stop_clock, seed):
        self.app, self.pseudonyms, self.stop_clock = app, pseudonyms, stop_clock
        self.sessions = app.extensions["sessions"]
        self.ledger, self.random = Ledger(), random.Random(seed)
        self.subjects = 0
        stop_clock(at(2026, 11, 1))
        with self.sessions.begin() as session:
            self.kim = accounts.add_user(session, "kim", "Kim", "admin")[0].id
            self.lee = accounts.add_user(session, "lee", "Lee", "inspector")[0].id
            self.organisations = {}
            for name in ("가람시", "나래구", "다온군"):
                self.organisations[name] = organisations.add(session, name).id
                for number in (2, 10):
                    self._add_building(session, name, number)
            sensor = enrolment.enrol(session, app.extensions["vault"], "carried", "Carried")[0]
            self.sensor, self.voice = sensor.id, Voice(sensor)
            user = session.get_one(User, self.kim)
            due_dates.set_policy(session, user, "eye", 0)
            due_dates.set_policy(session, user, "rf", 0)

    def _add_building(self, session, owner, number):
        organisation = session.get_one(Organisation, self.organisations[owner])
        facility = facilities.add(session, organisation, f"{owner} 건물 {number}")
        for number in (1, 2, 10):
            self.add_room(session, facility, f"여자화장실 {number}", owner)

    def add_room(self, session, facility, name, owner):
        room = restrooms.add(session, facility, name)
        uses = [[owner, clock.now_s(), None]]
        self.ledger.rooms[room.public_id] = {"name": name, "facility": facility.public_id, "uses": uses}

    def run(self):
        events = []
        for room in list(self.ledger.rooms):
            for _ in range(7):
                events.append((self._moment(), self.visit, room))
            for _ in range(3):
                events.append((self._moment(), self.hear, room))
        rooms = list(self.ledger.rooms)
        events += [(at(2027, 5, 10), self.retire, rooms[0]), (at(2027, 8, 15), self.retire, rooms[1])]
        events += [(at(2028, 2, 29, 12), self.restore, rooms[1]), (at(2027, 6, 30, 23, 59, 59), self.retire, rooms[2])]
        events += [(at(2028, 7, 1), self.retire, rooms[5]), (at(2028, 7, 2), self.restore, rooms[5])]
        events += [(at(2027, 8, 20), self.add_late, rooms[6]), (at(2028, 12, 31, 23, 59, 59), self.add_late, rooms[9])]
        events += [(at(2028, 7, 1), self.add_late, rooms[12])]
        events += [
            (at(2028, 3, 3), self.move, (rooms[3], "나래구")),
            (at(2028, 9, 9), self.move, (rooms[12], "가람시")),
        ]
        events += [(at(2028, 4, 4), self.plan, ("나래구", "monthly")), (at(2027, 9, 1), self.plan, ("다온군", 365))]
        events.append((at(2028, 5, 5), self.erase, None))
        for when, act, subject in sorted(events, key=lambda event: event[0]):
            self.stop_clock(when)
            act(when, subject)
        return self.ledger

    def _moment(self):
        """A time in the two years, half of them within some hours of an edge."""
        if self.random.random() < 0.5:
            return self.random.randrange(FIRST, LAST)
        return self.random.choice(EDGES) + self.random.choice((-2, -1, 0, 1, -3600, 3600, -40_000, 40_000))

    def retire(self, when, room):
        with self.sessions.begin() as session:
            row = restrooms.load(session, accounts.SYSTEM, room)
            restrooms.retire(session, session.get_one(User, self.kim), row, "closed")
        self.ledger.rooms[room]["uses"][-1][2] = when

    def restore(self, when, room):
        with self.sessions.begin() as session:
            restrooms.restore(session, accounts.SYSTEM, restrooms.load(session, accounts.SYSTEM, room))
        uses = self.ledger.rooms[room]["uses"]
        uses.append([uses[-1][0], when, None])

    def add_late(self, _when, beside):
        with self.sessions.begin() as session:
            facility = restrooms.load(session, accounts.SYSTEM, beside).facility
            self.add_room(session, facility, "남자화장실 3", self.ledger.rooms[beside]["uses"][-1][0])

    def move(self, when, subject):
        room, name = subject
        with self.sessions.begin() as session:
            facility = restrooms.load(session, accounts.SYSTEM, room).facility
            to = session.get_one(Organisation, self.organisations[name])
            facilities.move(session, session.get_one(User, self.kim), facility, to)
        for row in self.ledger.rooms.values():
            if row["facility"] == self.ledger.rooms[room]["facility"] and row["uses"][-1][2] is None:
                row["uses"][-1][2] = when
                row["uses"].append([name, when, None])

    def plan(self, when, subject):
        name, value = subject
        days, rule = (None, value) if value == "monthly" else (value, "")
        with self.sessions.begin() as session:
            organisation = session.get_one(Organisation, self.organisations[name])
            user = session.get_one(User, self.kim)
            due_dates.set_policy(session, user, "lens", days, organisation=organisation, rule=rule)
        self.ledger.policies.append((when, name, value))

    def erase(self, _when, _subject):
        with self.sessions.begin() as session:
            data_subjects.erase(session, session.get_one(User, self.lee))

    def visit(self, when, room):
        """A visit that ends then, of any kind; later changes of it follow at once, with the clock moved on."""
        uses = self.ledger.rooms[room]["uses"]
        if not uses or uses[-1][2] is not None:
            return  # the restroom is out of use
        kind = self.random.choice(
            ("lens", "eye", "sensor", "sensor", "late", "waiting", "in_vain", "referred", "offline", "corrected")
        )
        row = {"room": room, "when": when, "corrected": False, "percent": None, "findings": []}
        row["provisional"] = False
        getattr(self, f"_visit_{kind}")(row)
        self.ledger.inspections.append(row)

    def _start(self, session, row):
        self.stop_clock(row["when"] - 900)
        user = session.get_one(User, self.lee if clock.now_s() < at(2028, 5, 1) else self.kim)
        inspection = inspections.start(session, restrooms.load(session, accounts.SYSTEM, row["room"]), user)
        self.stop_clock(row["when"])
        return inspection, user

    def _finish(self, session, row, inspection, user, result, methods, reason=""):
        inspections.finish(session, inspection, user, result, reason)
        row.update(id=inspection.public_id, result=result, methods=methods)

    def _visit_lens(self, row):
        with self.sessions.begin() as session:
            inspection, user = self._start(session, row)
            inspections.record_step(session, inspection, "lens", "none_found", user)
            self._finish(session, row, inspection, user, "none_found", ["lens"])

    def _visit_eye(self, row):
        with self.sessions.begin() as session:
            inspection, user = self._start(session, row)
            checklists.answer_rest(session, inspection, user)
            inspections.record_step(session, inspection, "eye", "none_found", user)
            inspections.record_step(session, inspection, "lens", "none_found", user)
            self._finish(session, row, inspection, user, "none_found", ["eye", "lens"])

    def _visit_in_vain(self, row):
        with self.sessions.begin() as session:
            inspection, user = self._start(session, row)
            self._finish(session, row, inspection, user, "not_completed", [], "locked")

    def _visit_referred(self, row):
        with self.sessions.begin() as session:
            inspection, user = self._start(session, row)
            inspections.record_step(session, inspection, "eye", "suspicious", user, "a hole")
            self._finish(session, row, inspection, user, "referred", ["eye"], "112 called")

    def _visit_corrected(self, row):
        self._visit_lens(row)
        result = self.random.choice(("not_completed", "referred"))
        self.stop_clock(row["when"] + self.random.randrange(60, 5 * DAY_S))
        with self.sessions.begin() as session:
            user = session.get_one(User, self.kim)
            inspection = inspections.load(session, user, row["id"])
            inspections.correct(session, inspection, user, result, "the wrong room")
        row.update(result=result, corrected=True)

    def _visit_offline(self, row):
        """Written down without a network, and handed over up to two days later."""
        received_s = row["when"] + self.random.randrange(60, 2 * DAY_S)
        self.stop_clock(received_s)
        key = f"0190a8e0-0000-7000-8000-{self.random.randrange(16**12):012x}"
        with self.sessions.begin() as session:
            user = session.get_one(User, self.kim)
            visit = offline_visits.Visit(key, row["room"], row["when"] - 600, row["when"], {}, "none_found", "", "")
            inspection = offline_visits.store(session, user, visit, received_s)
            self.stop_clock(received_s + 300)
            self._finish(session, row, inspection, user, "none_found", ["lens"])

    def _visit_sensor(self, row, stopped=True):
        """The sensor listens to all channels, or to some of them too shortly."""
        with self.sessions.begin() as session:
            inspection, user = self._start(session, row)
            sensor = session.get_one(Sensor, self.sensor)
            began_s, stopped_s = row["when"] - 900, row["when"] if stopped else None
            inspections.add_sensor(session, inspection, sensor, began_s, began_s, stopped_s)
            session.flush()
            body, short = sweep_body(), self.random.choice((0, 0, 4, 13))
            body["channels"] = [[n, 1000 if n <= short else 5000, 10, 0, 0] for n in range(1, 14)]
            row["short"], row["percent"] = short, self._percent(short, 1000)
            self.voice.inspection = inspection.public_id
            heard(session, self.pseudonyms, self.voice.says(body=body, at_s=row["when"] - 60), now_s=row["when"])
            session.expire_all()
            methods = ["lens"] if short else ["rf", "lens"]
            for method in methods:
                inspections.record_step(session, inspection, method, "none_found", user)
            self._finish(session, row, inspection, user, "none_found", methods)

    @staticmethod
    def _percent(short, heard_ms):
        """The coverage if some channels were listened to for less than 3 s."""
        return int((short * heard_ms + (13 - short) * 3000) * 100 / (13 * 3000))

    def _visit_waiting(self, row):
        """The sensor's last sweep arrives after the result, or never."""
        self._visit_sensor(row, stopped=False)
        row["provisional"] = "rf" in row["methods"]
        if self.random.random() < 0.3:
            return
        received_s = row["when"] + self.random.randrange(60, DAY_S)
        self.stop_clock(received_s)
        body = {**sweep_body(60_000, 90_000), "channels": [[n, 300, 1, 0, 0] for n in range(1, 14)]}
        with self.sessions.begin() as session:
            last = self.voice.says(body=body, at_s=row["when"] - 1)
            stopped = self.voice.says("session", {"what": "stopped", "by": "cmd"}, row["when"])
            heard(session, self.pseudonyms, last, stopped, now_s=received_s)
        row["provisional"], row["percent"] = False, self._percent(row["short"], 1300)

    def _visit_late(self, row):
        """The sensor hands over an alarm of the visit after its end."""
        self._visit_sensor(row)
        row["findings"].append(self._report(row["room"], row["when"] - 30, row["when"] + 1800, row["id"]))

    def hear(self, when, room):
        """A fixed sensor's alarm or notice, received up to a day later."""
        if self.ledger.rooms[room]["uses"][-1][2] is not None:
            return
        with self.sessions.begin() as session:
            sensor = session.get_one(Sensor, self.sensor)
            sensor.restroom_id = restrooms.load(session, accounts.SYSTEM, room).id
        self._report(room, when, when + self.random.randrange(0, DAY_S), "", self.random.choice((80, 80, 80, 20)))

    def _report(self, room, heard_s, received_s, inspection, score=80):
        self.subjects += 1
        subject = f"02:00:00:00:{self.subjects >> 8:02x}:{self.subjects & 255:02x}"
        self.stop_clock(received_s)
        self.voice.inspection = inspection
        with self.sessions.begin() as session:
            report = self.voice.finds(heard_s, subject=subject, score=score)
            heard(session, self.pseudonyms, report, now_s=received_s)
            newest = session.query(Finding).order_by(Finding.id.desc()).first()
            public_id, is_alarm = newest.public_id, newest.alarmed_s is not None
        row = {"room": room, "when": heard_s, "alarm": is_alarm, "kind": None, "by_list": False}
        self.ledger.findings.append(row)
        if is_alarm:
            self._judge(row, public_id, received_s, subject, inspection)
        return row

    def _judge(self, row, public_id, received_s, subject, inspection):
        kind = self.random.choice((None, "false", "false", "neighbour", "unresolved", "referred", "known_emitter"))
        if kind is None:
            return
        self.stop_clock(received_s + self.random.randrange(60, 20 * DAY_S))
        with self.sessions.begin() as session:
            finding = session.query(Finding).filter_by(public_id=public_id).one()
            user = session.get_one(User, self.kim)
            dispositions.dispose(session, finding, user, kind, "looked", {"station": "Jongno"})
        row["kind"] = kind
        if kind == "known_emitter" and not inspection:  # it is heard again, and the list closes it
            again_s = clock.now_s() + 3 * DAY_S
            self.stop_clock(again_s)
            with self.sessions.begin() as session:
                heard(session, self.pseudonyms, self.voice.finds(again_s, subject=subject), now_s=again_s)
            listed = {"room": row["room"], "when": again_s, "alarm": True, "kind": kind, "by_list": True}
            self.ledger.findings.append(listed)


@pytest.fixture
def stop_clock(monkeypatch):
    return lambda at_s: monkeypatch.setattr(clock, "now_s", lambda: at_s)


@pytest.fixture
def app(settings):
    made = create_app(settings)
    yield made
    made.extensions["sessions"].engine.dispose()


class Reader:
    """Reads the same report in every form."""

    def __init__(self, app):
        self.app = app
        with app.extensions["sessions"].begin() as session:
            user = session.query(User).filter_by(login="kim").one()
            user.must_change_password = False
            self.browser = app.test_client()
            with self.browser.session_transaction() as cookie:
                cookie.update(cookie_of(session, user, "en"))
            self.program = Program(app, tokens.create(session, user, "test", accounts.RIGHTS["admin"], 1)[1])

    def api(self, of, year, half):
        answer = self.program.get("/reports", year=year, half=half, of=of).json
        return {row["id"]: self._of_api(row) for row in answer["rows"]} | {"": self._of_api(answer["total"])}

    def _of_api(self, row):
        row = {**row, "not_inspected": row["restrooms"] - row["inspected"]}
        row["false_percent"] = None if row["false_permille"] is None else row["false_permille"] / 10
        return {name: row[name] for name in COLUMNS}

    def csv(self, of, year, half):
        data = self._file("csv", of, year, half).decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(data)))
        numbers = [[None if cell == "" else float(cell) for cell in row[2:]] for row in rows[1 : rows.index([])]]
        return {row[1]: dict(zip(COLUMNS, cells, strict=True)) for row, cells in zip(rows[1:], numbers, strict=False)}

    def xlsx(self, of, year, half):
        sheet = load_workbook(io.BytesIO(self._file("xlsx", of, year, half))).worksheets[0]
        rows = [list(row) for row in sheet.iter_rows(min_row=2, values_only=True)]
        rows = rows[: next(number for number, row in enumerate(rows) if not any(row))]
        return {row[1] or "": dict(zip(COLUMNS, row[2:], strict=True)) for row in rows}

    def page(self, of, year, half):
        text = self.browser.get("/reports", query_string={"of": of, "year": year, "half": half}).text
        text = re.sub("<figure.*?</figure>", "", text, flags=re.DOTALL)  # charts have tables of their own
        shown = []
        for name, cells in re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', text, re.DOTALL):
            shown.append((re.sub("<.*?>", "", name), re.findall(r'<td class="number">(.*?)</td>', cells)))
        return shown

    def pdf(self, of, year, half):
        reader = PdfReader(io.BytesIO(self._file("pdf", of, year, half)))
        return " ".join(" ".join(page.extract_text() for page in reader.pages).split())

    def _file(self, kind, of, year, half):
        answer = self.browser.get("/reports", query_string={"as": kind, "of": of, "year": year, "half": half})
        assert answer.status_code == 200 and answer.mimetype != "text/html"
        return answer.data


def as_text(value):
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:g}"


def scopes_of(ledger, ids, since, until):
    """Yield (scope's id, {row's id: its rooms}, {row's id: its name}) of every report of a period."""
    rooms = list(ledger.rooms)
    owners = {room: ledger.owner(room, since, until) for room in rooms}
    # What happened in a restroom that was not in use in the period counts for its present organisation.
    owners = {room: owner or ledger.rooms[room]["uses"][-1][0] for room, owner in owners.items()}
    by_owner = {ids[name]: [room for room in rooms if owners[room] == name] for name in ids}
    yield "", by_owner, {public_id: name for name, public_id in ids.items()}
    for of_owner, theirs in by_owner.items():
        buildings = {ledger.rooms[room]["facility"] for room in theirs}
        of_buildings = {
            building: [room for room in theirs if ledger.rooms[room]["facility"] == building] for building in buildings
        }
        yield of_owner, of_buildings, {}
    for building in {row["facility"] for row in ledger.rooms.values()}:
        members = [room for room in rooms if ledger.rooms[room]["facility"] == building]
        yield building, {room: [room] for room in members}, {room: ledger.rooms[room]["name"] for room in members}


def compare(reader, ledger, ids, has_fonts):
    for (year, half), (since, until) in SPANS.items():
        for of, groups, names in scopes_of(ledger, ids, since, until):
            expected = {group: ledger.counts(since, until, rooms) for group, rooms in groups.items()}
            # A row in which nothing is counted is left out.
            expected = {group: row for group, row in expected.items() if any(row.values())}
            total = ledger.counts(since, until, [room for rooms in groups.values() for room in rooms])
            where = (of, year, half)
            assert reader.api(*where) == {**expected, "": total}, where
            if of == "" or half == 0:
                assert reader.csv(*where) == {**expected, "": total}, where
                assert reader.xlsx(*where) == {**expected, "": total}, where
            if names:
                lines = [(names[group], [as_text(row[name]) for name in SHORT]) for group, row in expected.items()]
                page = reader.page(*where)
                last = [("Total", [as_text(total[name]) for name in SHORT])] if len(lines) > 1 else []
                assert sorted(page[: len(lines)]) == sorted(lines) and page[len(lines) :] == last, where
            if has_fonts and (of, half) == ("", 0):
                assert "Total " + " ".join(as_text(total[name]) for name in SHORT) in reader.pdf(*where)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_number_is_what_the_ledger_says_and_stays_so(app, settings, stop_clock, seed):
    world = World(app, Pseudonyms(app.extensions["vault"]), stop_clock, seed)
    ledger = world.run()
    sessions = app.extensions["sessions"]
    with sessions() as session:
        ids = {row.name: row.public_id for row in session.query(Organisation)}
    try:
        has_fonts = bool(pdf.find_font())
    except pdf.NotPossible:
        has_fonts = False
    assert len(ledger.inspections) > 90 and len(ledger.findings) > 50
    results = {"none_found", "reopened", "not_completed", "referred"}
    assert {ledger.standing(row) for row in ledger.inspections} == results

    stop_clock(at(2029, 1, 2))
    reader = Reader(app)
    compare(reader, ledger, ids, has_fonts)
    _compare_lists(reader, ledger)
    _compare_public_page(app, ledger)

    stop_clock(at(2030, 1, 2))
    compare(Reader(app), ledger, ids, False)

    stop_clock(at(2033, 6, 1))
    rules = {result.rule: result.rows for result in retention.run(sessions, settings)}
    assert rules["sweeps"] and rules["evidence"] and rules["inspections"] and rules["dispositions"]
    compare(Reader(app), ledger, ids, False)


def _compare_lists(reader, ledger):
    """The API's lists go by the same times as the reports."""
    for since, until in SPANS.values():
        done = {row["id"] for row in ledger.inspections if since <= row["when"] < until}
        assert {row["id"] for row in _all(reader, "/inspections", since, until)} == done
        number = sum(since <= row["when"] < until for row in ledger.findings)
        assert len(_all(reader, "/findings", since, until)) == number


def _all(reader, path, since, until):
    rows, cursor = [], None
    while True:
        query = {"since_s": since, "until_s": until, "limit": 50, **({"cursor": cursor} if cursor else {})}
        answer = reader.program.get(path, **query).json
        rows += answer["items"]
        cursor = answer["next"]
        if cursor is None:
            return rows


def _compare_public_page(app, ledger):
    """The newest completed visit, by the local day on which it was done."""
    client = app.test_client()
    for room in ledger.rooms:
        times = [
            row["when"]
            for row in ledger.inspections
            if row["room"] == room and row["result"] != "not_completed" and row["methods"]
        ]
        days = re.findall(r'<time datetime="(\d{4}-\d\d-\d\d)"', client.get(f"/r/{room}").text)
        newest = datetime.fromtimestamp(max(times), ZONE).date().isoformat() if times else None
        assert (days[0] if days else None) == newest
