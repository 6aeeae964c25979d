"""Webhooks, sent to a real HTTP server on this machine."""

import hashlib
import hmac
import json

import pytest
from sqlalchemy import select

from server import create_app, notify
from server.models import Delivery, Facility, Subscription
from server.services.outside import notifications, subscriptions, webhooks
from server.services.people import accounts
from server.services.places import facilities, organisations


@pytest.fixture
def app(settings):
    app = create_app(settings.model_copy(update={"notice_private": True, "public_url": "https://ansim.example"}))
    yield app
    app.extensions["sessions"].engine.dispose()


@pytest.fixture
def webhook_secret(app, receiver):
    """The secret of a subscription to the receiver."""
    with app.extensions["sessions"].begin() as session:
        facilities.add(session, organisations.add(session, "City"), "시청", "City Hall")
        target = f"http://127.0.0.1:{receiver.server_port}/hook?x=1"
        kinds = ("finding_new", "inspection_overdue", "sensor_silent", "chain_broken")
        vault = app.extensions["vault"]
        _, secret = subscriptions.subscribe(
            session, vault, accounts.SYSTEM, "Duty", kinds, "webhook", target, language="en", private_targets=True
        )
    return secret


def enqueue(app, *rows):
    with app.extensions["sessions"].begin() as session:
        facility = session.scalar(select(Facility))
        for kind, facts in rows:
            notifications.enqueue(session, kind, facility.id, "abc", **facts)


def test_a_webhook_is_signed_and_holds_the_notifications(app, receiver, webhook_secret):
    enqueue(app, ("finding_new", {"detector": "camera_stream", "restroom": "1F"}), ("inspection_overdue", {"count": 2}))

    assert notify.tick(app) == 2 and notify.tick(app) == 0

    (path, headers, body) = receiver.requests[0]
    stamp, _, signature = headers[webhooks.SIGNATURE_HEADER].partition(",v1=")
    expected = hmac.new(
        webhook_secret.encode(), stamp.removeprefix("t=").encode() + b"." + body, hashlib.sha256
    ).hexdigest()
    assert path == "/hook?x=1" and hmac.compare_digest(signature, expected)
    rows = json.loads(body)["notices"]
    assert [row["kind"] for row in rows] == ["finding_new", "inspection_overdue"]
    assert rows[0]["text"].startswith("City Hall, 1F: Camera-like video stream")
    assert rows[0]["page"] == "https://ansim.example/findings/abc" and "2 restrooms are overdue" in rows[1]["text"]


@pytest.mark.parametrize("status", [500, 404, 302])
def test_an_error_status_is_recorded_and_no_redirect_is_followed(app, receiver, webhook_secret, status):
    enqueue(app, ("sensor_silent", {}))
    receiver.answers = [status]

    notify.tick(app)

    with app.extensions["sessions"]() as session:
        delivery = session.scalar(select(Delivery))
        assert (delivery.error, delivery.sent, delivery.tries, delivery.ended_s) == (f"answered {status}", 0, 1, None)
    assert len(receiver.requests) == 1


def test_a_private_target_is_refused_at_sending_too(app, receiver, webhook_secret):
    app.extensions["settings"] = app.extensions["settings"].model_copy(update={"notice_private": False})
    enqueue(app, ("sensor_silent", {}))

    notify.tick(app)

    with app.extensions["sessions"]() as session:
        assert session.scalar(select(Delivery)).error == "the address may not be sent to"
    assert receiver.requests == []


def test_the_reason_for_a_refused_connection_does_not_hold_the_address(app, receiver, webhook_secret):
    receiver.shutdown()
    receiver.server_close()
    enqueue(app, ("sensor_silent", {}))

    notify.tick(app)

    with app.extensions["sessions"]() as session:
        assert session.scalar(select(Delivery)).error == "no connection"


def test_a_broken_log_is_notified_once_a_day(app, receiver, webhook_secret):
    sessions = app.extensions["sessions"]
    with sessions.begin() as session:
        session.connection().exec_driver_sql("DROP TRIGGER log_entry_no_update")
        session.connection().exec_driver_sql("UPDATE log_entry SET subject = 'forged' WHERE n = 1")

    notify.verify_log(sessions, app.extensions["settings"])
    notify.verify_log(sessions, app.extensions["settings"])
    notify.tick(app)

    rows = json.loads(receiver.requests[0][2])["notices"]
    assert [(row["kind"], row["facts"]["entry"]) for row in rows] == [("chain_broken", 1)]


def test_the_text_is_in_the_subscription_s_language(app, receiver, webhook_secret):
    enqueue(app, ("finding_new", {"detector": "camera_stream"}))
    with app.extensions["sessions"].begin() as session:
        session.scalar(select(Subscription)).language = "ko"

    notify.tick(app)

    assert json.loads(receiver.requests[0][2])["notices"][0]["text"].startswith("시청: ")
