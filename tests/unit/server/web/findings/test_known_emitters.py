"""The page of known devices."""

from sqlalchemy import select

from server.models import Facility, KnownEmitter
from server.services.findings import known_emitters
from server.services.people import accounts
from tests.unit.server.web.conftest import find


def test_a_known_device_is_added_and_taken_off_with_the_reason(sign_in, post, rows, app):
    client = sign_in("manager")
    site = find(r'<option value="([^"]+)"', client.get("/emitters").text)
    form = {"facility": site, "kind": "neighbour", "address": "no", "label": "CCTV", "why": "seen", "days": "30"}

    assert "An address looks like" in post(client, "/emitters", form).text
    page = post(client, "/emitters", {**form, "address": "00:12:34:56:78:9A"})
    assert "00:12:34:56:78:9a" in page.text and "approved by Manager" in page.text
    known = rows(KnownEmitter)[0].id
    post(client, f"/emitters/{known}/withdraw", {"why": ""}, page="/emitters")
    assert rows(KnownEmitter)[0].withdrawn_s is None
    post(client, f"/emitters/{known}/withdraw", {"why": "taken down"}, page="/emitters")

    assert "00:12:34:56:78:9a" not in client.get("/emitters").text
    assert "taken down" in client.get("/emitters?state=withdrawn").text


def test_an_entry_that_somebody_else_has_taken_off_says_who_and_when(app, sign_in, post):
    with app.extensions["sessions"].begin() as session:
        user, _ = accounts.add_user(session, "park", "Park", "manager")
        hall = session.scalars(select(Facility).order_by(Facility.id).limit(1)).one()
        emitter = known_emitters.add(session, user, hall, "c0:ff:ee:00:00:77", "CCTV", "neighbour", "the guard's")
        number = emitter.id
        known_emitters.withdraw(session, emitter, user, "it is gone")

    for what, form in (("renew", {}), ("withdraw", {"why": "it is gone for good, I looked"})):
        page = post(sign_in("manager"), f"/emitters/{number}/{what}", form, page="/emitters").text
        assert "Park withdrew or renewed it at" in page
