import pytest

from server import throttling
from server.models import Sensor
from server.services.sensors import claims

ADDRESS = "/api/v1/claims"
ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
def code(app):
    throttling.limiter.reset()
    with app.extensions["sessions"].begin() as session:
        return claims.make(session, None)


def test_a_code_gives_a_key_once(app, code):
    client = app.test_client()

    answer = client.post(ADDRESS, json={"code": code, "device": "hall-7", "label": "Hall"})
    again = client.post(ADDRESS, json={"code": code, "device": "hall-8", "label": ""}, headers=ENGLISH)

    assert answer.status_code == 201 and len(bytes.fromhex(answer.json["key"])) == 32
    assert answer.headers["Cache-Control"] == "no-store"
    assert again.status_code == 403 and again.content_type == "application/problem+json"
    assert "claim code" in again.json["detail"]
    with app.extensions["sessions"]() as session:
        assert session.query(Sensor).filter_by(name="hall-7").one().label == "Hall"
        assert not session.query(Sensor).filter_by(name="hall-8").count()


def test_a_name_that_is_taken_leaves_the_code_good(app, code):
    client = app.test_client()

    taken = client.post(ADDRESS, json={"code": code, "device": "demo-1", "label": ""})

    assert taken.status_code == 409
    assert client.post(ADDRESS, json={"code": code, "device": "hall-7", "label": ""}).status_code == 201


def test_what_the_server_knows_of_the_broker_is_told(app, code, tmp_path):
    authority = tmp_path / "ca.pem"
    authority.write_text("-----BEGIN CERTIFICATE-----")
    settings = app.extensions["settings"]
    app.extensions["settings"] = settings.model_copy(
        update={"sensor_broker": "ansim.example", "sensor_port": 8883, "mqtt_ca": authority}
    )

    answer = app.test_client().post(ADDRESS, json={"code": code, "device": "hall-7"})

    assert answer.json["broker"] == "ansim.example" and answer.json["port"] == 8883
    assert answer.json["tls"] is True and answer.json["ca"].startswith("-----BEGIN")


@pytest.mark.parametrize(
    "body", ["", "[]", "{", '{"code": 5}', '{"code": null}', '"x"', '{"code": "' + "x" * 300 + '"}', "x" * 100_000]
)
def test_rubbish_is_refused(app, code, body):
    answer = app.test_client().post(ADDRESS, data=body, content_type="application/json")

    assert answer.status_code in (400, 403)


def test_guesses_are_throttled(app, code):
    client = app.test_client()

    answers = [client.post(ADDRESS, json={"code": f"{n:012}", "device": "x"}).status_code for n in range(15)]

    assert answers[:10] == [403] * 10 and answers[10:] == [429] * 5
    last = client.post(ADDRESS, json={"code": "0", "device": "x"})
    assert last.content_type == "application/problem+json" and last.json["code"] == "too_many"
    assert int(last.headers["Retry-After"]) > 0
