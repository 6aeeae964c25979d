"""The next restroom in one press, and the page of an inspector's own work."""

import re

import pytest
from sqlalchemy import select

from server.models import Inspection, InspectionPerson, InspectionSensor, Restroom, Sensor
from tests.unit.server.web.conftest import PASSWORD, csrf_token


def hidden_fields(page, address):
    """Return [(name, value), ...] of the form with this action."""
    form = re.search(rf'<form[^>]*action="{re.escape(address)}">(.*?)</form>', page, re.DOTALL)
    assert form, address
    return re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form[1])


@pytest.fixture
def carried(app):
    """The name of a sensor without a fixed place."""
    with app.extensions["sessions"].begin() as session:
        session.scalars(select(Sensor).where(Sensor.name == "demo-1")).one().restroom_id = None
    return "demo-1"


def press_next(client, page):
    """Send the form that starts the next restroom as it stands on the page; return the answer."""
    address = re.findall(r'action="(/restrooms/[^"]+/inspect)"', page)[0]
    form = {}
    for name, value in hidden_fields(page, address):
        form.setdefault(name, []).append(value)
    return client.post(address, data={**form, "csrf_token": csrf_token(page)})


def test_the_next_restroom_starts_in_one_press_with_the_same_people(finished, app, room):
    client, running = finished
    for address in (f"/inspections/{running}/sign", f"/inspections/{running}"):
        text = client.get(address).text
        assert "Officer Lee" in text, address
        assert f"/restrooms/{room}/inspect" not in text, "the room just inspected is not the next one"

    answer = press_next(client, text)
    assert answer.status_code == 302, answer.text
    with app.extensions["sessions"]() as session:
        first, second = session.scalars(select(Inspection).order_by(Inspection.id)).all()[-2:]
        assert second.restroom.facility_id == first.restroom.facility_id
        assert second.restroom_id != first.restroom_id
        people = [[(row.user_id, row.name, row.agency) for row in one.people] for one in (first, second)]
        assert people[0] == people[1]


def test_the_next_restroom_starts_with_the_sensor_that_was_carried(begin, post, look, carried, rows):
    client, running = begin(carried)
    post(client, f"/inspections/{running}/finish", {"result": "not_completed", "reason": "closed early"})
    page = client.get(f"/inspections/{running}").text
    assert press_next(client, page).status_code == 302
    first, second = rows(InspectionSensor)
    assert first.sensor_id == second.sensor_id
    assert first.inspection_id != second.inspection_id


def test_the_start_page_remembers_partner_and_sensor_of_the_shift_only(finished, app, sign_in):
    client, _running = finished
    with app.extensions["sessions"]() as session:
        other = session.scalar(select(Restroom.public_id).where(Restroom.running_inspection_id.is_(None)))
    assert 'value="Officer Lee"' in client.get(f"/restrooms/{other}/inspect").text
    assert "Officer Lee" not in sign_in("manager").get(f"/restrooms/{other}/inspect").text

    with app.extensions["sessions"].begin() as session:
        inspection = session.scalars(select(Inspection).order_by(Inspection.id.desc())).first()
        inspection.started_s -= 13 * 3600
    assert "Officer Lee" not in client.get(f"/restrooms/{other}/inspect").text


def test_my_work_lists_what_runs_what_is_not_signed_and_what_is_next(finished, post, app):
    client, running = finished
    page = client.get("/work").text
    assert f"/inspections/{running}/sign" in page
    assert "Officer Lee" in page
    assert "No inspection is running." in page
    assert re.search(r"/restrooms/\w+/inspect", page)
    assert 'href="/work"' in client.get("/start").text

    with app.extensions["sessions"]() as session:
        people = session.scalars(select(InspectionPerson).order_by(InspectionPerson.id)).all()
    for person in people:
        form = {"person": person.id, "name": person.name} if person.user_id is None else None
        form = form or {"person": person.id, "password": PASSWORD}
        post(client, f"/inspections/{running}/sign", form)
    assert f"/inspections/{running}/sign" not in client.get("/work").text

    press_next(client, client.get(f"/inspections/{running}").text)
    assert "No inspection is running." not in client.get("/work").text


def test_my_work_is_for_inspectors(sign_in):
    assert sign_in("viewer").get("/work").status_code == 403
    assert 'href="/work"' not in sign_in("viewer").get("/start").text
