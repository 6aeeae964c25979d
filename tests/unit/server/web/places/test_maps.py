"""The map page and what it asks for."""

import pytest

from server import create_app
from server.models import Facility, User
from server.services.people import scopes
from server.services.places import facilities, organisations


def test_the_map_shows_the_places_of_the_list(sign_in):
    client = sign_in("manager", "en")

    page = client.get("/map").text
    found = client.get("/map/places?box=35,124,37,126").json

    assert "vendor/leaflet/leaflet.js" in page and 'data-tiles=""' in page
    assert "10 restrooms" in found["sentence"] and "overdue" in found["sentence"]
    assert len(found["spots"]) == 3 and found["groups"] == []
    room = found["spots"][0]["rooms"][0]
    assert client.get(room["href"]).status_code == 200 and room["state"] == "overdue"


def test_places_of_others_are_not_on_the_map(app, sign_in):
    client = sign_in("viewer")
    with app.extensions["sessions"].begin() as session:
        other = facilities.add(session, organisations.add(session, "Others"), "Elsewhere")
        user = session.query(User).filter_by(login="viewer").one()
        scopes.set_places(session, user, False, [scopes.Place(scopes.FACILITY, session.get(Facility, other.id))])

    assert client.get("/map/places").json["spots"] == []
    assert "leaflet.js" not in client.get("/map").text


@pytest.mark.parametrize(
    "box", ["1,2,3", "a,b,c,d", "nan,1,2,3", "40,120,30,130", "-91,0,0,0", "0,0,0,1e9", "inf,0,inf,1"]
)
def test_a_view_that_is_none_is_refused(sign_in, box):
    assert sign_in("viewer").get(f"/map/places?box={box}").status_code == 400


def test_only_the_map_may_show_the_pictures_of_the_map_server(settings, sign_in, app):
    tiles = {"map_tiles": "https://{s}.tiles.example/{z}/{x}/{y}.png", "map_credit": "Example & co"}
    made = create_app(settings.model_copy(update=tiles))
    client, theirs = made.test_client(), sign_in("manager")
    with theirs.session_transaction() as known, client.session_transaction() as cookie:
        cookie.update(known)

    page = client.get("/map")

    assert "img-src 'self' data: blob: https://*.tiles.example;" in page.headers["Content-Security-Policy"]
    assert "Example &amp; co" in page.text
    assert "tiles.example" not in client.get("/").headers["Content-Security-Policy"]
    made.extensions["sessions"].engine.dispose()
