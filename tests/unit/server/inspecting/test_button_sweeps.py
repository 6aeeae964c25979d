import pytest

from server import clock
from server.models import Finding, InspectionSensor, LogEntry, Sweep
from server.models.places import Restroom
from server.services.errors import NotFound, Refused
from server.services.inspecting import button_sweeps, inspections
from server.services.places import facilities, restrooms
from tests.support.sensor_messages import NOW_S, Voice, heard

BUTTON = "u7-1"  # as firmware/inspecting/button_actions.py names them


@pytest.fixture
def voice(sensor):
    made = Voice(sensor, boot=7)
    made.inspection = BUTTON
    return made


@pytest.fixture(autouse=True)
def at_now(monkeypatch):
    monkeypatch.setattr(clock, "now_s", lambda: NOW_S + 600)


@pytest.fixture
def mens(session, hall):
    return restrooms.add(session, hall.facility, "Men's", block="men", stalls=2)


def swept(session, pseudonyms, voice, finding=True):
    heard(session, pseudonyms, voice.says(at_s=NOW_S), *([voice.finds()] if finding else []))


def test_a_sweep_by_button_waits_with_its_coverage_and_findings(session, pseudonyms, voice, kim, sensor):
    swept(session, pseudonyms, voice)

    one = button_sweeps.list_waiting(session, kim)[0]

    assert (one.sensor.id, one.ref, one.sweeps, one.findings) == (sensor.id, BUTTON, 1, 1)
    assert one.coverage.enough and one.from_s and one.from_s <= NOW_S == one.to_s
    assert button_sweeps.load(session, kim, "hall-1", BUTTON).ref == BUTTON


def test_what_a_fixed_sensor_hears_all_day_does_not_wait_for_anybody(session, pseudonyms, voice, kim):
    voice.inspection = ""
    swept(session, pseudonyms, voice)

    assert button_sweeps.list_waiting(session, kim) == []


def test_it_becomes_an_inspection_of_the_room_a_person_names(session, pseudonyms, voice, kim, hall, sensor):
    swept(session, pseudonyms, voice)

    one = button_sweeps.assign(session, button_sweeps.list_waiting(session, kim)[0], kim, hall)

    assert one.started_s <= NOW_S and one.result is None
    assert session.query(Finding).one().restroom_id == hall.id
    assert session.query(Sweep).one().inspection_id == one.id
    assert session.query(InspectionSensor).one().sensor_id == sensor.id
    assert session.get(Restroom, hall.id).running_inspection_id == one.id
    assert button_sweeps.list_waiting(session, kim) == []
    assert session.query(LogEntry).filter_by(kind="inspection.sweep_assigned").one().subject == one.public_id


def test_its_rf_step_counts_after_that(session, pseudonyms, voice, kim, hall):
    swept(session, pseudonyms, voice, finding=False)

    one = button_sweeps.assign(session, button_sweeps.list_waiting(session, kim)[0], kim, hall)

    assert inspections.record_step(session, one, "rf", "none_found", kim).outcome == "none_found"


def test_what_the_sensor_says_later_finds_its_inspection(session, pseudonyms, voice, kim, hall):
    swept(session, pseudonyms, voice, finding=False)
    one = button_sweeps.assign(session, button_sweeps.list_waiting(session, kim)[0], kim, hall)

    heard(session, pseudonyms, voice.says(at_s=NOW_S + 30), voice.finds())

    assert {row.inspection_id for row in session.query(Sweep)} == {one.id}
    found = session.query(Finding).one()
    assert (found.inspection_id, found.restroom_id) == (one.id, hall.id)


def test_it_joins_the_inspection_that_runs_there(session, pseudonyms, voice, kim, hall):
    running = inspections.start(session, hall, kim)
    swept(session, pseudonyms, voice)

    assert button_sweeps.assign(session, button_sweeps.list_waiting(session, kim)[0], kim, hall).id == running.id


def test_it_is_assigned_once(session, pseudonyms, voice, kim, hall, mens):
    swept(session, pseudonyms, voice)
    one = button_sweeps.list_waiting(session, kim)[0]
    button_sweeps.assign(session, one, kim, hall)

    with pytest.raises(Refused, match="sweep_assigned"):
        button_sweeps.assign(session, one, kim, mens)
    with pytest.raises(Refused, match="sweep_assigned"):
        button_sweeps.load(session, kim, "hall-1", BUTTON)
    with pytest.raises(NotFound):
        button_sweeps.load(session, kim, "hall-1", "u9-9")


def test_the_route_says_where_it_was_likely_made(session, pseudonyms, voice, kim, hall, mens, monkeypatch):
    far = facilities.add(session, hall.facility.organisation, "Station")
    restrooms.add(session, far, "Concourse")
    monkeypatch.setattr(clock, "now_s", lambda: NOW_S - 1800)
    before = inspections.start(session, hall, kim)
    monkeypatch.setattr(clock, "now_s", lambda: NOW_S - 900)
    inspections.finish(session, before, kim, "not_completed", "trial")
    monkeypatch.setattr(clock, "now_s", lambda: NOW_S + 600)
    swept(session, pseudonyms, voice)

    found = button_sweeps.suggest_restrooms(session, kim, button_sweeps.list_waiting(session, kim)[0])

    assert (found[0].room.id, found[0].why) == (mens.id, "same_building")
    assert {one.why for one in found[1:]} <= {"due"}


def test_the_inspection_that_ran_at_the_time_is_suggested_first(
    session, pseudonyms, voice, kim, hall, mens, monkeypatch
):
    monkeypatch.setattr(clock, "now_s", lambda: NOW_S - 300)
    inspections.start(session, mens, kim)
    monkeypatch.setattr(clock, "now_s", lambda: NOW_S + 600)
    swept(session, pseudonyms, voice)

    found = button_sweeps.suggest_restrooms(session, kim, button_sweeps.list_waiting(session, kim)[0])

    assert (found[0].room.id, found[0].why) == (mens.id, "running")


def test_a_fixed_sensors_place_is_suggested(session, pseudonyms, voice, kim, sensor, mens):
    sensor.restroom_id = mens.id
    swept(session, pseudonyms, voice)

    assert button_sweeps.suggest_restrooms(session, kim, button_sweeps.list_waiting(session, kim)[0])[0].why == "fixed"


def test_somebody_of_another_place_can_assign_nothing_here(session, pseudonyms, voice, kim, hall):
    swept(session, pseudonyms, voice)
    one = button_sweeps.list_waiting(session, kim)[0]
    kim.everywhere = False
    session.flush()

    with pytest.raises(NotFound):
        button_sweeps.assign(session, one, kim, hall)
