"""How often what has to be inspected, what is due, and where to go next."""

from collections import Counter
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from server import clock
from server.models import Facility, Inspection, InspectionResult, Restroom
from server.models.intake import Selftest
from server.services.errors import Refused
from server.services.people.accounts import SYSTEM
from server.services.places import calendar_rules, due_dates, facilities, opening_hours, reminders, restrooms, routes
from server.services.sensors import enrolment
from tests.support import restroom_files
from tests.support.values import present

NOW_S = 1_800_000_000  # 2027-01-15 17:00 in Seoul, a Friday
SEOUL = ZoneInfo("Asia/Seoul")
DAY_S = due_dates.DAY_S


@pytest.fixture(autouse=True)
def stopped(monkeypatch):
    monkeypatch.setattr(clock, "now_s", lambda: NOW_S)


@pytest.fixture
def inspected(session):
    """A function that records a finished inspection some days ago."""

    def add(room, days_ago, methods=("eye", "rf", "lens"), result="none_found", correcting=None):
        at_s = NOW_S - days_ago * DAY_S
        one = correcting or Inspection(restroom_id=room.id, started_s=at_s - 60, finished_s=at_s, result=result)
        session.add(one)
        session.flush()
        session.add(InspectionResult(inspection_id=one.id, result=result, methods=list(methods), at_s=at_s))
        session.flush()
        due_dates.refresh(session, [room.id])
        return one

    return add


def test_a_new_restroom_is_due_at_once(hall):
    assert (hall.due_s, hall.due_method) == (NOW_S, "eye")


def test_the_method_that_is_longest_ago_decides(hall, inspected):
    inspected(hall, 100)
    inspected(hall, 10, methods=("eye", "lens"))

    assert (hall.due_s, hall.due_method) == (NOW_S + 83 * DAY_S, "rf")


def test_an_inspection_that_was_not_completed_counts_for_nothing(hall, inspected):
    inspected(hall, 10, methods=("eye",), result="not_completed")

    assert hall.due_s == NOW_S and hall.eye_done_s is None


def test_a_correction_counts_instead_of_what_it_corrects(hall, inspected):
    first = inspected(hall, 10)
    inspected(hall, 5, methods=("eye",), correcting=first)

    assert (hall.eye_done_s, hall.rf_done_s) == (NOW_S - 10 * DAY_S, None)


def test_the_narrowest_policy_decides_and_an_empty_one_gives_way(session, hall, kim, inspected):
    inspected(hall, 10)
    due_dates.set_policy(session, kim, "eye", 30)
    due_dates.set_policy(session, kim, "eye", 60, organisation=hall.facility.organisation)
    due_dates.set_policy(session, kim, "eye", 14, facility=hall.facility)
    by_facility = hall.due_s
    due_dates.set_policy(session, kim, "eye", 7, restroom=hall)
    by_room = hall.due_s
    due_dates.set_policy(session, kim, "eye", None, restroom=hall)
    due_dates.set_policy(session, kim, "eye", None, facility=hall.facility)

    assert (by_facility - NOW_S, by_room - NOW_S) == (4 * DAY_S, -3 * DAY_S)
    assert hall.due_s == NOW_S + 50 * DAY_S
    settings = {setting.method: setting for setting in due_dates.Intervals(session).at(hall.facility.organisation_id)}
    assert settings["eye"] == due_dates.Setting("eye", due_dates.Interval(60), due_dates.Interval(30))
    assert settings["rf"].own is None


def _seoul(*day):
    return int(datetime(*day, tzinfo=SEOUL).timestamp())


def test_a_restroom_inspected_on_its_last_day_each_time_has_an_inspection_in_every_half_year(hall):
    done_s, halves = _seoul(2026, 1, 1), set()
    while done_s < _seoul(2046, 1, 1):
        day = clock.local(done_s)
        halves.add((day.year, day.month > 6))
        done_s = due_dates.due_s(due_dates.Interval(due_dates.LEGAL_DAYS), done_s, hall) - 1

    assert len(halves) == 40


@pytest.mark.parametrize(
    "interval, done, due",
    [
        (due_dates.Interval(183), (2026, 12, 30), (2027, 7, 1)),  # at the beginning, not at the end of 1 July
        (due_dates.Interval(183), (2026, 12, 30, 15), (2027, 7, 1)),
        (due_dates.Interval(183), (2026, 3, 1), (2026, 8, 31)),
        (due_dates.Interval(365), (2026, 12, 30), (2027, 12, 30)),
        (due_dates.Interval(0, "half_yearly"), (2026, 6, 30, 23, 59, 59), (2027, 1, 1)),
        (due_dates.Interval(0, "half_yearly"), (2026, 7, 1), (2027, 7, 1)),
        (due_dates.Interval(0, "monthly"), (2028, 1, 31, 23), (2028, 3, 1)),  # 29 February
        (due_dates.Interval(0, "quarterly"), (2026, 4, 1), (2026, 10, 1)),
        (due_dates.Interval(0, "school_term"), (2026, 2, 20), (2026, 8, 16)),
        (due_dates.Interval(0, "school_term"), (2026, 3, 5), (2026, 8, 16)),  # too early for the term in August
        (due_dates.Interval(0, "school_term"), (2026, 7, 10), (2027, 3, 1)),
    ],
)
def test_the_earlier_of_interval_and_calendar_decides(hall, interval, done, due):
    assert clock.local(due_dates.due_s(interval, _seoul(*done), hall)) == datetime(*due, tzinfo=SEOUL)


def test_a_calendar_rule_is_a_policy_like_an_interval(session, kim, hall, inspected):
    inspected(hall, 10)  # on 5 January
    due_dates.set_policy(session, kim, "eye", None, rule="monthly", facility=hall.facility)

    settings = {setting.method: setting for setting in due_dates.Intervals(session).at(None, hall.facility_id)}
    assert (hall.due_s, hall.due_method) == (_seoul(2027, 3, 1), "eye")
    assert settings["eye"].own == due_dates.Interval(0, "monthly")
    due_dates.set_policy(session, kim, "eye", None, facility=hall.facility)
    assert hall.due_method == "eye" and hall.due_s == NOW_S + 173 * DAY_S
    with pytest.raises(ValueError, match="is none of"):
        due_dates.set_policy(session, kim, "eye", None, rule="FREQ=SECONDLY")


def test_imported_restrooms_are_due_one_building_after_the_other(sessions, table, take):
    rows = [dict(restroom_files.ROWS[0], 관리번호=f"n-{n}", 화장실명=f"역 {n}") for n in range(100)]
    take(table(rows))
    with sessions() as session:
        rooms = session.scalars(select(Restroom).order_by(Restroom.due_s)).all()
        days = [(present(room.due_s) - NOW_S) // DAY_S for room in rooms]
        before = {room.id: room.due_s for room in rooms}
        due_dates.refresh(session, before)

        assert {room.id: room.due_s for room in rooms} == before  # the import and the refresh agree
    limit = (calendar_rules.first_s(calendar_rules.HALF_YEARLY, NOW_S) - NOW_S) // DAY_S
    assert max(days) <= limit
    by_tenth = Counter(day * 10 // (limit + 1) for day in days)
    assert len(by_tenth) == 10 and max(by_tenth.values()) <= 1.5 * min(by_tenth.values())


def test_every_list_of_overdue_restrooms_agrees_at_the_very_second(session, hall, inspected):
    inspected(hall, 10)
    for at_s, count in ((hall.due_s - 1, 0), (hall.due_s, 1)):
        assert due_dates.count_due(session, SYSTEM, at_s) == count
        assert len(restrooms.list_restrooms(session, SYSTEM, due_before_s=at_s).rows) == count
        assert reminders.remind(session, at_s, lambda *a, **k: None) == count


def test_what_is_not_asked_for_is_never_due(session, hall):
    for method in ("eye", "rf", "lens"):
        due_dates.set_policy(session, SYSTEM, method, 0)

    assert (hall.due_s, hall.due_method) == (None, None)
    assert due_dates.list_due(session, SYSTEM, NOW_S).rows == []


@pytest.mark.parametrize("days", [-1, 4000])
def test_an_interval_that_cannot_be_is_refused(session, days):
    with pytest.raises(Refused, match="interval_bad"):
        due_dates.set_policy(session, SYSTEM, "eye", days)


def test_the_self_test_is_asked_for_where_a_sensor_hangs(session, hall, sensor, inspected):
    inspected(hall, 1)
    enrolment.place(session, sensor, hall)
    missing = hall.due_method
    session.add(
        Selftest(report_id=1, sensor_id=sensor.id, at_s=NOW_S - DAY_S, received_s=NOW_S, passed=True, checks=[])
    )
    session.flush()
    due_dates.refresh_selftests(session)

    assert missing == "selftest"
    assert (hall.selftest_done_s, hall.due_s) == (NOW_S - DAY_S, NOW_S + 182 * DAY_S)


def test_overdue_is_longest_first_page_after_page(session, hall, inspected):
    rooms = [restrooms.add(session, hall.facility, f"Room {number}", block="men") for number in range(5)]
    for number, room in enumerate(rooms):
        inspected(room, 200 + number)

    first = due_dates.list_due(session, SYSTEM, NOW_S, limit=3)
    rest = due_dates.list_due(session, SYSTEM, NOW_S, cursor=first.next, limit=10)

    assert rest.next is None
    assert [room.name for room in first.rows + rest.rows] == [
        "Room 4",
        "Room 3",
        "Room 2",
        "Room 1",
        "Room 0",
        "Women's",
    ]
    assert due_dates.count_due(session, SYSTEM, NOW_S, block="men") == 5


def test_work_is_counted_by_the_week_it_becomes_due(session, hall, inspected):
    inspected(hall, 183 - 8)
    room = restrooms.add(session, hall.facility, "Late")

    weeks = due_dates.list_workload(session, SYSTEM, NOW_S, weeks=3)

    assert room.due_s == NOW_S
    assert [(week.restrooms, week.minutes) for week in weeks] == [(1, 30), (0, 0), (1, 30), (0, 0)]


def test_a_retired_restroom_leaves_plan_and_list_and_comes_back(session, hall, kim):
    restrooms.retire(session, kim, hall, "torn down")
    lists = due_dates.list_due(session, SYSTEM, NOW_S), restrooms.list_restrooms(session, SYSTEM)
    restrooms.restore(session, kim, hall)

    assert [page.rows for page in lists] == [[], []]
    assert due_dates.list_due(session, SYSTEM, NOW_S).rows == [hall]


def test_a_restroom_is_not_retired_without_a_reason(session, hall, kim):
    with pytest.raises(Refused, match="reason_needed"):
        restrooms.retire(session, kim, hall, " ")


def test_a_new_name_of_the_building_moves_its_rooms_in_search_and_order(session, hall, kim):
    facilities.change(session, kim, hall.facility, "Zoo", "", "2 Road")

    assert hall.sort_key == "zoo / women's"
    assert restrooms.count_restrooms(session, SYSTEM, search="zoo 2") == 1


def test_external_ids_are_each_for_one_restroom(session, hall, kim):
    other = restrooms.add(session, hall.facility, "Men's")
    restrooms.set_external_ids(session, kim, hall, [("own", "1"), ("own", "2")])
    restrooms.set_external_ids(session, kim, hall, [("own", "2")])

    with pytest.raises(Refused, match="external_id_taken"):
        restrooms.set_external_ids(session, kim, other, [("own", "2")])
    assert [known.value for known in hall.external_ids] == ["2"]
    assert restrooms.count_restrooms(session, SYSTEM, search="women's 2") >= 1


def test_people_are_told_once_a_building_and_again_after_a_week(session, hall):
    restrooms.add(session, hall.facility, "Men's")
    enqueued = []

    def enqueue(_session, kind, facility_id, subject, **values):
        enqueued.append((kind, facility_id, subject, values))

    counts = [reminders.remind(session, NOW_S + days * DAY_S, enqueue) for days in (0, 1, 7)]

    assert counts == [1, 0, 1]
    name = {"name": "Hall", "count": 2}
    assert enqueued[0] == ("inspection_overdue", hall.facility_id, hall.facility.public_id, name | {"days": 0})
    assert enqueued[1][3]["days"] == 7


@pytest.fixture
def town(session, hall):
    """Four buildings in a row, 1 km apart; the third opens at 18:00, the fourth has no position."""
    hall.latitude, hall.longitude, hall.opening_hours = 37.50, 127.0, "24시간"
    for number, hours in ((1, "09:00~18:30"), (2, "18:00~20:00"), (3, "")):
        facility = facilities.add(session, hall.facility.organisation, f"B{number}")
        latitude, longitude = (None, None) if number == 3 else (37.5 + number * 0.009, 127.0)
        for block in ("women", "men"):
            restrooms.add(
                session, facility, block, block=block, opening_hours=hours, latitude=latitude, longitude=longitude
            )
    session.flush()


def test_the_route_goes_to_the_nearest_that_is_open(session, hall, town):
    route = routes.plan_route(session, SYSTEM, NOW_S, SEOUL, start=(37.4999, 127.0))

    assert [(stop.facility.name, len(stop.rooms), stop.open) for stop in route.stops] == [
        ("Hall", 1, True),
        ("B1", 2, True),
        ("B2", 2, True),  # it is past six when one gets there
    ]
    assert route.stops[1].arrive_s - route.stops[0].arrive_s > 30 * 60


def test_a_building_that_is_closed_by_then_is_named_apart(session, hall, town):
    route = routes.plan_route(session, SYSTEM, NOW_S + 3 * 3600, SEOUL, start=(37.4999, 127.0))

    assert [stop.facility.name for stop in route.stops] == ["Hall"]
    assert [facility.name for facility, _ in route.closed] == ["B1", "B2"]


def test_a_route_for_one_block_begins_at_what_is_overdue_longest(session, hall, town, inspected):
    far = session.scalar(select(Restroom).join(Facility).where(Facility.name == "B1", Restroom.block == "men"))
    inspected(far, 300)

    route = routes.plan_route(session, SYSTEM, NOW_S, SEOUL, blocks=("men",))

    assert route.stops[0].facility.name == "B1"
    assert {room.block for stop in route.stops for room in stop.rooms} == {"men"}


def test_without_any_position_the_route_is_by_time_alone(session, hall):
    assert [stop.facility.name for stop in routes.plan_route(session, SYSTEM, NOW_S, SEOUL).stops] == ["Hall"]


@pytest.mark.parametrize(
    "text, weekday, time, expected",
    [
        ("09:00~18:00", 6, "10:00", True),
        ("09:00~18:00", 6, "18:00", False),
        ("정시(09:00~18:00, 평일만)", 5, "10:00", False),
        ("정시(09:00~18:00 토,일,공휴일 제외)", 5, "10:00", False),
        ("정시\n(05:00-익일01:00)", 2, "00:30", True),
        ("정시\n(05:00-익일01:00)", 2, "02:00", False),
        ("평일 5:32~00:56\n토요일 5:33~00:00\n휴일 5:33~23:52", 5, "23:30", True),
        ("평일 5:32~00:56\n토요일 5:33~00:00\n휴일 5:33~23:52", 6, "23:55", False),
        ("평일9시간(09:00~18:00)", 6, "10:00", False),
        ("06:00~24:00", 0, "23:59", True),
        ("24시간", 0, "03:00", True),
        ("상시(연중 개방)", 0, "03:00", True),
        ("24/7", 0, "03:00", True),
        ("Mo-Fr 09:00-18:00; Sa 10:00-14:00", 5, "15:00", False),
        ("Mo-Fr 09:00-18:00; Sa 10:00-14:00", 5, "11:00", True),
        ("9시~18시", 0, "10:00", True),
        ("업무시간", 0, "10:00", None),
        ("정시", 0, "10:00", None),
        ("", 0, "10:00", None),
        ("전화 02-123-4567", 0, "10:00", None),
    ],
)
def test_opening_hours_as_people_write_them(text, weekday, time, expected):
    hour, minute = time.split(":")

    assert opening_hours.is_open(text, weekday, int(hour) * 60 + int(minute)) is expected
