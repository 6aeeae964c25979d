"""Notifications about the installation itself: ingest that is dead, and messages that could not be stored."""

import os

import pytest
from sqlalchemy import select

from server import create_app, notify
from server.models import Notification
from server.services.intake import dead_letters, heartbeat
from server.services.upkeep import readiness
from server.wording import notifications as wording


@pytest.fixture
def app(settings, sessions):
    app = create_app(settings)
    yield app
    app.extensions["sessions"].engine.dispose()


def enqueued(sessions, kind="not_ready"):
    with sessions() as session:
        return list(session.scalars(select(Notification.subject).where(Notification.kind == kind)))


def test_another_process_notices_that_ingest_is_dead(app, settings, sessions):
    watch, watched = notify.ReadinessWatch(app), range(0, notify.NOT_READY_AFTER_S * 3, notify.READY_EVERY_S)
    heartbeat.beat(settings.data)
    for now in watched:
        watch.look(now)
    assert enqueued(sessions) == []

    (settings.data / ".ingest").write_text("1")
    for now in watched:
        watch.look(now)
    assert enqueued(sessions) == ["ingest"]
    with app.test_request_context(headers={"Accept-Language": "en"}):
        assert "ingest process does not run" in wording.sentence("not_ready", "ingest", {}, "")


def test_a_short_interruption_and_an_ingest_elsewhere_are_no_problem(app, settings, sessions):
    watch = notify.ReadinessWatch(app)
    for now in range(0, 2000, notify.READY_EVERY_S):  # no file: ingest has never run on this machine
        watch.look(now)
    (settings.data / ".ingest").write_text("1")
    for now in range(3000, 3000 + notify.NOT_READY_AFTER_S, notify.READY_EVERY_S):
        watch.look(now)
    heartbeat.beat(settings.data)
    watch.look(3300)
    (settings.data / ".ingest").write_text("1")
    watch.look(3330)

    assert enqueued(sessions) == []


def test_a_full_disk_and_a_wrong_secret_are_noticed_too(app, sessions, monkeypatch):
    watch = notify.ReadinessWatch(app)
    monkeypatch.setattr(readiness, "list_problems", lambda *_: [readiness.DISK, readiness.SECRET])
    watch.look(0)
    watch.look(notify.NOT_READY_AFTER_S)

    assert sorted(enqueued(sessions)) == ["disk", "secret"]
    assert set(readiness.PROBLEMS) - {readiness.DATABASE} == set(wording.NOT_READY)


def test_without_a_database_nothing_fails(app, sessions, monkeypatch):
    watch = notify.ReadinessWatch(app)
    monkeypatch.setattr(readiness, "list_problems", lambda *_: [readiness.DATABASE])
    watch.look(0)
    watch.look(notify.NOT_READY_AFTER_S)

    assert enqueued(sessions) == [] and os.path.exists(app.extensions["settings"].data)


def test_a_message_that_could_not_be_stored_is_notified_once_a_day_and_sensor(session, sensor, hall):
    sensor.restroom_id = hall.id
    for _ in range(3):
        dead_letters.add(session, sensor.name, "ansim/1/x/report", "why", b"{}", 1_800_000_000)
    dead_letters.add(session, "unknown", "ansim/1/y/report", "why", b"{}", 1_800_000_000)

    rows = session.scalars(select(Notification).where(Notification.kind == "message_refused")).all()
    assert [(row.subject, row.facility_id) for row in rows] == [(sensor.name, hall.facility_id), ("unknown", None)]
