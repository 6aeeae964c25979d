"""Reports: what is counted, for whom, and how it leaves as a file."""

import csv
import hashlib
import io
from zoneinfo import ZoneInfo

import pytest
from openpyxl import load_workbook
from sqlalchemy import event, select

from server import clock
from server.models import Disposition, Finding, Inspection, InspectionResult, KnownEmitter, LogEntry, User, UserPlace
from server.services.errors import NotFound, Refused
from server.services.people.accounts import SYSTEM
from server.services.places import due_dates, facilities, organisations, restrooms
from server.services.reporting import half_years, pdf, spreadsheets, submitted_reports
from server.services.reporting.half_years import Scope
from tests.support.values import present

SEOUL = ZoneInfo("Asia/Seoul")
H1 = half_years.half_year(2026, 1, SEOUL)
H2 = half_years.half_year(2026, 2, SEOUL)


def inspected(session, room, at_s, result="none_found", methods=("eye",), percent=None, then=None):
    """A finished inspection; `then` = (result, methods) corrects it."""
    one = Inspection(restroom_id=room.id, started_s=at_s - 600, finished_s=at_s, result=(then or (result,))[0])
    session.add(one)
    session.flush()
    coverage = None if percent is None else {"percent": percent}
    outcomes = [(result, methods)] if then is None else [(result, methods), then]
    for number, (came, by) in enumerate(outcomes):
        session.add(
            InspectionResult(inspection_id=one.id, result=came, methods=list(by), coverage=coverage, at_s=at_s + number)
        )
    session.flush()
    return one


def found(session, room, sensor, at_s, kind=None, by=None, score=80, listed=False, number=[0]):  # noqa: B006
    """A finding, judged so."""
    number[0] += 1
    known = None
    if listed:
        known = KnownEmitter(
            facility_id=room.facility_id, address="c0:ff:ee:00:00:01", reason="known_emitter", approved_s=1
        )
        session.add(known)
        session.flush()
    one = Finding(
        sensor_id=sensor.id,
        inspection_ref="",
        restroom_id=room.id,
        detector="camera_stream",
        pseudonym=f"p{number[0]}",
        oui="",
        local=True,
        created_s=at_s,
        status="closed" if kind else "open",
        event="raised",
        level="alarm" if score >= 60 else "notice",
        alarmed_s=at_s if score >= 60 else None,
        score=score,
        score_max=score,
        rssi_dbm=-50,
        rssi_max_dbm=-50,
        channel=6,
        changed_s=at_s,
        disposition=kind,
        known_emitter_id=known.id if known else None,
    )
    session.add(one)
    session.flush()
    if kind:
        session.add(
            Disposition(
                finding_id=one.id, kind=kind, reason="x", at_s=at_s, by_id=by.id if by else None, automatic=listed
            )
        )
        session.flush()


@pytest.fixture
def mens(session, hall):
    return restrooms.add(session, hall.facility, "Men's", block="men")


@pytest.fixture
def depot(session):
    """A restroom of another organisation."""
    facility = facilities.add(session, organisations.add(session, "Elsewhere"), "Depot")
    return restrooms.add(session, facility, "Only")


def test_inspections_are_counted_by_method_and_by_the_result_that_counts(session, hall, mens):
    inspected(session, hall, H2.since_s, methods=("eye", "rf", "lens"), percent=100)
    inspected(session, hall, H2.since_s + 1, methods=("eye", "rf"), percent=51)
    inspected(session, mens, H2.since_s + 2, "not_completed", ("eye",))
    inspected(session, mens, H2.since_s + 3, "none_found", ("eye",), then=("referred", ("eye", "lens")))
    inspected(session, hall, H2.since_s - 1)
    inspected(session, hall, H2.until_s)

    one = half_years.make_report(session, SYSTEM, H2, Scope()).total

    assert (one.inspections, one.none_found, one.not_completed, one.referred) == (4, 2, 1, 1)
    assert (one.eye, one.rf, one.lens, one.corrected) == (4, 2, 2, 1)
    assert (one.covered, one.coverage_percent) == (2, 76)
    assert (one.restrooms, one.inspected, one.not_inspected) == (2, 2, 0)


def test_what_was_not_completed_does_not_count_as_inspected(session, hall, mens):
    inspected(session, hall, H2.since_s, "not_completed", ("eye",))
    inspected(session, mens, H2.since_s)

    one = half_years.make_report(session, SYSTEM, H2, Scope()).total

    assert (one.restrooms, one.inspected, one.not_inspected, one.inspections) == (2, 1, 1, 2)


DAY_S = 86400


@pytest.fixture
def at(monkeypatch):
    """A function that sets the clock."""
    return lambda at_s: monkeypatch.setattr(clock, "now_s", lambda: at_s)


def test_a_report_counts_the_restrooms_in_use_in_its_period(session, hall, kim, at):
    hall.created_s = H1.since_s - DAY_S
    at(H2.since_s + 40 * DAY_S)
    added = restrooms.add(session, hall.facility, "Added in August")
    inspected(session, hall, H1.since_s)
    restrooms.retire(session, kim, hall, "closed")

    def numbers(span):
        one = half_years.make_report(session, SYSTEM, span, Scope()).total
        return one.restrooms, one.inspected, one.not_inspected

    in_august = numbers(H1), numbers(H2)
    at(H2.until_s + 200 * DAY_S)
    restrooms.retire(session, kim, added, "closed")
    restrooms.restore(session, kim, hall)

    assert in_august == ((1, 1, 0), (2, 0, 2)) == (numbers(H1), numbers(H2))
    assert numbers(half_years.half_year(2027, 1, SEOUL)) == (1, 0, 1)  # the one that was added
    assert numbers(half_years.half_year(2027, 2, SEOUL)) == (2, 0, 2)


def test_a_building_counts_for_the_organisation_that_had_it_last_in_the_period(session, hall, depot, kim, at):
    for room in (hall, depot):
        room.created_s = H1.since_s - DAY_S
    city = hall.facility.organisation
    inspected(session, hall, H1.since_s)
    at(H2.since_s + DAY_S)
    facilities.move(session, kim, hall.facility, depot.facility.organisation)

    def rows(span, **scope):
        report = half_years.make_report(session, SYSTEM, span, Scope(**scope))
        return {present(row.place).name: (row.restrooms, row.inspected) for row in report.rows}

    assert rows(H1) == {"City": (1, 1), "Elsewhere": (1, 0)}
    assert rows(H2) == {"Elsewhere": (2, 0)}
    assert rows(H1, organisation=city) == {"Hall": (1, 1)} and rows(H2, organisation=city) == {}


def test_overdue_of_a_period_that_is_over_is_as_of_its_end(session, hall, mens, kim, at):
    for room in (hall, mens):
        room.created_s = H1.since_s - DAY_S
    inspected(session, mens, H1.until_s - 1, methods=("eye", "rf", "lens"))
    overdue = []
    for at_s in (H2.since_s, H2.until_s + 300 * DAY_S):
        at(at_s)
        inspected(session, hall, at_s, methods=("eye", "rf", "lens"))
        due_dates.set_policy(session, kim, "eye", 10)  # counts from its day on
        due_dates.refresh(session, [hall.id, mens.id])
        overdue.append(half_years.make_report(session, SYSTEM, H1, Scope()).total.overdue)

    assert overdue == [1, 1]


def test_shares_are_rounded_not_cut():
    assert half_years.Counts(None, covered=3, coverage_sum=200).coverage_percent == 67
    assert half_years.Counts(None, as_false=2, as_referred=1).false_permille == 667
    assert half_years.Counts(None, covered=8, coverage_sum=4).coverage_percent == 1


def test_rows_sort_by_the_numbers_in_their_names(session, hall):
    for name in ("여자화장실 10", "여자화장실 2", "남자화장실 1", "women's 3"):
        restrooms.add(session, hall.facility, name)

    report = half_years.make_report(session, SYSTEM, H2, Scope(facility=hall.facility))

    names = [present(row.place).name for row in report.rows]
    assert names == ["Women's", "women's 3", "남자화장실 1", "여자화장실 2", "여자화장실 10"]


def test_a_finding_counts_for_the_half_in_which_it_was_heard_if_that_is_plausible(session, hall, sensor):
    hall.created_s = H1.since_s
    for heard_s, received_s in (
        (H1.until_s - 60, H2.since_s + 3600),  # handed over an hour after midnight
        (H1.since_s, H2.since_s + 200 * DAY_S),  # a clock more than a year wrong
        (H2.until_s, H2.since_s + 10),  # a clock that runs ahead
    ):
        found(session, hall, sensor, received_s)
        newest = session.scalars(select(Finding).order_by(Finding.id.desc())).first()
        newest.first_at_s = heard_s - (200 * DAY_S if heard_s == H1.since_s else 0)
        session.flush()

    assert [half_years.make_report(session, SYSTEM, span, Scope()).total.alarms for span in (H1, H2)] == [1, 1]
    assert [finding.happened_s for finding in session.scalars(select(Finding).order_by(Finding.id))] == [
        H1.until_s - 60,
        H2.since_s + 200 * DAY_S,
        H2.since_s + 10,
    ]


def test_the_law_asks_for_two_a_year_so_one_in_half_a_year(session, hall, mens):
    hall.created_s = H1.since_s
    inspected(session, hall, H1.since_s)
    inspected(session, hall, H2.since_s)
    inspected(session, mens, H2.since_s)
    year = half_years.half_year(2026, 0, SEOUL)

    assert [half_years.make_report(session, SYSTEM, span, Scope()).total.enough_times for span in (H1, H2, year)] == [
        1,
        2,
        1,
    ]


def test_alarms_are_counted_by_what_people_made_of_them(session, hall, sensor, kim):
    for kind in ("false", "false", "neighbour", "referred"):
        found(session, hall, sensor, H2.since_s, kind, kim)
    found(session, hall, sensor, H2.since_s)
    found(session, hall, sensor, H2.since_s, "known_emitter", None, listed=True)
    found(session, hall, sensor, H2.since_s, score=10)
    found(session, hall, sensor, H2.until_s, "false", kim)

    one = half_years.make_report(session, SYSTEM, H2, Scope()).total

    assert (one.alarms, one.open, one.listed, one.as_false, one.as_neighbour, one.as_referred) == (6, 1, 1, 2, 1, 1)
    assert (one.judged, one.false_permille, one.notices) == (4, 500, 1)


def test_the_rows_go_one_step_deeper_each_time(session, hall, mens, depot):
    inspected(session, hall, H2.since_s)

    def names(**scope):
        report = half_years.make_report(session, SYSTEM, H2, Scope(**scope))
        return report.by, [(present(row.place).name, row.restrooms, row.inspected) for row in report.rows]

    assert names() == ("organisation", [("City", 2, 1), ("Elsewhere", 1, 0)])
    assert names(organisation=hall.facility.organisation) == ("facility", [("Hall", 2, 1)])
    assert names(facility=hall.facility) == ("restroom", [("Men's", 1, 0), ("Women's", 1, 1)])
    assert names(restroom=mens) == ("restroom", [("Men's", 1, 0)])


def test_a_person_s_report_holds_their_places_and_no_others(session, hall, depot, hashed):
    user = User(
        login="lee", name="Lee", role="viewer", everywhere=False, password_hash=hashed, session_word="0", created_s=1
    )
    session.add(user)
    session.flush()
    session.add(UserPlace(user_id=user.id, facility_id=depot.facility_id))
    session.flush()
    inspected(session, hall, H2.since_s)

    report = half_years.make_report(session, user, H2, Scope())

    assert [present(row.place).name for row in report.rows] == ["Elsewhere"] and report.total.inspections == 0
    assert half_years.load_scope(session, user, depot.public_id).restroom is depot
    assert [one.name for one in half_years.list_organisations(session, user)] == ["Elsewhere"]
    for place in (hall, hall.facility, hall.facility.organisation):
        with pytest.raises(NotFound):
            half_years.load_scope(session, user, place.public_id)


def test_the_database_counts_however_many_rows_there_are(session, hall, mens, sensor):
    for number in range(20):
        inspected(session, mens if number % 2 else hall, H2.since_s + number)
        found(session, hall, sensor, H2.since_s)
    asked = []
    event.listen(session.get_bind(), "before_cursor_execute", lambda *a: asked.append(a[2]))

    half_years.make_report(session, SYSTEM, H2, Scope(facility=hall.facility))

    assert len([one for one in asked if one.startswith("SELECT")]) <= 7


def test_half_years_meet_in_the_site_s_own_midnight():
    assert H1.until_s == H2.since_s and H1.since_s == 1767193200  # 2025-12-31T15:00Z
    assert half_years.half_year(2026, 0, SEOUL)[2:] == (H1.since_s, H2.until_s)


def test_a_frozen_report_stays_as_it_was_submitted(session, hall, mens, kim, at):
    at(H2.until_s + DAY_S)
    for room in (hall, mens):
        room.created_s = H2.since_s
    inspected(session, hall, H2.since_s, methods=("eye", "rf"), percent=51)
    submitted = half_years.make_report(session, SYSTEM, H2, Scope(facility=hall.facility))
    row = submitted_reports.freeze(session, kim, submitted)
    inspected(session, mens, H2.since_s)  # handed over late
    hall.name = "Renamed"
    session.flush()

    then, now = submitted_reports.thaw(row), half_years.make_report(session, SYSTEM, H2, Scope(facility=hall.facility))

    assert [(present(one.place).name, one._replace(place=None)) for one in then.rows] == [
        (present(one.place).name if present(one.place).name != "Renamed" else "Women's", one._replace(place=None))
        for one in submitted.rows
    ]
    assert (then.total, then.span, then.made_s) == (submitted.total, H2, submitted.made_s)
    assert submitted_reports.list_changed(then, submitted) == []
    ((before, after),) = submitted_reports.list_changed(then, now)
    assert (present(before).inspections, present(after).inspections) == (0, 1)
    assert (
        submitted_reports.list_frozen(session, kim, now) == [row]
        and submitted_reports.load(session, kim, row.public_id) is row
    )
    entry = session.scalars(select(LogEntry).order_by(LogEntry.n.desc())).first()
    assert entry.kind == "report.frozen" and row.sha256 in entry.body
    assert row.sha256 == hashlib.sha256(row.content.encode()).hexdigest()


def test_a_period_that_runs_is_not_frozen_and_others_do_not_see_a_frozen_report(session, hall, kim, hashed, at):
    at(H2.until_s - 1)
    with pytest.raises(Refused, match="period_runs"):
        submitted_reports.freeze(session, kim, half_years.make_report(session, SYSTEM, H2, Scope()))
    at(H2.until_s)
    row = submitted_reports.freeze(session, kim, half_years.make_report(session, SYSTEM, H2, Scope()))
    lee = User(
        login="lee", name="Lee", role="manager", everywhere=False, password_hash=hashed, session_word="0", created_s=1
    )
    session.add(lee)
    session.flush()

    with pytest.raises(NotFound):
        submitted_reports.load(session, lee, row.public_id)


# Files

NASTY = ["=1+1", "+82", "-1", "@SUM(A1)", "\t=1", "  =1", "|cmd", "%0A", '=HYPERLINK("http://x")']


@pytest.mark.parametrize("text", NASTY)
def test_a_text_that_looks_like_a_formula_is_none_in_csv(text):
    written = spreadsheets.csv_bytes(["a"], [[text]]).decode("utf-8-sig")
    cell = list(csv.reader(io.StringIO(written)))[1][0]

    assert cell.startswith("'") and cell.endswith(text)


def test_csv_opens_in_excel_and_keeps_numbers(session):
    written = spreadsheets.csv_bytes(["이름", "수"], [["시청, 본관", 3], ['a"b\nc', None], ["x", -1.5]])

    assert written.startswith(b"\xef\xbb\xbf") and b"\r\n" in written
    rows = list(csv.reader(io.StringIO(written.decode("utf-8-sig"), newline="")))
    assert rows == [["이름", "수"], ["시청, 본관", "3"], ['a"b\nc', ""], ["x", "-1.5"]]


def test_xlsx_holds_texts_and_numbers_and_no_formula():
    written = spreadsheets.xlsx_bytes(
        "a/b:c" * 20, ["이름", "수"], [[text, 1] for text in [*NASTY, "a\x00b\ud800", "x" * 40_000]]
    )
    sheet = load_workbook(io.BytesIO(written)).worksheets[0]

    assert {row[0].data_type for row in sheet.iter_rows()} == {"s"}
    assert [row[0].value for row in sheet.iter_rows(min_row=2)][: len(NASTY)] == NASTY
    assert sheet["B2"].value == 1 and sheet["B2"].data_type == "n"


def test_pdf_without_a_korean_font_says_what_to_install(tmp_path):
    with pytest.raises(pdf.NotPossible, match="apt install fonts-nanum") as refused:
        pdf.make("<p>x</p>", "", folders=[tmp_path])

    assert refused.value.missing == pdf.FONT and "\n" not in str(refused.value)
