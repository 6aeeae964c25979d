"""What is kept, how long, and that a bystander's address is nowhere."""

import re

import pytest
from sqlalchemy import func, select

from server import clock
from server.config import Settings
from server.models import (
    AccessEvent,
    Base,
    Command,
    Disposition,
    Finding,
    FindingEvent,
    Inspection,
    InspectionPerson,
    InspectionResult,
    LogPersonal,
    Proximity,
    PseudonymKey,
    Report,
    Sweep,
    Tally,
    User,
)
from server.services.audit import verification
from server.services.findings import dispositions, findings
from server.services.inspecting import inspections
from server.services.people import access_log, accounts, data_subjects, invitations
from server.services.people.accounts import SYSTEM
from server.services.places import facilities, organisations, restrooms
from server.services.sensors import enrolment
from server.services.upkeep import retention
from tests.conftest import ROOT
from tests.support.database_values import ANY_ADDRESS, list_values
from tests.support.sensor_messages import NOW_S, Voice, heard

DAY_S = 86400
CAMERA, PASSER, NEIGHBOUR, POLICE = (
    "00:bc:99:12:34:56",
    "da:a1:19:00:00:07",
    "a4:14:37:00:00:09",
    "00:bc:99:00:00:0b",
)
KEPT_FOR_GOOD = {"known_emitter.address"}  # approved installations; sensors have to recognise them


@pytest.fixture
def day(sessions, vault, pseudonyms, hashed, monkeypatch):
    """A day as sensors and people make it: an inspection with findings of every end, and passers-by. Its sessions."""
    monkeypatch.setattr(clock, "now_s", lambda: NOW_S)
    with sessions.begin() as session:
        kim = User(login="kim", name="Kim", role="manager", password_hash=hashed, session_word="0", created_s=NOW_S)
        session.add(kim)
        facility = facilities.add(session, organisations.add(session, "City"), "Hall")
        room = restrooms.add(session, facility, "Women's")
        hall, _ = enrolment.enrol(session, vault, "hall-1", restroom_id=room.id)
        one = inspections.start(session, room, kim, [hall], [{"name": "Park Ji-su", "agency": "Police"}])
        voice = Voice(hall)
        voice.inspection = one.public_id
        heard(session, pseudonyms, voice.says(at_s=NOW_S), voice.finds(subject=CAMERA))
        heard(session, pseudonyms, *(voice.finds(subject=address) for address in (PASSER, NEIGHBOUR, POLICE)))
        ends = {CAMERA: "false", PASSER: "false", NEIGHBOUR: "neighbour", POLICE: "referred"}
        for found in findings.list_findings(session, SYSTEM).rows:
            police = {"called_s": NOW_S, "station": "Station", "receipt": "1", "custody": ""}
            dispositions.dispose(session, found, kim, ends[found.address or ""], "looked at it", police)
        inspections.record_step(session, one, "eye", "suspicious", kim, "a hole, says Kim")
        inspections.finish(session, one, kim, "referred", "112 was called")
        access_log.add(session, kim.id, access_log.SAW_FINDING, "f1")
        # Outside an inspection, below the alarm: a phone that somebody carries past, and one that stays open.
        voice.inspection = ""
        heard(session, pseudonyms, voice.finds(subject="da:a1:19:00:00:21", score=30))
        session.add(
            Proximity(
                sensor_id=hall.id, received_ms=NOW_S * 1000, rssi_dbm=-50, smoothed_dbm=-50, sigma_db=1, trend="same"
            )
        )
        session.add(Tally(day=clock.day(NOW_S), sensor="hall-1", what="stored", count=5))
    return sessions


def where(session, address):
    """The columns an address stands in, in any spelling."""
    digits = address.replace(":", "")
    spelled = {address.encode(), address.upper().encode(), digits.encode(), bytes.fromhex(digits)}
    spelled |= {address.replace(":", "-").encode(), digits.upper().encode()}
    return {name for name, value in list_values(session) if any(one in value for one in spelled)}


def test_after_a_day_no_bystanders_address_is_anywhere_in_the_database(day):
    with day() as session:
        assert where(session, PASSER) == set()
        assert where(session, CAMERA) == set()
        assert where(session, "da:a1:19:00:00:21") == set()
        assert where(session, NEIGHBOUR) <= KEPT_FOR_GOOD | {"command.args"}
        # A case for the police keeps it, and only there.
        assert where(session, POLICE) == {"finding.address", "finding_event.exact"}


def test_no_address_of_any_kind_is_where_nobody_expects_one(day):
    allowed = KEPT_FOR_GOOD | {"finding.address", "finding.bssid", "finding_event.exact", "command.args"}

    with day() as session:
        found = {name for name, value in list_values(session) if ANY_ADDRESS.search(value)}

    assert found <= allowed, found - allowed


def counted(sessions, table):
    with sessions() as session:
        return session.scalar(select(func.count()).select_from(table))


def after(sessions, days, **changed):
    """Apply the rules so many days later; return {rule: rows}."""
    done = retention.run(sessions, Settings(**changed), now_s=NOW_S + days * DAY_S)
    return {one.rule: one.rows for one in done if one.rows}


def test_nothing_is_deleted_before_its_time(day):
    assert after(day, 0) == {}
    assert set(after(day, 6)) == {"walks"}


def test_raw_reports_and_keys_go_after_seven_days(day):
    done = after(day, 8)

    assert set(done) == {"walks", "raw_reports", "pseudonym_keys"}
    assert counted(day, Report) == counted(day, PseudonymKey) == counted(day, Proximity) == 0
    assert counted(day, Sweep) == 1


def test_measurements_go_after_ninety_days_but_not_those_of_a_case(day):
    done = after(day, 91)

    assert {"sweeps", "evidence", "counts"} <= set(done)
    assert counted(day, Sweep) == counted(day, Tally) == 0
    with day() as session:
        left = session.scalars(select(Finding.status).join(FindingEvent)).all()
        coverage = session.scalar(select(InspectionResult.coverage))
    assert left == ["case"]
    assert coverage["sweeps"] == 1


def test_orders_that_have_ended_go_too(day):
    with day.begin() as session:
        for command in session.scalars(select(Command)):
            command.ended_s = NOW_S
    after(day, 91)

    assert counted(day, Command) == 0


def test_names_and_notes_of_inspections_go_after_three_years_and_the_inspection_stays(day):
    done = after(day, 1096)

    assert {"inspections", "dispositions", "log_names", "accesses"} <= set(done)
    with day() as session:
        one = session.scalar(select(Inspection))
        assert (one.result, one.started_by_id) == ("referred", None)
        assert set(session.scalars(select(InspectionPerson.name))) == {""}
        assert session.scalar(select(InspectionResult.reason)) == ""
        assert session.scalar(select(func.count(AccessEvent.id))) == 0
        # The case for the police keeps its people as long as its evidence.
        kept = session.scalars(select(Disposition.reason).where(Disposition.reason != "")).all()
        assert kept == ["looked at it"]
        assert session.scalar(select(func.count(LogPersonal.n))) == 1
        assert not [value for name, value in list_values(session) if b"Park" in value]
        assert verification.verify(session).problem is None


def test_a_case_is_kept_for_ten_years_and_then_its_address_goes(day):
    after(day, 3650)
    with day() as session:
        assert where(session, POLICE)

    assert "finds" in after(day, 3654)
    with day() as session:
        assert where(session, POLICE) == set()
        assert session.scalar(select(func.count(Finding.id)).where(Finding.status == "case")) == 0
        assert verification.verify(session).problem is None


def test_what_was_erased_is_not_in_the_database_s_files_either(day, settings):
    def in_files(address):
        return [path.name for path in settings.data.glob("ansim.db*") if address.encode() in path.read_bytes()]

    after(day, 8)
    assert in_files(POLICE) and not in_files(CAMERA) and not in_files(PASSER)
    after(day, 3654)
    assert not in_files(POLICE)


def test_a_dry_run_counts_the_same_and_deletes_nothing(day):
    with day.begin() as session:
        boss, _ = accounts.add_user(session, "boss", "Boss", "admin")
        invitations.invite(session, boss, "Somebody", "viewer", True)
    before = {table.name: counted(day, table) for table in Base.metadata.sorted_tables}
    later = NOW_S + 4000 * DAY_S

    told = {one.rule: one.rows for one in retention.run(day, Settings(), dry_run=True, now_s=later)}

    assert {table.name: counted(day, table) for table in Base.metadata.sorted_tables} == before
    done = {one.rule: one.rows for one in retention.run(day, Settings(), now_s=later)}
    assert {rule: rows for rule, rows in told.items() if rows}.keys() == {r: n for r, n in done.items() if n}.keys()
    assert told["raw_reports"] == done["raw_reports"]


def test_the_second_run_finds_nothing_left(day):
    after(day, 4000)

    assert after(day, 4000) == {}


def test_the_times_are_settings(day):
    assert "raw_reports" in after(day, 2, keep_raw_days=1)
    with pytest.raises(ValueError):
        Settings(keep_keys_days=8)


def test_a_destroyed_key_never_comes_back(day, vault, pseudonyms):
    with day.begin() as session:
        before = pseudonyms.of(session, PASSER, clock.day(NOW_S))
        pseudonyms.of(session, PASSER, clock.day(NOW_S) + 9)
    after(day, 8)

    with day.begin() as session:
        assert pseudonyms.of(session, PASSER, clock.day(NOW_S)) != before


def test_a_name_without_an_account_is_erased_where_it_stands(day):
    with day.begin() as session:
        rows, entries = data_subjects.find_name(session, "Park Ji-su")
        assert (len(rows), len(entries)) == (1, 1)

        assert data_subjects.forget_name(session, "Park Ji-su") == (1, 1)

        assert not [value for _, value in list_values(session) if b"Park" in value]
        assert verification.verify(session).problem is None


def test_erasing_a_person_leaves_nothing_of_them(day):
    with day.begin() as session:
        kim = session.scalar(select(User).where(User.login == "kim"))
        accounts.add_user(session, "boss", "Boss", "admin")
        known = data_subjects.list_records(session, kim)
        assert len(known.inspections) == 1 and known.entries and len(known.accesses) == 1

        data_subjects.erase(session, kim)

        named = {name for name, value in list_values(session) if re.search(rb"(?i)\bkim\b", value)}
        assert named <= {"inspection_step.note"}  # free words of others; they go with the inspection's
        assert verification.verify(session).problem is None


def test_the_data_map_names_every_column_with_what_for_and_how_long():
    told = {}
    for line in (ROOT / "docs/privacy.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 5:
            told[cells[0].strip("`")] = cells
    there = {table.name: {column.name for column in table.columns} for table in Base.metadata.sorted_tables}

    assert told.keys() == there.keys(), told.keys() ^ there.keys()
    for name, columns in there.items():
        _, personal, others, purpose, kept = told[name]
        listed = set(re.findall(r"`(\w+)`", personal + others))
        assert listed == columns, (name, listed ^ columns)
        assert len(purpose) > 10 and kept, name
