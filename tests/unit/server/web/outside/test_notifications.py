"""The notifications page: subscriptions, the key that is shown once, failed deliveries."""

import pytest
from sqlalchemy import select

from server import create_app
from server.models import Delivery, Notification, Subscription
from server.services.outside import notifications

GOOD = {
    "name": "Duty",
    "kinds": ["finding_new", "chain_broken"],
    "place": "",
    "way": "webhook",
    "target": "https://192.0.2.7/secret-path",
    "pace": "at_once",
    "language": "en",
    "quiet_from": "22:00",
    "quiet_to": "7:30",
}


@pytest.fixture
def settings(settings):
    """192.0.2.x is a documentation address; it counts as private."""
    return settings.model_copy(update={"notice_private": True})


def test_a_webhook_s_key_is_shown_once_and_its_address_never(sign_in, post, app):
    client = sign_in("manager")

    answer = post(client, "/notices/new", GOOD, follow=False)

    with app.extensions["sessions"]() as session:
        subscription = session.scalar(select(Subscription))
        secret = app.extensions["vault"].unseal(subscription.secret_sealed).decode()
    assert secret in answer.text and (subscription.quiet_from, subscription.quiet_to) == (22 * 60, 7 * 60 + 30)
    page = client.get("/notices").text
    assert "Duty" in page and "https://192.0.2.7" in page and "quiet from 22:00 to 07:30" in page
    assert "secret-path" not in page and secret not in page


@pytest.mark.parametrize(
    "change, words",
    [
        ({"kinds": []}, "at least one thing"),
        ({"name": " "}, "give it a name"),
        ({"target": "nonsense"}, "cannot be used"),
        ({"way": "pigeon"}, "cannot be used"),
        ({"way": "apprise", "target": "file:///etc/passwd"}, "cannot be used"),
        ({"quiet_to": ""}, "two different times"),
        ({"quiet_to": "25:00"}, "two different times"),
        ({"quiet_to": "22:00"}, "two different times"),
    ],
)
def test_an_invalid_subscription_is_refused_with_the_reason(sign_in, post, app, change, words):
    answer = post(sign_in("manager"), "/notices/new", {**GOOD, **change})

    assert words in answer.text
    with app.extensions["sessions"]() as session:
        assert session.scalar(select(Subscription)) is None


def test_a_private_address_is_refused_unless_the_settings_allow_it(settings, sign_in, post, app):
    app.extensions["settings"] = settings.model_copy(update={"notice_private": False})

    answer = post(sign_in("manager"), "/notices/new", {**GOOD, "target": "https://127.0.0.1/"})

    assert "ANSIM_NOTICE_PRIVATE" in answer.text


def test_a_subscription_can_be_ended_once(sign_in, post, app):
    client = sign_in("manager")
    post(client, "/notices/new", GOOD)
    with app.extensions["sessions"]() as session:
        public_id = session.scalar(select(Subscription.public_id))

    assert "No notifications yet" in post(client, f"/notices/{public_id}/end", page="/notices").text
    assert post(client, f"/notices/{public_id}/end", page="/notices").status_code == 404


def test_a_failed_delivery_is_shown_with_its_reason_and_can_be_retried(sign_in, post, app):
    client = sign_in("manager")
    post(client, "/notices/new", GOOD)
    with app.extensions["sessions"].begin() as session:
        notification = notifications.enqueue(session, "finding_new", None, "x", detector="camera_stream")
        session.flush()
        delivery = Delivery(
            notice_id=notification.id,
            subscription_id=session.scalar(select(Subscription.id)),
            due_s=0,
            tries=8,
            error="no answer in time",
            ended_s=notification.at_s,
        )
        session.add(delivery)
        session.flush()
        number = delivery.id

    page = client.get("/notices").text
    assert "no answer in time" in page and "Given up" in page and "8 tries" in page
    assert "tried again within seconds" in post(client, f"/notices/deliveries/{number}/again", page="/notices").text
    with app.extensions["sessions"]() as session:
        assert session.get(Delivery, number).ended_s is None
        assert session.scalar(select(Notification.kind)) == "finding_new"


def test_an_inspector_may_not_see_the_page(sign_in):
    assert sign_in("inspector").get("/notices").status_code == 403


def test_the_commands_are_there(settings):
    commands = create_app(settings).cli.commands

    assert {"notify", "export", "backup", "restore"} <= set(commands)
