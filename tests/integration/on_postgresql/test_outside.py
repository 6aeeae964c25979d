"""Reports, notifications, idempotency keys and backups on PostgreSQL: mostly the unit tests, run on this database."""

import pytest
from sqlalchemy import func, select

from server import db, vault
from server.config import Settings
from server.models import Delivery, KeptAnswer, Restroom, Sensor
from server.services import idempotency
from server.services.audit import edit_conflicts, log, verification
from server.services.errors import ChangedMeanwhile, Refused
from server.services.findings.pseudonyms import Pseudonyms
from server.services.outside import delivery_queue, notifications, subscriptions
from server.services.people import accounts
from server.services.sensors import enrolment
from server.services.upkeep import backup
from tests.unit.server.conftest import empty_database, hall, hashed, kim, real_hasher  # noqa: F401
from tests.unit.server.outside import test_notifications
from tests.unit.server.reporting import test_half_years
from tests.unit.server.upkeep import test_backup

pytestmark = pytest.mark.postgresql

mens, depot, subscribe = test_half_years.mens, test_half_years.depot, test_notifications.subscribe
stopped_clock, lived_in = test_notifications.stopped_clock, test_backup.lived_in


@pytest.fixture(name="vault")
def vault_(settings):
    return vault.open_vault(settings)


@pytest.fixture
def pseudonyms(vault):
    return Pseudonyms(vault)


@pytest.fixture
def sensor(session, vault):
    return enrolment.enrol(session, vault, "hall-1", "First")[0]


test_inspections = test_half_years.test_inspections_are_counted_by_method_and_by_the_result_that_counts
test_alarms = test_half_years.test_alarms_are_counted_by_what_people_made_of_them
test_rows = test_half_years.test_the_rows_go_one_step_deeper_each_time
test_law = test_half_years.test_the_law_asks_for_two_a_year_so_one_in_half_a_year
test_places = test_half_years.test_a_person_s_report_holds_their_places_and_no_others
test_whom = test_notifications.test_a_notification_is_delivered_once_to_each_subscription_that_covers_it
test_tries = test_notifications.test_a_failed_delivery_is_retried_with_pauses_and_then_given_up


def test_two_notifying_processes_take_different_notices(sessions, vault, hashed):  # noqa: F811
    with sessions.begin() as session:
        for name in ("one", "two"):
            subscriptions.subscribe(
                session,
                vault,
                accounts.SYSTEM,
                name,
                ["finding_new"],
                "webhook",
                "https://192.0.2.1/",
                private_targets=True,
            )
        notifications.enqueue(session, "finding_new", None, "f1")
        notifications.spread(session, test_notifications.SEOUL)

    with sessions.begin() as first, sessions.begin() as second:
        taken = [one.subscription_id for one in delivery_queue.claim(first)]
        assert delivery_queue.claim(second) == []  # what is left to it is locked; the next look gets it
    with sessions.begin() as session:
        then = [one.subscription_id for one in delivery_queue.claim(session)]
        assert len(taken) == len(then) == 1 and taken != then
        assert session.scalar(select(func.count(Delivery.id))) == 2


def test_a_key_is_one_person_s_and_one_request_s(session, kim):  # noqa: F811
    kept = idempotency.begin(session, kim, "k", "0" * 64)
    kept.status = 201
    session.flush()

    assert idempotency.begin(session, kim, "k", "0" * 64).status == 201
    with pytest.raises(Refused, match="key_reused"):
        idempotency.begin(session, kim, "k", "1" * 64)
    assert session.scalar(select(func.count(KeptAnswer.id))) == 1


def test_an_installation_moves_from_one_database_to_the_other_and_back(lived_in, database, tmp_path):
    before = test_backup.rows_of(lived_in)
    to_sqlite = Settings(data=tmp_path / "sqlite")
    to_postgresql = Settings(data=tmp_path / "postgresql", database_url=database())

    backup.make(lived_in, tmp_path / "1.tar.gz", with_secret=True)
    there = backup.restore(to_sqlite, tmp_path / "1.tar.gz")
    backup.make(to_sqlite, tmp_path / "2.tar.gz", with_secret=True)
    back = backup.restore(to_postgresql, tmp_path / "2.tar.gz")

    for made, done in ((to_sqlite, there), (to_postgresql, back)):
        assert test_backup.rows_of(made) == before
        assert (done.keys, done.problem) == (True, None)
    sessions = db.open_sessions(to_postgresql.url())
    with sessions.begin() as session:
        # Row numbers go on behind those that came.
        session.add(Restroom(facility_id=session.scalar(select(Restroom.facility_id)), name="New", created_s=1))
        session.flush()
        enrolment.enrol(session, vault.open_vault(to_postgresql), "new-1")
        assert session.scalar(select(func.count(Sensor.id))) == 4
        assert verification.verify(session).problem is None
    sessions.engine.dispose()


def test_a_form_is_claimed_once_and_a_released_one_again(sessions):
    with sessions.begin() as session:
        user_id = accounts.add_user(session, "claims", "Claims", accounts.MANAGER)[0].id

    assert idempotency.claim(sessions, user_id, "form x", 0) is None
    waiting = idempotency.claim(sessions, user_id, "form x", 0)
    assert waiting is not None and waiting.status == 0
    idempotency.release(sessions, user_id, "form x")
    assert idempotency.claim(sessions, user_id, "form x", 0) is None
    idempotency.keep(sessions, user_id, "form x", 302, "/places")
    done = idempotency.claim(sessions, user_id, "form x", 5)
    assert done is not None and (done.status, done.location) == (302, "/places")


def test_a_change_of_somebody_else_is_refused(sessions):
    with sessions.begin() as session:
        first, second = (accounts.add_user(session, name, name, accounts.MANAGER)[0] for name in ("one", "two"))
        seen_n = log.add(session, "restroom.changed", "room-1", {}, first).n
    with sessions.begin() as session:
        log.add(session, "restroom.changed", "room-1", {"name": "theirs"}, second)

    with pytest.raises(ChangedMeanwhile) as refused, edit_conflicts.form(seen_n), sessions.begin() as session:
        log.add(session, "restroom.changed", "room-1", {"name": "mine"}, first)
    assert [(change.by, change.body) for change in refused.value.changes] == [("two", {"name": "theirs"})]
    with edit_conflicts.form(seen_n + 1) as form, sessions.begin() as session:
        log.add(session, "restroom.changed", "room-1", {"name": "mine"}, first)
    assert form.committed
