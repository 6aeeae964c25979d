"""Notifications: the outbox, which subscriptions cover them, due times, retries."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from server import clock
from server.models import Delivery, LogEntry, Notification, Subscription, UserPlace
from server.services.errors import NotFound, Refused
from server.services.outside import delivery_queue, notifications, subscriptions
from server.services.people import accounts
from server.services.places import facilities, organisations
from server.services.sensors import sensor_status
from tests.support.sensor_messages import Voice, heard
from tests.support.values import present

SEOUL = ZoneInfo("Asia/Seoul")
HOOK = "https://192.0.2.7/hook"


def at(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=SEOUL).timestamp())


@pytest.fixture
def subscribe(session, vault, kim):
    """A function that adds a subscription, by default one of Kim's."""

    def make(kinds=("finding_new",), target=HOOK, by=kim, **options):
        way = options.pop("way", "webhook")
        subscription, _ = subscriptions.subscribe(
            session, vault, by, "Duty", kinds, way, target, private_targets=True, **options
        )
        return subscription

    return make


@pytest.fixture
def stopped_clock(monkeypatch):
    """A stopped clock. Call it with seconds to advance it."""
    now = [at("2026-11-24T12:00")]
    monkeypatch.setattr(clock, "now_s", lambda: now[0])

    def advance(seconds):
        now[0] += seconds

    return advance


def test_an_alarm_enqueues_one_notification_with_its_place(session, pseudonyms, sensor, hall):
    sensor.restroom_id = hall.id
    session.flush()
    voice = Voice(sensor)

    heard(session, pseudonyms, voice.finds(), voice.finds(event="updated"))

    rows = session.scalars(select(Notification)).all()
    assert [(row.kind, row.facility_id, row.facts["restroom"]) for row in rows] == [
        ("finding_new", hall.facility_id, "Women's")
    ]
    assert not any(":" in str(value) for value in rows[0].facts.values())


def test_a_silent_sensor_enqueues_one_notification(session, sensor, hall):
    sensor.restroom_id, sensor.state, sensor.last_seen_s = hall.id, "ready", 1_800_000_000
    session.flush()

    for now_s in (1_800_000_299, 1_800_000_300, 1_800_000_400):
        sensor_status.SilenceDetector().detect(session, now_s, 300)
    session.flush()

    rows = session.scalars(select(Notification)).all()
    assert [(row.kind, row.subject, row.facility_id, row.facts) for row in rows] == [
        ("sensor_silent", "hall-1", hall.facility_id, {"restroom": "Women's"})
    ]


def test_a_rolled_back_transaction_enqueues_nothing(sessions):
    with pytest.raises(RuntimeError), sessions.begin() as session:
        notifications.enqueue(session, "finding_new", None, "x")
        raise RuntimeError
    with sessions() as session:
        assert session.scalars(select(Notification)).all() == []


def test_an_unknown_kind_is_a_programming_error(session):
    with pytest.raises(ValueError, match="weather"):
        notifications.enqueue(session, "weather", None, "x")


def test_a_notification_is_delivered_once_to_each_subscription_that_covers_it(session, subscribe, hall):
    other = facilities.add(session, organisations.add(session, "Elsewhere"), "Depot")
    covering = [
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

    assert sorted(session.scalars(select(Delivery.subscription_id))) == [subscription.id for subscription in covering]


@pytest.mark.parametrize(
    "pace, quiet, at_local, due_local",
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
def test_the_due_time_follows_pace_and_quiet_hours(pace, quiet, at_local, due_local):
    subscription = Subscription(pace=pace, quiet_from=quiet and quiet[0], quiet_to=quiet and quiet[1])

    assert subscriptions.due_s(subscription, at(at_local), SEOUL) == at(due_local)


def test_a_failed_delivery_is_retried_with_pauses_and_then_given_up(session, subscribe, stopped_clock):
    subscribe()
    notifications.enqueue(session, "finding_new", None, "f1")
    notifications.spread(session, SEOUL)
    waits = []
    while claimed := delivery_queue.claim(session):
        delivery_queue.settle(session, claimed, "answered 503")
        session.flush()
        if claimed[0].ended_s is None:
            waits.append(claimed[0].due_s - clock.now_s())
            assert delivery_queue.claim(session) == []
            stopped_clock(waits[-1])

    delivery = session.scalar(select(Delivery))
    assert waits == list(delivery_queue.PAUSES_S)
    assert (delivery.sent, delivery.error, delivery.tries) == (0, "answered 503", len(delivery_queue.PAUSES_S) + 1)
    assert delivery_queue.count_deliveries(session) == {"waiting": 0, "dead": 1}


def test_no_retry_falls_into_quiet_hours(session, subscribe, stopped_clock):
    subscription = subscribe()
    notifications.enqueue(session, "finding_new", None, "f1")
    notifications.spread(session, SEOUL)
    claimed = delivery_queue.claim(session)
    minute = (clock.now_s() + 9 * 3600) % 86400 // 60
    subscription.quiet_from, subscription.quiet_to = minute, (minute + 60) % 1440
    delivery_queue.settle(session, claimed, "answered 503", SEOUL)

    assert claimed[0].due_s > clock.now_s() + 58 * 60


def test_a_delivery_that_was_given_up_can_be_retried(session, subscribe, stopped_clock, kim):
    subscribe()
    notifications.enqueue(session, "finding_new", None, "f1")
    notifications.spread(session, SEOUL)
    delivery = session.scalar(select(Delivery))
    delivery.ended_s = clock.now_s()

    delivery_queue.retry(session, kim, delivery.id)

    assert delivery_queue.claim(session) == [delivery]


def test_an_expired_lease_is_claimed_again(session, subscribe, stopped_clock):
    subscribe()
    notifications.enqueue(session, "finding_new", None, "f1")
    notifications.spread(session, SEOUL)

    first = delivery_queue.claim(session)
    assert delivery_queue.claim(session) == []
    stopped_clock(delivery_queue.LEASE_S)

    assert delivery_queue.claim(session) == first


def test_a_claim_is_a_batch_of_one_subscription(session, subscribe, stopped_clock):
    subscribe(kinds=("finding_new", "sensor_silent"))
    subscribe()
    for n in range(3):
        notifications.enqueue(session, "finding_new", None, f"f{n}")
    notifications.spread(session, SEOUL)

    assert [len(delivery_queue.claim(session)) for _ in range(3)] == [3, 3, 0]


def test_the_address_is_sealed_and_only_its_host_is_shown(session, vault, kim):
    subscription, secret = subscriptions.subscribe(
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

    assert subscription.shown == "https://192.0.2.7" and "secret" not in logged and "192" not in logged
    assert b"very-secret" not in subscription.target_sealed
    assert present(secret).encode() not in present(subscription.secret_sealed)
    assert vault.unseal(subscription.target_sealed) == b"https://192.0.2.7/very-secret?x=1"


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
def test_private_addresses_and_other_schemes_are_refused(session, vault, kim, way, target, code):
    with pytest.raises(Refused) as refused:
        subscriptions.subscribe(session, vault, kim, "Duty", ["finding_new"], way, target)

    assert refused.value.code == code


def test_a_manager_of_one_facility_subscribes_only_to_it(session, subscribe, kim, hall):
    kim.everywhere = False
    session.add(UserPlace(user_id=kim.id, facility_id=hall.facility_id))
    session.flush()

    own = subscribe(place=hall.facility)
    foreign = subscribe(by=accounts.SYSTEM)
    for place in (None, hall.facility.organisation):
        with pytest.raises(NotFound):
            subscribe(place=place)

    assert subscriptions.list_subscriptions(session, kim) == [own]
    with pytest.raises(NotFound):
        subscriptions.end(session, kim, foreign.public_id)


def test_ending_a_subscription_cancels_its_deliveries(session, subscribe, kim):
    subscription = subscribe()
    notifications.enqueue(session, "finding_new", None, "f1")
    notifications.spread(session, SEOUL)

    subscriptions.end(session, kim, subscription.public_id)
    session.flush()

    assert delivery_queue.claim(session) == []


def test_old_notifications_are_deleted(session, subscribe, stopped_clock):
    subscribe()
    notifications.enqueue(session, "finding_new", None, "f1")
    notifications.spread(session, SEOUL)
    stopped_clock(notifications.KEPT_S + 1)

    assert notifications.delete_old(session) == 1
    assert session.scalars(select(Delivery)).all() == []
