"""Many sensors: whose they are, the page of them by state and words, and their health in a few questions."""

import pytest
from sqlalchemy import event

from server import clock
from server.models import Restroom, Selftest, SensorBoot, User
from server.services import paging
from server.services.errors import NotFound
from server.services.inspecting import button_sweeps, inspections
from server.services.people import accounts, scopes
from server.services.people.accounts import SYSTEM
from server.services.places import facilities, organisations, restrooms
from server.services.sensors import claims, enrolment, fleet, rollout
from tests.support.sensor_messages import NOW_S
from tests.support.values import present

SILENT_AFTER_S = 300
RIGHTS = accounts.RIGHTS["manager"]


@pytest.fixture
def two_cities(session, vault, hashed, monkeypatch):
    """
    {name: row}: the managers kim of city A and lee of city B, and a room in each; carried sensors by whoever made them.
    """
    monkeypatch.setattr(clock, "now_s", lambda: NOW_S)
    found = {}
    for name, login in (("A", "kim"), ("B", "lee")):
        city = organisations.add(session, name)
        found[name] = restrooms.add(session, facilities.add(session, city, "Hall " + name), "Room " + name)
        person = User(
            login=login, name=login, role="manager", password_hash=hashed, session_word="0" * 32, created_s=NOW_S
        )
        session.add(person)
        session.flush()
        scopes.set_places(session, person, False, [scopes.Place(scopes.ORGANISATION, city)])
        found[login] = person
    boss = found["boss"] = accounts.add_user(session, "boss", "Boss", "manager")[0]
    for name, by in (("carried-a", found["kim"]), ("carried-b", found["lee"]), ("pool", boss)):
        found[name] = claims.redeem(session, vault, claims.make(session, by), name)[0]
    found["fixed-a"] = enrolment.enrol(session, vault, "fixed-a", restroom_id=found["A"].id)[0]
    return found


def rights(session, user, name):
    allowed = []
    for right in RIGHTS:
        try:
            fleet.load(session, user, name, right)
        except NotFound:
            continue
        allowed.append(right)
    return tuple(allowed)


def test_a_carried_sensor_is_its_organisation_s_and_a_fixed_one_its_place_s(session, two_cities):
    kim, lee, boss = (two_cities[name] for name in ("kim", "lee", "boss"))

    assert rights(session, kim, "carried-a") == rights(session, kim, "fixed-a") == RIGHTS
    assert rights(session, lee, "carried-a") == rights(session, lee, "fixed-a") == ()
    assert rights(session, kim, "pool") == rights(session, lee, "pool") == ("see", "inspect")
    assert rights(session, boss, "pool") == rights(session, boss, "carried-a") == RIGHTS


def test_lists_show_what_may_be_seen_and_no_more(session, two_cities):
    lee = two_cities["lee"]

    for found in (fleet.list_all(session, lee), fleet.list_available(session, lee), _page(session, lee)):
        assert sorted(sensor.name for sensor in found) == ["carried-b", "pool"]
    assert button_sweeps.list_waiting(session, lee) == []


def test_a_sensor_that_was_fixed_stays_with_that_organisation(session, two_cities):
    enrolment.place(session, two_cities["pool"], two_cities["A"], two_cities["boss"])
    enrolment.place(session, two_cities["pool"], None, two_cities["boss"])

    assert rights(session, two_cities["kim"], "pool") == RIGHTS
    assert rights(session, two_cities["lee"], "pool") == ()


def test_an_inspection_is_not_started_with_somebody_else_s_sensor(app_of, two_cities):
    lee, room = two_cities["lee"], two_cities["B"]

    with pytest.raises(NotFound):
        app_of(lee, room, "carried-a")
    assert app_of(lee, room, "carried-b").sensors[0].sensor.name == "carried-b"


@pytest.fixture
def app_of(session):
    def start(user, room, name):
        chosen = [fleet.load(session, user, name, accounts.INSPECT)]
        begun = inspections.start(session, room, user, chosen)
        session.expire_all()
        return inspections.load(session, accounts.SYSTEM, begun.public_id)

    return start


def _page(session, user=SYSTEM, **filters):
    times = {"now_s": NOW_S, "silent_after_s": SILENT_AFTER_S}
    return fleet.list_sensors(session, user, **times, by_name=True, **filters).rows


def test_the_page_has_the_same_states_as_each_sensor(session, two_cities):
    two_cities["fixed-a"].last_seen_s, two_cities["fixed-a"].state = NOW_S - 301, "ready"
    two_cities["carried-a"].last_seen_s, two_cities["carried-a"].state = NOW_S - 5, "sleeping"
    two_cities["carried-b"].last_seen_s, two_cities["carried-b"].state = NOW_S - 5, "lost"
    session.flush()

    assert fleet.count_states(session, SYSTEM, NOW_S, SILENT_AFTER_S) == {
        "silent": 1,
        "offline": 1,
        "never": 1,
        "sleeping": 1,
    }
    for sensor in fleet.list_all(session, SYSTEM):
        state = fleet.state_of(sensor, NOW_S, SILENT_AFTER_S)
        assert sensor in _page(session, state=state)
    assert [sensor.name for sensor in _page(session, search="hall a ROOM")] == ["fixed-a"]
    cursor = paging.encode(two_cities["carried-b"].id)
    assert [sensor.name for sensor in _page(session, cursor=cursor, limit=1)] == ["fixed-a"]


def test_a_cursor_of_another_organisation_is_as_bad_as_an_invented_one(session, two_cities):
    for number in (two_cities["carried-a"].id, 9_999):
        with pytest.raises(paging.BadCursor):
            _page(session, two_cities["lee"], cursor=paging.encode(number))


def test_health_is_told_in_the_same_few_questions_however_many_there_are(session, vault, two_cities):
    for number in range(30):
        one = enrolment.enrol(session, vault, f"more-{number:02}")[0]
        one.info, one.info_s = {"boot": 2, "up_s": 60, "clock": "ntp"}, NOW_S
        session.add(SensorBoot(sensor_id=one.id, boot=1, upto=3, highest=7, first_received_s=1))
        session.add(SensorBoot(sensor_id=one.id, boot=2, upto=5, highest=5, zero_s=NOW_S - 58, first_received_s=1))
        for passed in (False, True):
            session.add(
                Selftest(
                    report_id=2 * number + passed, sensor_id=one.id, received_s=1, passed=passed, checks=[], took_ms=1
                )
            )
    session.flush()
    statements = []
    event.listen(session.get_bind(), "before_cursor_execute", lambda *values: statements.append(values[2]))

    found = _page(session, search="more")
    health = fleet.load_health(session, found)

    assert len(statements) == 4
    first = health[found[0].id]
    assert (first.gaps, present(first.selftest).passed, first.clock_error_s) == (1, True, 2)
    assert first.clock_error_s == fleet.load_clock_error_s(session, found[0])


def test_a_roll_out_and_a_moved_sensor_stand_in_the_log(session, two_cities):
    from server.services.audit import log

    enrolment.place(session, two_cities["carried-a"], session.get(Restroom, two_cities["A"].id), two_cities["kim"])
    release = rollout.add_release(session, "1.2.3", {"firmware/start.mpy": b"x"})
    made = rollout.begin(session, release, [two_cities["fixed-a"]], user=two_cities["boss"])
    rollout.stop(session, made, user=two_cities["boss"])

    told = [
        (entry.kind, present(personal)["by"]["name"]) for entry, personal in log.list_entries(session, limit=3).rows
    ]
    assert told == [("rollout.stopped", "Boss"), ("rollout.begun", "Boss"), ("sensor.placed", "kim")]
