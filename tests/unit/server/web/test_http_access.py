"""A broker asks who may connect, publish and subscribe: requests in the format that EMQX documents."""

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from ansim import envelope
from server import clock
from server.models import Sensor

TOKEN = "0" * 64
HEADERS = {
    "Authorization": f"Bearer {TOKEN}",
    "Content-Type": "application/json",
    "Accept": "*/*",
    "User-Agent": "EMQX",
}


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"broker_token": SecretStr(TOKEN)})


@pytest.fixture
def sensor(app):
    """Name and broker password of an enrolled sensor."""
    with app.extensions["sessions"]() as session:
        row = session.scalars(select(Sensor).order_by(Sensor.id)).first()
        return row.name, envelope.broker_password(app.extensions["vault"].unseal(row.key_sealed))


@pytest.fixture
def ask(app):
    def send(what, headers=HEADERS, **fields):
        return app.test_client().post(f"/broker/{what}", json=fields, headers=headers)

    return send


def connect(ask, user, password, client_id):
    answer = ask("authenticate", username=user, password=password, clientid=client_id, peerhost="10.0.0.9")
    assert answer.status_code == 200 and answer.json["is_superuser"] is False
    return answer.json["result"]


def test_a_sensor_connects_with_its_password_and_its_own_client_id(app, ask, sensor):
    name, password = sensor

    assert connect(ask, name, password, name) == "allow"
    assert connect(ask, name, "0" * 64, name) == "deny"
    assert connect(ask, name, password, "another") == "deny"
    assert connect(ask, "nobody", password, "nobody") == "deny"
    assert connect(ask, name, None, name) == "deny"
    assert connect(ask, "a\0", "b", "a\0") == "deny"


def test_a_revoked_sensor_does_not_connect(app, ask, sensor):
    name, password = sensor
    with app.extensions["sessions"].begin() as session:
        session.scalars(select(Sensor).where(Sensor.name == name)).one().revoked_s = clock.now_s()

    assert connect(ask, name, password, name) == "deny"


def test_ingest_connects_and_reads_what_all_sensors_write(app, ask):
    password = app.extensions["vault"].service_password("_ingest")

    assert connect(ask, "_ingest", password, "_ingest-1") == "allow"
    for topic in ("ansim/1/+/report", "$share/reports/ansim/1/+/report"):
        assert ask("authorize", username="_ingest", action="subscribe", topic=topic).json == {"result": "allow"}
    assert ask("authorize", username="_ingest", action="publish", topic="ansim/1/hall/cmd").json["result"] == "allow"


@pytest.mark.parametrize(
    ("action", "topic", "result"),
    [
        ("publish", "ansim/1/{}/report", "allow"),
        ("subscribe", "ansim/1/{}/cmd", "allow"),
        ("publish", "ansim/1/{}/cmd", "deny"),
        ("publish", "ansim/1/other/report", "deny"),
        ("subscribe", "ansim/1/other/cmd", "deny"),
        ("subscribe", "ansim/1/+/report", "deny"),
        ("subscribe", "$share/reports/ansim/1/+/report", "deny"),
        ("subscribe", "#", "deny"),
        ("all", "ansim/1/{}/report", "deny"),
    ],
)
def test_a_sensor_has_its_own_topics_only(ask, sensor, action, topic, result):
    name, _ = sensor
    answer = ask("authorize", username=name, clientid=name, action=action, topic=topic.format(name), qos=1)

    assert answer.json == {"result": result}


def test_only_the_broker_may_ask(app, ask, sensor):
    name, password = sensor
    fields = {"username": name, "password": password, "clientid": name}

    assert ask("authenticate", headers={}, **fields).status_code == 403
    assert ask("authenticate", headers={"Authorization": "Bearer 1"}, **fields).status_code == 403
    assert app.test_client().post("/broker/authorize", data=b"[]", headers=HEADERS).status_code == 400
    assert app.test_client().post("/broker/authorize", data=b"{", headers=HEADERS).status_code == 400
    app.extensions["settings"] = app.extensions["settings"].model_copy(update={"broker_token": SecretStr("")})
    assert ask("authenticate", **fields).status_code == 404
