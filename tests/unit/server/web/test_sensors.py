"""The pages of the sensors."""

from sqlalchemy import select

from server.models import Command


def test_the_list_says_how_each_sensor_is(sign_in, say):
    say.state("demo-1", "ready")
    say.info("demo-1", battery_percent=64, journal_reports=17, journal_dropped=5)
    say.state("demo-2", "lost")

    page = sign_in("viewer").get("/sensors").text

    for text in ("Connected", "Not connected", "Never connected", "64 %", "0.1.0", "17", "Reports given up"):
        assert text in page, text


def test_a_board_that_cannot_listen_to_traffic_says_so(sign_in, say):
    say.state("demo-1", "ready")
    say.info("demo-1", capabilities=["scan", "ble"])

    page = sign_in("viewer").get("/sensors/demo-1").text

    assert "It cannot listen to Wi-Fi traffic, so it finds fewer cameras." in page
    assert "Wi-Fi networks" in page


def test_one_sensor_shows_its_health_its_self_test_and_its_commands(sign_in, say, begin):
    begin("demo-1")
    say.state("demo-1", "ready")
    say.info("demo-1", crashes=2, reset_cause="watchdog", free_heap_bytes=40960)
    say.selftest("demo-1", passed=False)

    page = sign_in("viewer").get("/sensors/demo-1").text

    for text in ("watchdog", "40 kB", "Failed", "Recognises the test camera", "Start an inspection", "esp32_devkit"):
        assert text in page, text


def test_an_inspector_asks_a_sensor_to_test_itself(app, sign_in, post):
    page = post(sign_in("inspector"), "/sensors/demo-1/selftest", page="/sensors/demo-1")

    assert "The sensor will test itself" in page.text
    with app.extensions["sessions"]() as session:
        assert session.scalar(select(Command.name)) == "selftest"


def test_words_of_a_newer_sensor_are_shown_as_they_are(sign_in, say):
    say.info("demo-1", interpreter="MicroPython 2.0", fitted=["sonar"])

    page = sign_in("viewer").get("/sensors/demo-1").text

    assert "sonar" in page
