"""The plan, the editing of places, and the import of a file on a page."""

from io import BytesIO

import pytest
from sqlalchemy import event, select

from server.models import Facility, Restroom, RestroomImport
from server.services.people.accounts import SYSTEM
from server.services.places import facilities, restrooms
from tests.support.values import match
from tests.unit.server.web.conftest import csrf_token

FILE = "화장실명,소재지도로명주소,남성용-대변기수,여성용-대변기수\n도서관,예시시 길 1,2,3\n,예시시 길 2,1,1\n".encode(
    "cp949"
)


def upload(client, content, name="rooms.csv", **form):
    token = csrf_token(client.get("/imports").text)
    data = {"csrf_token": token, "file": (BytesIO(content), name), **form}
    return client.post("/imports", data=data, content_type="multipart/form-data")


def facility(app, name="예시시청"):
    with app.extensions["sessions"]() as session:
        return session.scalar(select(Facility).where(Facility.name == name))


def test_the_overdue_list_has_what_was_never_inspected(sign_in):
    page = sign_in().get("/plan").text

    assert page.count('<li class="due-row">') == 10
    assert "10 restrooms" in page


def test_the_overdue_list_can_be_of_one_block(sign_in):
    page = sign_in().get("/plan?block=family").text

    assert page.count('<li class="due-row">') == 1


def test_the_route_page_names_stops_and_who_may_starts_there(sign_in):
    page = sign_in("inspector").get("/plan/route?block=women&way=car").text

    assert "Sample City Hall" in page and '/inspect"' in page
    assert "Men&#39;s, ground floor" not in page
    assert '/inspect"' not in sign_in("viewer").get("/plan/route").text


def test_a_manager_sets_intervals_and_the_plan_follows(app, sign_in, post):
    client = sign_in("manager")

    page = post(client, "/plan/intervals", {"eye": "0", "rf": "0", "lens": "0", "selftest": "0"})

    assert "The intervals are set." in page.text
    assert "Nothing is overdue." in client.get("/plan").text


@pytest.mark.parametrize("days", ["x", "-1", "99999", "1.5"])
def test_an_interval_that_is_no_number_of_days_is_told(app, sign_in, post, days):
    page = post(sign_in("manager"), "/plan/intervals", {"eye": days})

    assert "note-warn" in page.text


def test_intervals_of_a_building_go_over_those_above(app, sign_in, post):
    client, hall = sign_in("manager"), facility(app)
    address = f"/plan/intervals?facility={hall.public_id}"

    post(client, address, dict.fromkeys(("eye", "rf", "lens", "selftest"), "0"))

    assert client.get("/plan").text.count('<li class="due-row">') == 6


def test_a_restroom_is_edited(app, sign_in, post, room):
    client = sign_in("manager")
    form = {"name": "새 이름", "block": "family", "stalls": "7", "latitude": "37.5", "longitude": "127.1"}
    form |= {"opening_hours": "24시간", "external_ids": "own: 17\n"}

    page = post(client, f"/restrooms/{room}/edit", form)

    assert "Saved." in page.text and "24시간" in page.text
    with app.extensions["sessions"]() as session:
        edited = restrooms.load(session, SYSTEM, room)
        assert (edited.name, edited.block, edited.stalls, edited.latitude) == ("새 이름", "family", 7, 37.5)
        assert edited.external_ids[0].value == "17" and "새 이름" in edited.search


@pytest.mark.parametrize(
    "form, words",
    [
        ({"latitude": "37"}, "A position has two numbers"),
        ({"latitude": "95", "longitude": "1"}, "A number from"),
        ({"external_ids": "no source"}, "One a line"),
        ({"name": ""}, "Please fill this in."),
        ({"block": "spaceship"}, "aria-invalid"),
    ],
)
def test_an_edit_that_cannot_be_changes_nothing(app, sign_in, post, room, form, words):
    page = post(sign_in("manager"), f"/restrooms/{room}/edit", {"name": "X", "block": "women", **form})

    assert words in page.text
    with app.extensions["sessions"]() as session:
        assert restrooms.load(session, SYSTEM, room).name == "1층 여자화장실"


def test_a_restroom_is_taken_out_of_use_and_brought_back(sign_in, post, room):
    client, form = sign_in("manager"), f"/restrooms/{room}/edit"

    without_reason = post(client, f"/restrooms/{room}/retire", {}, page=form)
    gone = post(client, f"/restrooms/{room}/retire", {"reason": "torn down"}, page=form)
    back = post(client, f"/restrooms/{room}/retire", {"back": "yes"}, page=form)

    assert "Please give the reason" in without_reason.text
    assert "Out of use" in gone.text and "Start an inspection" not in gone.text
    assert "Start an inspection" in back.text


def test_a_building_and_its_organisation_are_shown_and_renamed(app, sign_in, post):
    client, hall = sign_in("admin"), facility(app)
    owner = hall.organisation_id

    page = post(client, f"/buildings/{hall.public_id}/edit", {"name": "New Hall", "name_en": "", "address": "Road 9"})
    organisations = client.get("/organisations").text
    address = match(r'href="(/organisations/[^"]+)"', organisations)[1]
    renamed = post(client, f"{address}/edit", {"name": "Other City", "name_en": ""})

    assert "New Hall" in page.text and "Road 9" in page.text
    assert "3 buildings · 10 restrooms" in organisations
    assert "Other City" in renamed.text and owner
    assert client.get(f"{address}?search=new+hall").text.count('<li class="due-row">') == 1


def test_a_file_is_looked_at_and_then_taken_over(app, sign_in, post):
    client = sign_in("manager")

    answer = upload(client, FILE)
    looked = client.get(answer.location).text
    with app.extensions["sessions"]() as session:
        before = session.scalar(select(Restroom).join(Facility).where(Facility.name == "도서관"))
    done = post(client, answer.location, {"apply": "yes"})

    assert "has no name" in looked and "Line 3" in looked and "도서관" in looked
    assert before is None
    assert "The file has been taken over." in done.text and "rooms.csv" in done.text
    assert client.get(answer.location).status_code == 404
    with app.extensions["sessions"]() as session:
        rooms = session.scalars(select(Restroom).join(Facility).where(Facility.name == "도서관")).all()
        assert {room.block: room.stalls for room in rooms} == {"women": 3, "men": 2}
        record = session.scalar(select(RestroomImport))
        assert record.counts == {"rows": 2, "new": 1, "bad": 1} and record.by_id


def test_a_table_of_an_unknown_layout_is_mapped_on_the_page(app, sign_in, post):
    client = sign_in("manager")
    answer = upload(client, b"Ort,Strasse,women\nMarkt,Markt 1,2\n")

    asked = client.get(answer.location).text
    looked = post(client, answer.location, {"map-name": "Ort", "map-address": "Strasse", "map-women": "women"})

    assert "Which column is what?" in asked and '<option value="women" selected>' in asked
    assert "Markt" in looked.text and "Import" in looked.text


def test_rubbish_is_told_and_an_upload_without_a_file_too(sign_in):
    client = sign_in("manager")

    rubbish = client.get(upload(client, b"\x00\x01\xff" * 50).location, follow_redirects=True)
    empty = client.get(upload(client, b"").location, follow_redirects=True)
    token = csrf_token(client.get("/imports").text)

    assert "Which column is what?" in rubbish.text or "note-warn" in rubbish.text
    assert "The file is empty." in empty.text
    assert "Please choose a file." in client.post("/imports", data={"csrf_token": token}).text


@pytest.mark.parametrize("role", ["viewer", "inspector"])
def test_only_managers_import(sign_in, role):
    assert sign_in(role).get("/imports").status_code == 403


@pytest.mark.parametrize(
    "address", ["/", "/plan", "/plan/route", "/organisations", "/findings", "/sensors", "organisation"]
)
def test_no_list_runs_a_query_per_row(app, sign_in, say, begin, address):
    client, hall = sign_in("manager"), facility(app)
    if address == "organisation":
        address = match(r'href="(/organisations/[^"]+)"', client.get("/organisations").text)[1]
    _add_rooms(app, hall, 3)
    few = _queries(app, lambda: client.get(address))
    _add_rooms(app, hall, 40)

    assert _queries(app, lambda: client.get(address)) == few


def _add_rooms(app, like, count):
    with app.extensions["sessions"].begin() as session:
        owner = session.get(Facility, like.id).organisation
        for number in range(count):
            site = facilities.add(session, owner, f"Site {number}", address="Road")
            restrooms.add(session, site, "Room", latitude=37.5, longitude=127.0, opening_hours="24시간")


def _queries(app, work):
    counted = []
    engine = app.extensions["sessions"].engine

    def count(*_):
        counted.append(1)

    event.listen(engine, "before_cursor_execute", count)
    try:
        assert work().status_code == 200
    finally:
        event.remove(engine, "before_cursor_execute", count)
    return len(counted)
