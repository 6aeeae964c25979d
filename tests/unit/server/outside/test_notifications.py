"""Notices: the outbox, whom it concerns, when it goes, and what happens when it cannot."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from server import clock
from server.models import Delivery, LogEntry, Notice, Subscription, UserPlace
from server.services.errors import NotFound, Refused
from server.services.outside import notifications
from server.services.places import facilities, organisations
from server.services.sensors import enrolment
from tests.support.sensor_messages import Voice, heard

SEOUL = ZoneInfo("Asia/Seoul")
HOOK = "https://192.0.2.7/hook"


def at(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=SEOUL).timestamp())


@pytest.fixture
def subscribe(session, vault, kim):
    """A function that adds a subscription, of Kim's unless told otherwise."""

    def make(kinds=("finding_new",), target=HOOK, by=kim, **options):
        way = options.pop("way", "webhook")
        return notifications.subscribe(session, vault, by, "Duty", kinds, way, target, private_targets=True, **options)[
            0
        ]

    return make


@pytest.fixture
def stopped(monkeypatch):
    """A clock that stands; call it to set it."""
    now = [at("2026-11-24T12:00")]
    monkeypatch.setattr(clock, "now_s", lambda: now[0])

    def move(seconds):
        now[0] += seconds

    return move


def test_a_finding_that_alarms_is_told_once_with_its_place(session, pseudonyms, sensor, hall):
    sensor.restroom_id = hall.id
    session.flush()
    voice = Voice(sensor)

    heard(session, pseudonyms, voice.finds(), voice.finds(event="updated"))

    told = session.scalars(select(Notice)).all()
    assert [(one.kind, one.facility_id, one.facts["restroom"]) for one in told] == [
        ("finding_new", hall.facility_id, "Women's")
    ]
    assert not any(":" in str(value) for value in told[0].facts.values())


def test_a_sensor_that_falls_silent_is_told_once(session, sensor, hall):
    sensor.restroom_id, sensor.state, sensor.last_seen_s = hall.id, "ready", 1_800_000_000
    session.flush()

    for now_s in (1_800_000_299, 1_800_000_300, 1_800_000_400):
        enrolment.watch(session, now_s, 300)
    session.flush()

    told = session.scalars(select(Notice)).all()
    assert [(one.kind, one.subject, one.facility_id, one.facts) for one in told] == [
        ("sensor_silent", "hall-1", hall.facility_id, {"restroom": "Women's"})
    ]


def test_what_is_rolled_back_is_not_told(sessions):
    with pytest.raises(RuntimeError), sessions.begin() as session:
        notifications.enqueue(session, "finding_new", None, "x")
        raise RuntimeError
    with sessions() as session:
        assert session.scalars(select(Notice)).all() == []


def test_an_unknown_kind_is_our_own_mistake(session):
    with pytest.raises(ValueError, match="weather"):
        notifications.enqueue(session, "weather", None, "x")


def test_a_notice_goes_to_those_it_concerns_and_once(session, subscribe, hall):
    other = facilities.add(session, organisations.add(session, "Elsewhere"), "Depot")
    concerned = [
        subscribe(),
        subscribe(place=hall.facility),
        subscribe(place=hall.facility.organisation, kinds=("sensor_silent", "finding_new")),
    ]
    subscribe(place=other)
    subscribe(place=other.organisation)
    subscribe(kinds=("sensor_silent",))
    notifications.enqueue(session, "finding_new", hall.facility_id, "f1")

    notifications.spread(session, SEOUL)
    notifications.spread(session, SEOUL)

    assert sorted(session.scalars(select(Delivery.subscription_id))) == [one.id for one in concerned]


@pytest.mark.parametrize(
    "pace, quiet, told, goes",
    [
        ("at_once", None, "2026-11-24T03:30", "2026-11-24T03:30"),
        ("at_once", (22 * 60, 7 * 60), "2026-11-24T21:59", "2026-11-24T21:59"),
        ("at_once", (22 * 60, 7 * 60), "2026-11-24T22:00", "2026-11-25T07:00"),
        ("at_once", (22 * 60, 7 * 60), "2026-11-24T03:30", "2026-11-24T07:00"),
        ("at_once", (22 * 60, 7 * 60), "2026-11-24T07:00", "2026-11-24T07:00"),
        ("at_once", (12 * 60, 13 * 60), "2026-11-24T12:30", "2026-11-24T13:00"),
        ("hourly", None, "2026-11-24T12:10", "2026-11-24T13:00"),
        ("hourly", (13 * 60, 14 * 60), "2026-11-24T12:10", "2026-11-24T14:00"),
        ("daily", None, "2026-11-24T07:59", "2026-11-24T08:00"),
        ("daily", None, "2026-11-24T08:01", "2026-11-25T08:00"),
    ],
)
def test_it_goes_at_its_pace_and_not_in_quiet_hours(pace, quiet, told, goes):
    one = Subscription(pace=pace, quiet_from=quiet and quiet[0], quiet_to=quiet and quiet[1])

    assert notifications.due_s(one, at(told), SEOUL) == at(goes)


def test_a_try_that_fails_is_made_again_later_and_at_last_given_up(session, subscribe, stopped):
    subscribe()
    notifications.enqueue(session, "finding_new", None, "f1")
    notifications.spread(session, SEOUL)
    waits = []
    while taken := notifications.claim(session):
        notifications.settle(session, taken, "answered 503")
        session.flush()
        if taken[0].ended_s is None:
            waits.append(taken[0].due_s - clock.now_s())
            assert notifications.claim(session) == []
            stopped(waits[-1])

    one = session.scalar(select(Delivery))
    assert waits == list(notifications.PAUSES_S)
    assert (one.sent, one.error, one.tries) == (0, "answered 503", len(notifications.PAUSES_S) + 1)
    assert notifications.counts(session) == {"waiting": 0, "dead": 1}


def test_a_try_that_fails_is_not_made_again_in_quiet_hours(session, subscribe, stopped):
    one = subscribe()
    notifications.enqueue(session, "finding_new", None, "f1")
    notifications.spread(session, SEOUL)
    taken = notifications.claim(session)
    minute = (clock.now_s() + 9 * 3600) % 86400 // 60
    one.quiet_from, one.quiet_to = minute, (minute + 60) % 1440
    notifications.settle(session, taken, "answered 503", SEOUL)

    assert taken[0].due_s > clock.now_s() + 58 * 60


def test_what_was_given_up_can_be_tried_again_by_hand(session, subscribe, stopped, kim):
    subscribe()
    notifications.enqueue(session, "finding_new", None, "f1")
    notifications.spread(session, SEOUL)
    one = session.scalar(select(Delivery))
    one.ended_s = clock.now_s()

    notifications.again(session, kim, one.id)

    assert notifications.claim(session) == [one]


def test_a_process_that_dies_while_sending_leaves_it_to_be_sent_again(session, subscribe, stopped):
    subscribe()
    notifications.enqueue(session, "finding_new", None, "f1")
    notifications.spread(session, SEOUL)

    first = notifications.claim(session)
    assert notifications.claim(session) == []
    stopped(notifications.LEASE_S)

    assert notifications.claim(session) == first


def test_several_notices_go_together_and_of_one_subscription_only(session, subscribe, stopped):
    subscribe(kinds=("finding_new", "sensor_silent"))
    subscribe()
    for n in range(3):
        notifications.enqueue(session, "finding_new", None, f"f{n}")
    notifications.spread(session, SEOUL)

    assert [len(notifications.claim(session)) for _ in range(3)] == [3, 3, 0]


def test_the_address_is_sealed_and_only_its_host_is_shown(session, vault, kim):
    made, secret = notifications.subscribe(
        session,
        vault,
        kim,
        "Duty",
        ["finding_new"],
        "webhook",
        "https://192.0.2.7/very-secret?x=1",
        private_targets=True,
    )
    logged = session.scalar(select(LogEntry.body).where(LogEntry.kind == "subscription.made"))

    assert made.shown == "https://192.0.2.7" and "secret" not in logged and "192" not in logged
    assert b"very-secret" not in made.target_sealed and secret.encode() not in made.secret_sealed
    assert vault.unseal(made.target_sealed) == b"https://192.0.2.7/very-secret?x=1"


@pytest.mark.parametrize(
    "way, target, code",
    [
        ("webhook", "https://127.0.0.1/x", "target_private"),
        ("webhook", "https://[::1]/x", "target_private"),
        ("webhook", "https://[::ffff:10.0.0.1]/", "target_private"),
        ("webhook", "https://[64:ff9b::a00:1]/", "target_private"),
        ("webhook", "https://[2002:a00:1::]/", "target_private"),
        ("webhook", "https://169.254.169.254/latest/meta-data", "target_private"),
        ("webhook", "https://0x7f000001/", "target_private"),
        ("webhook", "https://2130706433/", "target_private"),
        ("webhook", "https://localhost/", "target_private"),
        ("webhook", "https://100.64.0.1/", "target_private"),
        ("webhook", "http://198.18.0.1/", "target_bad"),
        ("webhook", "http://8.8.8.8/", "target_bad"),
        ("webhook", "ftp://8.8.8.8/", "target_bad"),
        ("webhook", "https://u:p@8.8.8.8/", "target_bad"),
        ("webhook", "https://8.8.8.8:99999/", "target_bad"),
        ("webhook", "https://8.8.8.8/a b", "target_bad"),
        ("webhook", "https://8.8.8.8/\r\nHost: x", "target_bad"),
        ("webhook", "https://[bad/", "target_bad"),
        ("webhook", "", "target_bad"),
        ("apprise", "mailto://u:p@10.0.0.1", "target_private"),
        ("apprise", "mailto://u:p@8.8.8.8?smtp=localhost", "target_private"),
        ("apprise", "ntfy://127.0.0.1/topic", "target_private"),
        ("apprise", "file:///etc/passwd", "target_bad"),
        ("apprise", "json://8.8.8.8", "target_bad"),
        ("apprise", "syslog://", "target_bad"),
        ("apprise", "mailto://u:p@8.8.8.8, json://127.0.0.1", "target_bad"),
        ("apprise", "nonsense", "target_bad"),
    ],
)
def test_addresses_inside_and_addresses_of_other_kinds_are_refused(session, vault, kim, way, target, code):
    with pytest.raises(Refused) as refused:
        notifications.subscribe(session, vault, kim, "Duty", ["finding_new"], way, target)

    assert refused.value.code == code


def test_who_manages_one_building_subscribes_to_that_and_to_nothing_else(session, subscribe, kim, hall):
    kim.everywhere = False
    session.add(UserPlace(user_id=kim.id, facility_id=hall.facility_id))
    session.flush()

    mine = subscribe(place=hall.facility)
    alien = subscribe(by=None)
    for place in (None, hall.facility.organisation):
        with pytest.raises(NotFound):
            subscribe(place=place)

    assert notifications.subscriptions(session, kim) == [mine]
    with pytest.raises(NotFound):
        notifications.end(session, kim, alien.public_id)


def test_what_waits_for_a_subscription_that_ended_is_not_sent(session, subscribe, kim):
    one = subscribe()
    notifications.enqueue(session, "finding_new", None, "f1")
    notifications.spread(session, SEOUL)

    notifications.end(session, kim, one.public_id)
    session.flush()

    assert notifications.claim(session) == []


def test_old_notices_are_forgotten(session, subscribe, stopped):
    subscribe()
    notifications.enqueue(session, "finding_new", None, "f1")
    notifications.spread(session, SEOUL)
    stopped(notifications.KEPT_S + 1)

    assert notifications.forget(session) == 1
    assert session.scalars(select(Delivery)).all() == []
