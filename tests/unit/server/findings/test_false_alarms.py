"""Known emitters, the same emitter elsewhere, and how often an alarm was false."""

import pytest
from sqlalchemy import select

from server import clock
from server.models import Finding, KnownEmitter, LogEntry
from server.models.findings import FALSE, KNOWN, NEIGHBOUR
from server.services.errors import NotFound, Refused
from server.services.findings import dispositions, false_alarms, findings, known_emitters
from server.services.inspecting import inspections
from server.services.places import restrooms
from tests.support.sensor_messages import NOW_S, Voice, heard

ADDRESS = "00:12:34:56:78:9a"
DAY_S = 86400


def refusal(call, *arguments, **named):
    with pytest.raises(Refused) as refused:
        call(*arguments, **named)
    return refused.value.code


@pytest.fixture(autouse=True)
def at_now(monkeypatch):
    monkeypatch.setattr(clock, "now_s", lambda: NOW_S)


@pytest.fixture
def voice(sensor):
    sensor.info = {"board": "esp32_devkit", "version": "0.1.0"}
    return Voice(sensor)


@pytest.fixture
def visit(session, pseudonyms, hall, kim, sensor, voice, monkeypatch):
    """A function that inspects a room and hears an emitter; returns the finding."""

    def inspect(room=hall, day=0, subject=ADDRESS, finish=True):
        now_s = NOW_S + day * DAY_S
        monkeypatch.setattr(clock, "now_s", lambda: now_s)
        one = inspections.start(session, room, kim, [sensor])
        voice.inspection = one.public_id
        heard(session, pseudonyms, voice.finds(at_s=now_s, subject=subject), now_s=now_s)
        if finish:
            inspections.finish(session, one, kim, "not_completed", "trial")
        return session.scalars(select(Finding).order_by(Finding.id.desc()).limit(1)).one()

    return inspect


def test_an_approved_emitter_closes_its_findings_until_it_is_withdrawn(session, visit, hall, kim):
    known = known_emitters.add(session, kim, hall.facility, ADDRESS.upper(), "CCTV", NEIGHBOUR, "seen with its owner")
    assert visit().status == "closed"

    known_emitters.withdraw(session, known, kim, "taken down")

    assert visit().status == "open"
    assert known_emitters.list_emitters(session, kim).rows == []
    assert (
        known_emitters.list_emitters(session, kim, state=known_emitters.WITHDRAWN).rows[0].emitter.withdrawn_by_id
        == kim.id
    )


def test_an_approval_ends_by_itself(session, visit, hall, kim):
    known_emitters.add(session, kim, hall.facility, ADDRESS, "CCTV", KNOWN, "seen", days=2)

    assert visit(day=1).status == "closed"
    assert visit(day=3).status == "open"
    assert [
        known_emitters.state_of(one, clock.now_s())
        for one, *_ in known_emitters.list_emitters(session, kim, state="expired").rows
    ] == ["expired"]


def test_renewing_is_a_new_entry_in_place_of_the_old_one(session, hall, kim):
    first = known_emitters.add(session, kim, hall.facility, ADDRESS, "CCTV", KNOWN, "seen", days=2)

    second = known_emitters.renew(session, first, kim, 365)

    assert [row.emitter.id for row in known_emitters.list_emitters(session, kim).rows] == [second.id]
    assert (second.address, second.label, second.expires_s) == (ADDRESS, "CCTV", NOW_S + 365 * DAY_S)
    assert refusal(known_emitters.renew, session, first, kim) == "emitter_withdrawn"


def test_a_bad_approval_is_refused(session, hall, kim):
    def add(address=ADDRESS, why="seen", days=365):
        return known_emitters.add(session, kim, hall.facility, address, "", KNOWN, why, days)

    assert refusal(add, "no address") == "address_bad"
    assert refusal(add, why=" ") == "reason_needed"
    assert refusal(add, days=0) == refusal(add, days=5000) == "expiry_bad"
    add()
    assert refusal(add) == "emitter_there"


def test_the_list_is_for_the_people_of_the_place(session, hall, kim):
    known = known_emitters.add(session, kim, hall.facility, ADDRESS, "", KNOWN, "seen")
    kim.everywhere = False
    session.flush()

    assert known_emitters.list_emitters(session, kim).rows == []
    for call in (
        lambda: known_emitters.withdraw(session, known, kim, "x"),
        lambda: known_emitters.load(session, kim, known.id),
    ):
        with pytest.raises(NotFound):
            call()


def test_the_log_holds_no_address(session, hall, kim):
    known_emitters.withdraw(
        session, known_emitters.add(session, kim, hall.facility, ADDRESS, "", KNOWN, "seen"), kim, "gone"
    )

    said = " ".join(entry.body for entry in session.query(LogEntry).filter(LogEntry.kind.startswith("emitter.")))
    assert ADDRESS not in said and "00:12:34" in said


def test_a_disposition_tells_the_list_which_finding_it_came_from(session, visit, kim):
    found = visit(finish=False)

    dispositions.dispose(session, found, kim, KNOWN, "the entrance's camera")

    assert session.query(KnownEmitter).one().finding_id == found.id


def test_the_same_emitter_is_seen_over_days_while_its_address_is_kept(session, visit, kim, pseudonyms, hall):
    other_room = restrooms.add(session, hall.facility, "Men's")
    first = visit(day=0)
    dispositions.dispose(session, first, kim, FALSE, "a baby monitor")  # its address is erased, its pseudonym stays
    second = visit(other_room, day=2)
    assert first.pseudonym != second.pseudonym

    assert findings.list_same_emitter(session, kim, second) == []
    assert [one.id for one in findings.list_same_emitter(session, kim, second, pseudonyms)] == [first.id]
    dispositions.dispose(session, second, kim, FALSE, "the monitor again")
    assert findings.list_same_emitter(session, kim, second, pseudonyms) == []


def test_what_is_on_the_list_is_the_same_for_as_long_as_it_is_there(session, visit, hall, kim, pseudonyms):
    known_emitters.add(session, kim, hall.facility, ADDRESS, "CCTV", KNOWN, "seen")
    first, second = visit(day=0), visit(day=40)

    assert [one.id for one in findings.list_same_emitter(session, kim, second, pseudonyms)] == [first.id]


def test_a_finding_elsewhere_is_not_told_to_people_of_another_place(session, visit, kim, pseudonyms, hall):
    other = restrooms.add(session, hall.facility, "Men's")
    visit()
    second = visit(other)
    assert findings.list_same_emitter(session, kim, second, pseudonyms)
    kim.everywhere = False
    session.flush()

    assert findings.list_same_emitter(session, kim, second, pseudonyms) == []
    assert not findings.may(session, kim, "see", second) and findings.list_findings(session, kim).rows == []


def test_the_course_over_visits_says_which_had_this_emitter(session, visit, kim, pseudonyms):
    first = visit(day=0)
    visit(day=1, subject="00:12:34:56:78:ff")
    third = visit(day=2)

    visits = findings.load_detail(session, kim, third, pseudonyms).visits

    assert [row.finding.id if row.finding else None for row in visits] == [third.id, None, first.id]
    assert [row.alarms for row in visits] == [1, 1, 1]


def test_rates_are_of_judged_alarms_by_model_version_and_site(session, visit, hall, kim, sensor):
    for kind in (FALSE, FALSE, NEIGHBOUR, None):
        found = visit()
        if kind:
            dispositions.dispose(session, found, kim, kind, "looked")
            session.query(KnownEmitter).delete() if kind != NEIGHBOUR else None
    sensor.info = {"board": "esp32_c3", "version": "0.2.0"}
    dispositions.dispose(session, visit(subject="00:12:34:56:78:ff"), kim, FALSE, "looked")

    rates = false_alarms.load_rates(session, kim, NOW_S, NOW_S + 1)

    total = rates.total
    assert (total.alarms, total.judged, total.false, total.neighbour, total.listed) == (5, 4, 3, 1, 1)
    assert (total.false_permille, total.innocent_permille, total.inspections) == (750, 1000, 5)
    by_model = {rate.subject: rate for rate in rates.by_model}
    assert by_model["esp32_devkit"].false_permille == 666 and by_model["esp32_c3"].false_permille == 1000
    assert {rate.subject: rate.alarms for rate in rates.by_version} == {"0.1.0": 4, "0.2.0": 1}
    (facility_rate,) = rates.by_facility
    assert facility_rate.subject is hall.facility and (facility_rate.alarms, facility_rate.inspections) == (5, 5)


def test_other_times_and_other_places_count_for_nothing(session, visit, kim):
    visit()
    for since_s, until_s in ((NOW_S + 1, NOW_S + 9), (NOW_S - 9, NOW_S)):
        total = false_alarms.load_rates(session, kim, since_s, until_s).total
        assert (total.alarms, total.inspections, total.false_permille, total.per_100) == (0, 0, None, None)
    kim.everywhere = False
    session.flush()

    assert false_alarms.load_rates(session, kim, 0, NOW_S * 2).total.alarms == 0
