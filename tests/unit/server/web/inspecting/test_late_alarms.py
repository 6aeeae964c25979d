"""Pages and papers of an inspection whose result was followed by an alarm."""

import pytest

from server import clock
from server.models import LogEntry
from server.services.findings import dispositions, pseudonyms
from server.services.inspecting import inspections
from server.services.people import accounts
from server.services.sensors import fleet
from tests.support.sensor_messages import Voice, heard
from tests.support.values import present


@pytest.fixture
def late(app, begin, look):
    """(client, public id) of an inspection whose sensor reports an alarm after the end."""
    client, running = begin("demo-1")
    look(running)
    with app.extensions["sessions"].begin() as session:
        inspection = inspections.load(session, accounts.SYSTEM, running)
        user = present(inspection.started_by)
        inspections.record_step(session, inspection, "eye", "none_found", user)
        voice = Voice(fleet.load(session, accounts.SYSTEM, "demo-1"), boot=900)
        voice.inspection = running
        keys = pseudonyms.Pseudonyms(app.extensions["vault"])
        heard(session, keys, voice.says(), now_s=clock.now_s())
        inspections.record_step(session, inspection, "rf", "none_found", user)
        inspections.finish(session, inspection, user, "none_found")
        heard(session, keys, voice.finds(at_s=clock.now_s()), now_s=clock.now_s() + 60)
    return client, running


def pages_of(client, running):
    show = client.get(f"/inspections/{running}").text
    paper = client.get(f"/inspections/{running}/certificate").text
    return show, paper


def test_no_document_says_none_found_beside_the_alarm(late, sign_in, app):
    client, running = late
    show, paper = pages_of(client, running)
    with app.extensions["sessions"]() as session:
        room = inspections.load(session, accounts.SYSTEM, running).restroom.public_id
    place = client.get(f"/restrooms/{room}").text

    for text in (show, paper):
        assert "None found by" not in text and "No camera-like transmission found" not in text
        assert "Open again: something suspicious followed the result" in text and "It has not been judged yet" in text
    assert "Open again: something suspicious followed the result" in place
    assert "Superseded on" in paper and f"/inspections/{running}" in paper
    public = client.get(f"/r/{room}").text
    assert "None found" not in public and "alarm" not in public


def test_the_record_says_that_a_person_judged_the_late_alarm(late, app):
    client, running = late
    with app.extensions["sessions"].begin() as session:
        inspection = inspections.load(session, accounts.SYSTEM, running)
        alarm = inspections.list_findings(session, inspection)[0]
        dispositions.dispose(session, alarm, present(inspection.started_by), "false", "a phone")
    show, paper = pages_of(client, running)

    for text in (show, paper):
        assert "None found by" in text and "Superseded" not in text and "It was judged on" in text
        assert "Apart from what was heard and settled" in text


def test_the_record_names_open_findings_of_the_room_and_day_outside_the_inspection(late, app):
    client, running = late
    assert 'id="same-day"' not in client.get(f"/inspections/{running}").text
    with app.extensions["sessions"].begin() as session:
        alarm = inspections.list_findings(session, inspections.load(session, accounts.SYSTEM, running))[0]
        alarm.inspection_id = None

    page = client.get(f"/inspections/{running}").text

    assert 'id="same-day"' in page and alarm.public_id in page


def test_no_document_says_none_found_beside_a_hole_that_is_reported_later(app, begin, look, post):
    """Nor in Korean, on the page of the door, in the API's list or in the half-year."""
    client, running = begin()
    look(running)
    with app.extensions["sessions"].begin() as session:
        inspection = inspections.load(session, accounts.SYSTEM, running)
        user, room = present(inspection.started_by), inspection.restroom.public_id
        inspections.record_step(session, inspection, "eye", "none_found", user)
        inspections.finish(session, inspection, user, "none_found")
    post(client, f"/inspections/{running}/holes", {"stall": "1", "place": "door"}, page=f"/inspections/{running}")

    show, paper = pages_of(client, running)
    for text in (show, paper):
        assert "None found by" not in text and "A hole was reported after the result" in text
        assert "Look at it, then correct the record" in text
    assert "Superseded on" in paper
    for address in (f"/restrooms/{room}", f"/r/{room}", "/"):
        assert "None found" not in client.get(address).text, address
    post(client, f"/inspections/{running}/correct", {"result": "none_found", "reason": "a screw"}, follow=False)
    show, paper = pages_of(client, running)
    assert "None found by eye" in show and "The record was corrected on" in show and "Superseded" not in paper


def test_a_result_is_provisional_until_the_last_sweep_has_come(app, begin, look):
    client, running = begin("demo-1")
    look(running)
    keys = pseudonyms.Pseudonyms(app.extensions["vault"])
    with app.extensions["sessions"].begin() as session:
        inspection = inspections.load(session, accounts.SYSTEM, running)
        user = present(inspection.started_by)
        voice = Voice(fleet.load(session, accounts.SYSTEM, "demo-1"), boot=900)
        voice.inspection = running
        started = voice.says("session", {"what": "started", "by": "cmd"})
        heard(session, keys, started, voice.says(), now_s=clock.now_s())
        inspections.record_step(session, inspection, "rf", "none_found", user)
        inspections.finish(session, inspection, user, "none_found")
    before = pages_of(client, running)
    with app.extensions["sessions"].begin() as session:
        signed = inspections.load(session, accounts.SYSTEM, running).results[-1].coverage
        stopped = voice.says("session", {"what": "stopped", "by": "cmd"})
        heard(session, keys, voice.says(), stopped, now_s=clock.now_s() + 60)
    after = pages_of(client, running)

    for text in before:
        assert "the last sweep of demo-1 has not arrived" in text
    assert "RF is provisional" in before[0]
    assert not any("provisional" in text for text in after)
    with app.extensions["sessions"]() as session:
        result = inspections.load(session, accounts.SYSTEM, running).results[-1]
        assert result.coverage == signed and present(result.final_coverage)["sweeps"] == present(signed)["sweeps"] + 1
        kinds = [entry.kind for entry in session.query(LogEntry).filter_by(subject=running)]
        assert kinds.count("inspection.completed") == 1
