"""The pages of the sensors."""

from sqlalchemy import select

from server.models import Command
from server.services.sensors import rollout


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
    say.info("demo-1", crashes=2, reset_cause="watchdog", brown_outs=3, free_heap_bytes=40960)
    say.selftest("demo-1", passed=False)

    page = sign_in("viewer").get("/sensors/demo-1").text

    for text in (
        "did not respond",
        "Starts after too low a voltage",
        "40 kB",
        "Failed",
        "Recognises the test signal",
        "after 12.5 s",
        "nothing heard on 6",
        "Start an inspection",
        "esp32_devkit",
    ):
        assert text in page, text


def test_an_inspector_asks_a_sensor_to_test_itself(app, sign_in, post):
    page = post(sign_in("inspector"), "/sensors/demo-1/selftest", page="/sensors/demo-1")

    assert "The sensor will test itself" in page.text
    with app.extensions["sessions"]() as session:
        assert session.scalar(select(Command.name)) == "selftest"


def test_a_test_signal_is_named_by_its_address_in_any_usual_form(app, sign_in, post):
    inspector = sign_in("inspector")

    for given in ("24:6F:28:AA:BB:01", "246f28aabb01", "24-6f-28-aa-bb-01"):
        post(inspector, "/sensors/demo-1/selftest", {"emitter": given}, page="/sensors/demo-1")
    refused = post(inspector, "/sensors/demo-1/selftest", {"emitter": "hall-2"}, page="/sensors/demo-1")

    assert "An address has 12 digits" in refused.text
    with app.extensions["sessions"]() as session:
        assert set(map(str, session.scalars(select(Command.args)))) == {"{'emitter': '24:6f:28:aa:bb:01'}"}


def test_words_of_a_newer_sensor_are_shown_as_they_are(sign_in, say):
    say.info("demo-1", interpreter="MicroPython 2.0", fitted=["sonar"])

    page = sign_in("viewer").get("/sensors/demo-1").text

    assert "sonar" in page


def test_a_manager_fixes_a_sensor_in_a_restroom_by_the_code_on_its_door(app, sign_in, post, room):
    manager = sign_in("manager")

    page = post(manager, "/sensors/demo-2/place", {"restroom": f"http://localhost/r/{room}"}, page="/sensors/demo-2")

    assert "The place of the sensor is noted." in page.text and f'value="{room}"' in page.text
    wrong = post(manager, "/sensors/demo-2/place", {"restroom": "zzzzzzzzzz"}, page="/sensors/demo-2")
    assert "No restroom has this code" in wrong.text and f'value="{room}"' in wrong.text
    empty = post(manager, "/sensors/demo-2/place", {"restroom": ""}, page="/sensors/demo-2")
    assert f'value="{room}"' not in empty.text


def test_a_claim_code_is_shown_once_and_is_in_no_address(app, sign_in, post):
    manager = sign_in("manager")

    answer = post(manager, "/sensors/claims", page="/sensors", follow=False)

    assert answer.status_code == 200 and "--claim" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_new_key_is_for_one_sensor(app, sign_in, post):
    answer = post(sign_in("manager"), "/sensors/demo-1/claim", page="/sensors/demo-1")

    assert "Gives demo-1 another key, once." in answer.text


def test_a_sensor_is_withdrawn_only_by_somebody_who_means_it(app, sign_in, post):
    manager = sign_in("manager")

    page = post(manager, "/sensors/demo-1/revoke", page="/sensors/demo-1")
    assert "Nothing was done" in page.text
    page = post(manager, "/sensors/demo-1/revoke", {"really": "yes"}, page="/sensors/demo-1")

    assert "The sensor is withdrawn" in page.text and "Withdrawn" in page.text
    assert "Save the place" not in page.text


def test_a_command_says_until_when_it_is_good(sign_in, post):
    page = post(sign_in("manager"), "/sensors/demo-1/restart", page="/sensors/demo-1")

    assert "The sensor will restart" in page.text and "good until" in page.text


def test_safe_mode_and_a_version_that_was_taken_back_are_said(sign_in, say):
    say.state("demo-1", "ready")
    say.info("demo-1", safe=True, failed_update="0" * 64, capabilities=[])

    page = sign_in("viewer").get("/sensors/demo-1").text

    assert "safe mode" in page and "was taken back" in page


def test_an_administrator_rolls_a_version_out_and_stops_it(app, sign_in, post, say):
    say.info("demo-1")
    with app.extensions["sessions"].begin() as session:
        made = rollout.add_release(session, "0.9.0", {"firmware/start.py": b"x"}).public_id
    admin = sign_in("admin")

    page = post(admin, f"/updates/{made}/begin", {"canaries": "2", "failures": "x"}, page="/updates")
    assert "Rolling out 0.9.0" in page.text and "demo-1" in page.text
    again = post(admin, f"/updates/{made}/begin", {}, page="/updates")
    assert "Another roll-out is still running" in again.text

    with app.extensions["sessions"]() as session:
        running = rollout.list_rollouts(session)[0].public_id
    page = post(admin, f"/updates/{running}/stop", page="/updates")
    assert "Stopped by a person." in page.text


def test_a_manager_sees_versions_and_rolls_none_out(app, sign_in, post):
    with app.extensions["sessions"].begin() as session:
        made = rollout.add_release(session, "0.9.0", {"firmware/start.py": b"x"}).public_id
    manager = sign_in("manager")

    assert "0.9.0" in manager.get("/updates").text
    assert post(manager, f"/updates/{made}/begin", page="/sensors").status_code == 403
