"""What goes out as a webhook, to a real HTTP server on this machine."""

import hashlib
import hmac
import http.server
import json
import threading

import pytest
from sqlalchemy import select

from server import create_app, notify
from server.models import Delivery, Facility, Subscription
from server.services.outside import notifications, webhooks
from server.services.places import facilities, organisations


class _Receiver(http.server.BaseHTTPRequestHandler):
    """Keeps what is posted; answers what the test says."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 204)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)
    server.got, server.answers = [], []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def app(settings):
    made = create_app(settings.model_copy(update={"notice_private": True, "public_url": "https://ansim.example"}))
    yield made
    made.extensions["sessions"].engine.dispose()


@pytest.fixture
def hooked(app, receiver):
    """The secret of a subscription to the receiver."""
    with app.extensions["sessions"].begin() as session:
        facilities.add(session, organisations.add(session, "City"), "시청", "City Hall")
        target = f"http://127.0.0.1:{receiver.server_port}/hook?x=1"
        kinds = ("finding_new", "inspection_overdue", "sensor_silent", "chain_broken")
        vault = app.extensions["vault"]
        _, secret = notifications.subscribe(
            session, vault, None, "Duty", kinds, "webhook", target, language="en", private_targets=True
        )
    return secret


def told(app, *rows):
    with app.extensions["sessions"].begin() as session:
        facility = session.scalar(select(Facility))
        for kind, facts in rows:
            notifications.enqueue(session, kind, facility.id, "abc", **facts)


def test_a_webhook_is_signed_and_says_what_happened(app, receiver, hooked):
    told(app, ("finding_new", {"detector": "camera_stream", "restroom": "1F"}), ("inspection_overdue", {"count": 2}))

    assert notify.tick(app) == 2 and notify.tick(app) == 0

    (path, headers, body) = receiver.got[0]
    stamp, _, signature = headers[webhooks.SIGNATURE_HEADER].partition(",v1=")
    wanted = hmac.new(hooked.encode(), stamp.removeprefix("t=").encode() + b"." + body, hashlib.sha256).hexdigest()
    assert path == "/hook?x=1" and hmac.compare_digest(signature, wanted)
    rows = json.loads(body)["notices"]
    assert [row["kind"] for row in rows] == ["finding_new", "inspection_overdue"]
    assert rows[0]["text"].startswith("City Hall, 1F: Camera-like video stream")
    assert rows[0]["page"] == "https://ansim.example/findings/abc" and "2 restrooms are overdue" in rows[1]["text"]


@pytest.mark.parametrize("status", [500, 404, 302])
def test_an_answer_that_is_not_good_is_noted_and_no_redirect_is_followed(app, receiver, hooked, status):
    told(app, ("sensor_silent", {}))
    receiver.answers = [status]

    notify.tick(app)

    with app.extensions["sessions"]() as session:
        one = session.scalar(select(Delivery))
        assert (one.error, one.sent, one.tries, one.ended_s) == (f"answered {status}", 0, 1, None)
    assert len(receiver.got) == 1


def test_without_leave_the_same_target_is_not_sent_to(app, receiver, hooked):
    app.extensions["settings"] = app.extensions["settings"].model_copy(update={"notice_private": False})
    told(app, ("sensor_silent", {}))

    notify.tick(app)

    with app.extensions["sessions"]() as session:
        assert session.scalar(select(Delivery)).error == "the address may not be sent to"
    assert receiver.got == []


def test_nobody_listening_is_a_reason_without_the_address(app, receiver, hooked):
    receiver.shutdown()
    receiver.server_close()
    told(app, ("sensor_silent", {}))

    notify.tick(app)

    with app.extensions["sessions"]() as session:
        assert session.scalar(select(Delivery)).error == "no connection"


def test_a_broken_log_is_told_once_a_day(app, receiver, hooked):
    sessions = app.extensions["sessions"]
    with sessions.begin() as session:
        session.connection().exec_driver_sql("DROP TRIGGER log_entry_no_update")
        session.connection().exec_driver_sql("UPDATE log_entry SET subject = 'forged' WHERE n = 1")

    notify.check_log(sessions)
    notify.check_log(sessions)
    notify.tick(app)

    rows = json.loads(receiver.got[0][2])["notices"]
    assert [(row["kind"], row["facts"]["entry"]) for row in rows] == [("chain_broken", 1)]


def test_korean_is_told_in_korean(app, receiver, hooked):
    told(app, ("finding_new", {"detector": "camera_stream"}))
    with app.extensions["sessions"].begin() as session:
        session.scalar(select(Subscription)).language = "ko"

    notify.tick(app)

    assert json.loads(receiver.got[0][2])["notices"][0]["text"].startswith("시청: ")
