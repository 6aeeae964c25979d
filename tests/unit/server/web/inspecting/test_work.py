"""The eye step's list, photos, holes, signatures, check-in, known devices and campaigns, as pages lead through them."""

import io
import json
import re

import pytest

from server.models import (
    Campaign,
    CampaignAction,
    ChecklistAnswer,
    Hole,
    Inspection,
    InspectionPerson,
    KnownEmitter,
    Photo,
    Signature,
    User,
)
from tests.support.pictures import jpeg
from tests.unit.server.web.conftest import PASSWORD, csrf_token

STROKES = json.dumps([[100, 100, 200, 200, 300, 120, 400, 220], [450, 100, 500, 300, 520, 310, 600, 90]])
IMAGE = re.compile(r'src="(/photos/[^"]+)"')


@pytest.fixture
def rows(app):
    """A function that loads all rows of a table."""

    def load(table):
        with app.extensions["sessions"]() as session:
            return session.query(table).order_by(table.id).all()

    return load


@pytest.fixture
def upload():
    """A function that posts a form with files."""

    def send(client, address, form, page, **files):
        token = csrf_token(client.get(page).text)
        files = {name: (io.BytesIO(data), "a.jpg") for name, data in files.items()}
        form = {**form, **files, "csrf_token": token}
        return client.post(address, data=form, content_type="multipart/form-data", follow_redirects=True)

    return send


@pytest.fixture
def finished(begin, post, look, sign_in):
    """(client, public id) of an inspection by two people that is over but not signed."""
    sign_in("manager")
    client, running = begin(partner="Officer Lee", agency="Police")
    look(running)
    post(client, f"/inspections/{running}/steps/eye", {"outcome": "none_found"})
    post(client, f"/inspections/{running}/finish", {"result": "none_found"})
    return client, running


def test_the_list_leads_from_stall_to_stall_and_then_the_step_can_be_recorded(begin, post, rows):
    client, running = begin()
    eye = f"/inspections/{running}/eye"
    assert "points of the list are still without an answer" in client.get(f"/inspections/{running}").text
    assert 'id="step-eye"' not in client.get(f"/inspections/{running}").text

    page = client.get(eye)
    assert "The room itself" in page.text
    for stall in range(6):
        page = post(client, eye, {"stall": stall, "rest": "1"}, page=eye)
    assert page.request.path == f"/inspections/{running}"
    assert 'id="step-eye"' in page.text
    assert len(rows(ChecklistAnswer)) > 40


def test_an_answer_that_needs_a_reason_is_asked_for_and_keeps_what_was_chosen(begin, post, rows):
    client, running = begin()
    eye = f"/inspections/{running}/eye?stall=1"

    page = post(client, eye, {"stall": "1", "answer-hooks": "suspicious", "note-hooks": ""})

    assert "Please say why, or what you saw" in page.text
    assert 'name="answer-hooks" value="suspicious" checked' in page.text
    assert rows(ChecklistAnswer) == []
    page = post(client, eye, {"stall": "1", "answer-hooks": "suspicious", "note-hooks": "a glint"})
    page = client.get(f"/inspections/{running}/eye?stall=1").text
    assert "Touch nothing, keep the scene, and call 112." in page and 'href="tel:112"' in page


def test_rubbish_in_the_list_is_ignored_or_not_found(begin, post, rows):
    client, running = begin()
    eye = f"/inspections/{running}/eye"

    assert post(client, eye, {"stall": "99", "answer-hooks": "ok"}).status_code == 404
    assert post(client, eye, {"stall": "1", "answer-nothing": "ok"}).status_code == 404
    post(client, eye, {"stall": "x", "answer-hooks": "maybe"})
    assert rows(ChecklistAnswer) == []


def test_a_photo_is_shown_without_the_cameras_notes_and_the_original_is_for_managers(begin, upload, rows, sign_in):
    client, running = begin()
    data = jpeg()

    page = upload(client, f"/inspections/{running}/photos", {"note": "vent"}, f"/inspections/{running}", photo=data)

    assert "The photo has been kept." in page.text and rows(Photo)[0].sha256 in page.text
    shown = client.get(IMAGE.search(page.text)[1])
    assert shown.mimetype == "image/jpeg" and b"Maker of the phone" not in shown.data
    original = f"/photos/{rows(Photo)[0].public_id}/original"
    assert client.get(original).status_code == 403
    answer = sign_in("manager").get(original)
    assert answer.data == data and answer.headers["Content-Disposition"].startswith("attachment")


def test_what_is_no_photo_is_refused_in_words(begin, upload, rows):
    client, running = begin()

    page = upload(client, f"/inspections/{running}/photos", {}, f"/inspections/{running}", photo=b"<script>")
    assert "Only photos as JPEG, PNG or WebP are taken." in page.text
    page = upload(client, f"/inspections/{running}/photos", {}, f"/inspections/{running}")
    assert "No photo came with the form." in page.text
    assert rows(Photo) == []


def test_a_hole_is_recorded_with_its_photo_sticker_and_ticket_and_repaired_later(begin, upload, post, rows):
    client, running = begin()
    form = {"stall": "2", "place": "left partition", "sticker": "1", "ticket": "FM-7"}

    page = upload(client, f"/inspections/{running}/holes", form, f"/inspections/{running}", photo=jpeg())

    assert "left partition" in page.text and "ticket FM-7" in page.text
    hole = rows(Hole)[0].public_id
    page = client.get(f"/holes/{hole}").text
    assert page.index("Course") < page.rindex("Reported for repair") < page.rindex("Covered with a sticker")
    assert "Please give the reason" in post(client, f"/holes/{hole}", {"kind": "closed"}).text
    post(client, f"/holes/{hole}", {"kind": "closed", "text": "filled"})
    assert "left partition" in client.get("/holes?state=closed").text
    assert "left partition" not in client.get("/holes").text


def test_a_colleague_with_an_account_takes_part(sign_in, begin, rows, post, app):
    sign_in("manager")
    with app.extensions["sessions"]() as session:
        colleague = session.query(User).filter_by(login="manager").one().public_id

    client, running = begin(colleague=colleague, partner="Officer Lee", agency="Police")

    assert [(one.name, one.user_id is not None) for one in rows(InspectionPerson)] == [
        ("Inspector", True),
        ("Manager", True),
        ("Officer Lee", False),
    ]
    page = post(client, f"/inspections/{running}/people", {"colleague": colleague}, page=f"/inspections/{running}")
    assert "This person takes part already." in page.text
    post(client, f"/inspections/{running}/people", {"partner": "Choi"}, page=f"/inspections/{running}")
    assert rows(InspectionPerson)[-1].name == "Choi"


def test_both_sign_at_the_finish_one_by_hand_and_one_by_password(finished, post, rows):
    client, done = finished
    own, partner = rows(InspectionPerson)
    sign = f"/inspections/{done}/sign"

    assert "a dot is not enough" in post(client, sign, {"person": partner.id, "strokes": "[[1,1]]"}).text
    assert "a dot is not enough" in post(client, sign, {"person": partner.id, "strokes": "[" * 5000}).text
    post(client, sign, {"person": partner.id, "strokes": STROKES})
    wrong = post(client, sign, {"person": own.id, "name": "Inspector", "password": "not this one at all"})
    assert "The password is not right." in wrong.text
    post(client, sign, {"person": own.id, "name": "Inspector", "password": PASSWORD})

    assert [(one.name, one.kind) for one in rows(Signature)] == [("Officer Lee", "drawn"), ("Inspector", "password")]
    page = client.get(f"/inspections/{done}").text
    assert page.count("Signed") == 2 and "Not signed" not in page
    assert rows(Signature)[0].record_hash in page and 'd="M100 100L200 200' in page


def test_the_record_says_when_a_signature_is_missing_or_only_one_was_there(begin, post, finished):
    client, done = finished
    page = client.get(f"/inspections/{done}").text
    assert page.count("Not signed") == 2

    alone, other = begin(client=client)
    post(alone, f"/inspections/{other}/finish", {"result": "not_completed", "reason": "Fire alarm"})

    assert "Only one person is named." in alone.get(f"/inspections/{other}/sign").text


def test_the_code_on_the_door_leads_an_inspector_to_the_inspection(sign_in, stranger, begin, room):
    assert "/inspect/" not in stranger().get(f"/r/{room}").text
    assert "/inspect/" not in sign_in("viewer").get(f"/r/{room}").text
    client = sign_in("inspector")
    assert f'href="/inspect/{room}"' in client.get(f"/r/{room}").text

    assert client.get(f"/inspect/{room}").location == f"/restrooms/{room}/inspect"
    _, running = begin(client=client)
    assert client.get(f"/inspect/{room}").location == f"/inspections/{running}"


def test_the_number_on_the_door_can_be_typed_as_people_type(sign_in, room):
    client = sign_in("inspector")

    for typed in (room, room.upper(), f" {room[:5]}-{room[5:]} ", f"https://example.org/r/{room}"):
        assert client.get("/inspect", query_string={"number": typed}).location == f"/inspect/{room}", typed
    assert "Women&#39;s, ground floor" in client.get("/inspect?number=여자화장실").text
    assert "Nothing fits these words." in client.get("/inspect?number=zzzz").text


def test_a_sweep_by_button_is_given_to_a_restroom(sign_in, say, post, room, rows):
    say.sweep("demo-1", "u3-1")
    say.finding("demo-1", "u3-1")
    client = sign_in("inspector")
    page = client.get("/inspect").text
    assert 'href="/sweeps/demo-1/u3-1"' in page and "1 finding" in page

    assert "Please choose one." in post(client, "/sweeps/demo-1/u3-1", {}).text
    answer = post(client, "/sweeps/demo-1/u3-1", {"room": room})

    running = rows(Inspection)[0]
    assert answer.request.path == f"/inspections/{running.public_id}"
    assert "13 / 13" in answer.text and "Camera-like video stream over Wi-Fi" in answer.text
    assert client.get("/sweeps/demo-1/u3-1").location == "/inspect"


def test_a_list_of_ones_own_is_a_new_version(sign_in, app, post, begin):
    client = sign_in("manager")
    address = re.search(r'href="(/checklists/organisation/[^"]+)"', client.get("/checklists").text)[1]
    form = {"key": ["", ""], "text": ["벽", ""], "text_en": ["Walls", ""], "where": ["stall", "stall"]}

    page = post(client, address, form)

    assert "Version 1 of the list" in page.text and "Walls" in page.text
    inspecting, running = begin()
    assert "Walls" in inspecting.get(f"/inspections/{running}/eye").text
    page = post(client, address, {"drop": "1"})
    assert "the one that comes with the program" in page.text


def test_a_known_device_is_added_and_taken_off_with_the_reason(sign_in, post, rows, app):
    client = sign_in("manager")
    site = re.search(r'<option value="([^"]+)"', client.get("/emitters").text)[1]
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


def test_the_false_alarm_page_says_the_rate_and_what_it_rests_on(begin, say, post, sign_in):
    say.info("demo-1")
    client, running = begin("demo-1")
    say.finding("demo-1", running)
    manager = sign_in("manager")
    assert "Nothing judged yet" in manager.get("/findings/alarms").text
    finding = re.search(r'href="(/findings/[0-9a-z]{12})"', manager.get("/findings").text)[1]
    post(client, finding, {"kind": "false", "reason": "a baby monitor"})

    page = manager.get("/findings/alarms").text

    assert "100.0 %" in page and "1 false of 1 judged alarms" in page and "esp32_devkit" in page and "0.1.0" in page


def test_a_finding_shows_its_restroom_visit_by_visit(begin, say, post, sign_in):
    client, running = begin("demo-1")
    say.finding("demo-1", running)
    page = client.get(re.search(r'href="(/findings/[0-9a-z]{12})"', client.get("/findings").text)[1]).text

    assert "This restroom, visit by visit" in page and "This finding" in page


def test_a_campaign_from_its_plan_to_its_closing_report(sign_in, post, upload, rows, begin, room):
    client = sign_in("manager")
    assert "Please give the day." in post(client, "/campaigns/new", {"name": "July", "day": "x"}).text
    post(client, "/campaigns/new", {"name": "July sweep", "day": "2026-07-14"})
    campaign = f"/campaigns/{rows(Campaign)[0].public_id}"
    plan = f"{campaign}/plan"
    assert "needs a team and a building" in post(client, plan, {"do": "begin"}).text
    for name, way in (("North", "foot"), ("South", "car")):
        page = post(client, plan, {"do": "team", "name": name, "way": way}).text
    north, south = re.findall(r'<option value="([0-9a-z]{10})">(?:North|South)</option>', page)[:2]
    post(client, plan, {"do": "member", "team": north, "name": "Park", "agency": "Police", "partner": "police"})
    hall = re.search(r'name="facility" value="([^"]+)"', page[page.index("Buildings to add") :])[1]
    sites = re.findall(r'name="facility" value="([^"]+)"', page)
    post(client, plan, {"do": "stops", "facility": sites, "team": north})
    page = post(client, plan, {"do": "begin"})
    assert page.request.path == campaign and "0 / 10" in page.text and "Park (Police)" in page.text

    inspector, running = begin()
    live = f"{campaign}/live?since="
    news = client.get(live + "0").text
    assert "1 running" in news
    mark = re.search(r'since=([^"]+)"', news)[1]
    assert client.get(live + mark).status_code == 204
    stop = f"{campaign}/stops/{hall}"
    assert "Please give the reason" in post(client, stop, {"do": "hand_over", "team": south, "reason": ""}).text
    post(client, stop, {"do": "hand_over", "team": south, "reason": "held up"})
    assert "held up" in client.get(campaign).text
    rooms = re.findall(r'<option value="([0-9a-z]{10})">', client.get(stop).text)
    form = {"do": "act", "room": rooms[0], "text": "vent screwed tight"}
    upload(inspector, stop, form, stop, before=jpeg(colour="red"), after=jpeg(colour="green"))
    assert len(rows(CampaignAction)) == 1 and [one.kind for one in rows(Photo)] == ["before", "after"]
    post(inspector, f"/inspections/{running}/finish", {"result": "not_completed", "reason": "water"})

    report = post(client, plan, {"do": "close", "closing": "Thanks to all"}, page=campaign).text

    assert "Closing report: July sweep" in report and "0 of 10 restrooms inspected" in report
    assert "1 not completed" in report and "vent screwed tight" in report and "Thanks to all" in report
    assert client.get(live + "0").headers["HX-Refresh"] == "true"


@pytest.mark.parametrize("language", ["en", "ko"])
def test_no_page_promises_safety(sign_in, finished, language):
    _, done = finished
    client = sign_in("manager", language)

    for address in (f"/inspections/{done}", f"/inspections/{done}/sign", "/campaigns", "/emitters", "/findings/alarms"):
        page = client.get(address).text.lower()
        assert " safe" not in page and "camera found" not in page and "안전합니다" not in page


HUGE = "9" * 30


@pytest.mark.parametrize(
    "address",
    [
        f"/emitters?before={HUGE}",
        "/holes?before=zz",
        f"/findings/alarms?days={HUGE}",
        "/inspect?number=%00abc",
        "/campaigns/zz",
        "/photos/zz.jpg",
        "/sweeps/demo-1/zz",
        "/checklists/facility/zz",
    ],
)
def test_an_address_that_somebody_made_up_breaks_nothing(sign_in, address):
    assert sign_in("manager").get(address).status_code in (200, 400, 404)


@pytest.mark.parametrize(
    "address, form",
    [
        (f"/emitters/{HUGE}/renew", {}),
        ("/emitters", {"facility": "zz", "kind": "neighbour"}),
        ("/inspections/%s/sign", {"person": HUGE, "strokes": "[]"}),
        ("/inspections/%s/eye", {"stall": HUGE, "rest": "1"}),
        ("/inspections/%s/holes", {"stall": "-1", "place": "x"}),
        ("/campaigns/new", {"name": "x" * 5000, "day": "9999-12-31"}),
    ],
)
def test_a_form_that_somebody_made_up_breaks_nothing(begin, sign_in, post, address, form):
    client, running = begin(client=sign_in("manager"))

    answer = post(client, address % running if "%s" in address else address, form, page="/me")

    assert answer.status_code in (200, 404)
