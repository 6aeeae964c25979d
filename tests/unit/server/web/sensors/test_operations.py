"""Commands from the page of a sensor."""

import base64
import hashlib

import pytest
from sqlalchemy import select

from ansim import messages, signatures
from server.models import Command, LogEntry

SENSOR = "/sensors/demo-1"


@pytest.fixture
def sent(app):
    """A function that returns [(name, args), ...] of the commands sent so far."""

    def load():
        with app.extensions["sessions"]() as session:
            return [(command.name, command.args) for command in session.scalars(select(Command).order_by(Command.id))]

    return load


@pytest.mark.parametrize(
    "path, form, command",
    [
        ("/dwell", {"channel": "6", "seconds": "90"}, (messages.DWELL, {"channel": 6, "seconds": 90})),
        ("/test-signal", {}, (messages.TEST_SIGNAL, {})),
        (
            "/settings",
            {"upload_every_s": "30", "always_listen": "no", "channels": "1, 6 11"},
            (messages.SETTINGS, {"changes": {"upload_every_s": 30, "always_listen": False, "channels": [1, 6, 11]}}),
        ),
        ("/wipe", {"really": "yes"}, (messages.WIPE, {"device": "demo-1"})),
    ],
)
def test_a_button_sends_its_command(sign_in, post, sent, path, form, command):
    page = post(sign_in("manager"), SENSOR + path, form, page=SENSOR)

    assert page.status_code == 200 and sent() == [command]


@pytest.mark.parametrize(
    "path, form, text",
    [
        ("/dwell", {"channel": "15", "seconds": "90"}, "1 to 13"),
        ("/dwell", {"channel": "6", "seconds": "x"}, "1 to 600 seconds"),
        ("/settings", {"upload_every_s": ""}, "fill in at least one"),
        ("/settings", {"upload_every_s": "often", "channels": "1 99"}, "upload_every_s, channels"),
        ("/wipe", {}, "tick the box"),
    ],
)
def test_a_value_that_no_sensor_takes_is_refused_with_its_name(sign_in, post, sent, path, form, text):
    page = post(sign_in("manager"), SENSOR + path, form, page=SENSOR)

    assert text in page.text and sent() == []


def test_settings_and_erasing_are_in_the_log(app, sign_in, post):
    client = sign_in("manager")
    post(client, SENSOR + "/settings", {"keepalive_s": "20"}, page=SENSOR)
    post(client, SENSOR + "/wipe", {"really": "yes"}, page=SENSOR)

    with app.extensions["sessions"]() as session:
        kinds = session.scalars(select(LogEntry.kind).where(LogEntry.subject == "demo-1")).all()
    assert {"sensor.settings", "sensor.wiped"} <= set(kinds)


def test_the_tables_arrive_whole_and_signed_for_the_sensor(app, sign_in, post, sent):
    post(sign_in("manager"), SENSOR + "/tables", {}, page=SENSOR)

    parts = [args for name, args in sent() if name == messages.SIGNATURES]
    for table in signatures.NAMES.values():
        rows = [args for args in parts if args["table"] == table]
        data = b"".join(base64.b64decode(args["data"]) for args in rows)
        assert rows[0]["offset"] == 0 and len(data) == rows[0]["bytes"]
        assert hashlib.sha256(data).hexdigest() == rows[0]["sha256"]


@pytest.mark.parametrize("path", ["/settings", "/tables", "/wipe"])
def test_an_inspector_changes_nothing_for_good(sign_in, post, sent, path):
    client = sign_in("inspector")

    assert post(client, SENSOR + path, {"really": "yes", "keepalive_s": "20"}, page=SENSOR).status_code == 403
    assert sent() == []
