"""Restrooms: the list, one restroom with its log, a new one, the sign on its door and what its code leads to."""

import re
from io import BytesIO

import pytest
import segno
from pypdf import PdfReader
from sqlalchemy import event, select

from server import clock
from server.models import Facility, Restroom
from server.services.inspecting import checklists, inspections
from server.services.intake import heartbeat
from server.services.people import accounts
from server.services.people.accounts import SYSTEM
from server.services.places import due_dates, organisations, restrooms
from tests.support.values import match, present

DAY_S = 86400


@pytest.fixture
def visited(app, begin, room, say):
    """A function that has `room` inspected some days ago by some methods."""

    def visit(days_ago=0, methods=("eye", "lens"), result="none_found", reason=""):
        _client, running = begin()
        with app.extensions["sessions"].begin() as session:
            inspection = inspections.load(session, accounts.SYSTEM, running)
            inspection.started_s -= days_ago * DAY_S
            for method in methods:
                checklists.answer_rest(session, inspection, accounts.SYSTEM)
                inspections.record_step(session, inspection, method, "none_found", accounts.SYSTEM)
            outcome = inspections.finish(session, inspection, accounts.SYSTEM, result, reason)
            outcome.at_s -= days_ago * DAY_S
            inspection.finished_s = present(inspection.finished_s) - days_ago * DAY_S
            inspected = present(session.get(Restroom, inspection.restroom_id))
            inspected.last_inspected_s = present(inspected.last_inspected_s) - days_ago * DAY_S
            session.flush()
            due_dates.refresh(session, [inspection.restroom_id])
        return running

    return visit


def row_of(page, name):
    """The text of a restroom's row in the list."""
    return next(row for row in page.text.split('<li class="place">') if name in row)


@pytest.fixture
def eye_and_lens(app):
    """The plan asks for nothing else."""
    with app.extensions["sessions"].begin() as session:
        for method in ("rf", "selftest"):
            due_dates.set_policy(session, SYSTEM, method, 0)


def test_the_list_says_when_and_how_a_restroom_was_last_inspected(sign_in, visited, eye_and_lens):
    visited(methods=("eye", "lens"))

    row = row_of(sign_in().get("/"), "Women&#39;s, ground floor")

    assert "Last inspected" in row
    assert "Eye" in row
    assert "Lens finder" in row
    assert "RF sensor" not in row


def test_a_restroom_is_overdue_half_a_year_after_its_last_inspection(sign_in, visited):
    visited(days_ago=184)

    assert "Overdue" in row_of(sign_in().get("/"), "Women&#39;s, ground floor")


def test_a_method_that_was_left_out_is_still_due(sign_in, visited):
    visited(days_ago=3)

    assert "Due now: RF sensor" in row_of(sign_in().get("/"), "Women&#39;s, ground floor")


def test_a_restroom_that_was_inspected_lately_shows_by_when_it_is_due(sign_in, visited, eye_and_lens):
    visited(days_ago=3)

    row = row_of(sign_in().get("/"), "Women&#39;s, ground floor")

    assert "Overdue" not in row
    assert "By " in row


def test_an_inspection_that_was_not_completed_leaves_the_restroom_due(sign_in, visited):
    visited(methods=("eye",), result="not_completed", reason="cleaning")

    assert "Due now" in row_of(sign_in().get("/"), "Women&#39;s, ground floor")


def test_the_list_shows_who_waits_for_a_person(sign_in, begin, say):
    _client, running = begin("demo-1")
    say.finding("demo-1", running)

    page = sign_in().get("/?state=findings")

    assert "1 open" in row_of(page, "Women&#39;s, ground floor")
    assert page.text.count('<li class="place">') == 1


def test_the_search_finds_by_words_of_name_and_building_in_both_languages(sign_in):
    client = sign_in()

    assert client.get("/?search=imaginary+family").text.count('<li class="place">') == 1
    assert client.get("/?search=가상역").text.count('<li class="place">') == 3
    assert "No restroom fits this search." in client.get("/?search=nowhere").text


def test_the_list_runs_as_many_queries_for_fifty_rows_as_for_ten(app, sign_in):
    client = sign_in()
    few = _queries(app, lambda: client.get("/"))
    with app.extensions["sessions"].begin() as session:
        facility = session.scalar(select(Facility))
        for number in range(60):
            restrooms.add(session, facility, f"Room {number}")

    assert _queries(app, lambda: client.get("/")) == few


def test_sixty_restrooms_are_two_pages(app, sign_in):
    with app.extensions["sessions"].begin() as session:
        facility = session.scalar(select(Facility))
        for number in range(50):
            restrooms.add(session, facility, f"Room {number:02}")
    client = sign_in()

    first = client.get("/")
    onward = match(r'href="(/\?after=[^"]+)"', first.text)[1]
    second = client.get(onward)

    assert first.text.count('<li class="place">') == 50
    assert second.text.count('<li class="place">') == 10
    assert second.text.count("Room 49") or first.text.count("Room 49")
    assert "before=" in second.text and "before=" not in first.text


def test_the_log_of_a_restroom_is_newest_first_and_says_what_was_done(sign_in, visited, room):
    visited(days_ago=30, methods=("eye",), result="not_completed", reason="Stall 3 was locked")
    visited(days_ago=0, methods=("eye", "lens"))

    page = sign_in().get(f"/restrooms/{room}").text

    assert page.index("None found by eye and lens finder") < page.index("Not completed")
    assert "Stall 3 was locked" in page


def test_a_manager_adds_a_restroom_to_a_building_and_a_building_with_it(app, sign_in, post):
    client = sign_in("manager")
    form = {
        "facility": "new",
        "facility_name": "Library",
        "name": "Women's, 3rd floor",
        "block": "women",
        "stalls": "6",
    }

    page = post(client, "/restrooms/new", form)

    assert "The restroom has been added." in page.text
    assert "Library" in page.text
    with app.extensions["sessions"]() as session:
        added = session.scalar(select(Restroom).where(Restroom.name == "Women's, 3rd floor"))
        assert (added.facility.name, added.stalls, added.block) == ("Library", 6, "women")
        assert added.facility.organisation is not None


@pytest.mark.parametrize(
    "form, words",
    [
        ({"facility": "new", "name": "X", "block": "women"}, "Please fill this in."),
        ({"facility": "new", "facility_name": "Library", "block": "women"}, "Please fill this in."),
        ({"facility": "new", "facility_name": "L", "name": "X", "block": "women", "stalls": "-1"}, "A number from 0"),
    ],
)
def test_a_restroom_that_lacks_something_is_not_added(app, sign_in, post, form, words):
    page = post(sign_in("manager"), "/restrooms/new", form)

    assert words in page.text
    assert 'aria-invalid="true"' in page.text
    with app.extensions["sessions"]() as session:
        assert session.scalar(select(Restroom).where(Restroom.name == "X")) is None


def test_an_administrator_moves_a_building_and_its_page_says_where_it_belonged(app, sign_in, post, room):
    with app.extensions["sessions"].begin() as session:
        hall = session.scalars(select(Restroom).where(Restroom.public_id == room)).one().facility
        address, former = f"/buildings/{hall.public_id}", hall.organisation.name_en
        park = organisations.add(session, "Park office").public_id
    client = sign_in("admin")

    page = post(client, f"{address}/move", {"organisation": park})

    assert "The building was moved." in page.text
    facts = re.findall("<dt>(Until[^<]*)</dt><dd>([^<]*)</dd>", page.text)
    assert [name for _until, name in facts] == [former]
    with app.extensions["sessions"]() as session:
        assert session.scalars(select(Restroom).where(Restroom.public_id == room)).one().facility.organisation.name == (
            "Park office"
        )


def test_a_building_moves_only_between_organisations_that_the_user_administers(app, sign_in, post, room):
    with app.extensions["sessions"].begin() as session:
        hall = session.scalars(select(Restroom).where(Restroom.public_id == room)).one().facility
        address, own = f"/buildings/{hall.public_id}/move", hall.organisation.public_id
        organisations.add(session, "Park office")

    refused = post(sign_in("manager"), address, {"organisation": own})
    same = post(sign_in("admin"), address, {"organisation": own})

    assert refused.status_code == 403
    assert "The building was moved." not in same.text


def test_the_code_on_the_door_holds_the_address_of_the_public_page_only(sign_in, room):
    client = sign_in()

    drawn = client.get(f"/restrooms/{room}/code.svg")

    expected = BytesIO()
    code = segno.make(f"http://localhost/r/{room}", error="m", micro=False)
    code.save(expected, kind="svg", scale=8, border=2, xmldecl=False)
    assert drawn.mimetype == "image/svg+xml"
    assert drawn.data == expected.getvalue()
    assert f"http://localhost/r/{room}" in client.get(f"/restrooms/{room}/sign").text


def test_the_signs_of_a_building_are_one_page_each_without_the_rooms_out_of_use(app, sign_in, room, has_fonts):
    with app.extensions["sessions"].begin() as session:
        hall = session.scalars(select(Restroom).where(Restroom.public_id == room)).one().facility
        address = f"/buildings/{hall.public_id}/signs"
        restrooms.add(session, hall, "닫힌 화장실").retired_s = clock.now_s()
        used = [one.public_id for one in hall.restrooms if not one.retired_s]
    client = sign_in("viewer", "ko")

    page, file = client.get(address).text, client.get(f"{address}?as=pdf")

    assert [f"/r/{public_id}" in page for public_id in used] == [True] * len(used)
    assert page.count('class="door-sign"') == len(used) and "닫힌 화장실" not in page
    assert file.mimetype == "application/pdf"
    pages = PdfReader(BytesIO(file.data)).pages
    assert len(pages) == len(used)
    assert (round(pages[0].mediabox.width / 72 * 25.4), round(pages[0].mediabox.height / 72 * 25.4)) == (148, 210)


def test_the_public_page_says_day_and_methods_and_where_to_get_help(stranger, visited, room):
    visited(days_ago=2, methods=("eye", "lens"))

    page = stranger().get(f"/r/{room}").text

    assert "Last inspected" in page
    assert "Eye" in page
    assert "Lens finder" in page
    for number in ("112", "1366", "02-735-8994"):
        assert number in page


def test_the_public_page_tells_nothing_of_findings_results_people_or_signals(app, stranger, begin, say, room):
    _client, running = begin("demo-1", partner="Officer Lee")
    say.sweep("demo-1", running)
    say.finding("demo-1", running)
    with app.extensions["sessions"].begin() as session:
        inspection = inspections.load(session, accounts.SYSTEM, running)
        checklists.answer_rest(session, inspection, accounts.SYSTEM)
        inspections.record_step(session, inspection, "eye", "none_found", accounts.SYSTEM)
        inspections.finish(session, inspection, accounts.SYSTEM, "referred", "112 called")

    page = stranger().get(f"/r/{room}").text

    assert "Last inspected" in page
    for secret in ("Referred", "112 called", "Officer Lee", "demo-1", "dBm", "channel", "Camera-like", running):
        assert secret not in page, secret


def test_an_inspection_that_was_not_completed_is_no_inspection_to_the_public(stranger, visited, room):
    visited(methods=("eye",), result="not_completed", reason="cleaning")

    assert "No inspection has been recorded" in stranger().get(f"/r/{room}").text


def _queries(app, work):
    counted = []
    engine = app.extensions["sessions"].engine

    def count(*_):
        counted.append(clock.now_s())

    event.listen(engine, "before_cursor_execute", count)
    try:
        work()
    finally:
        event.remove(engine, "before_cursor_execute", count)
    return len(counted)


@pytest.mark.parametrize(
    ("role", "language", "sentence"),
    [
        ("admin", "en", "the ingest process is not running"),
        ("manager", "ko", "센서의 보고가 저장되지 않고 있습니다."),
        ("inspector", "en", ""),
    ],
)
def test_the_start_page_says_to_those_who_manage_that_ingest_is_not_running(
    sign_in, settings, role, language, sentence
):
    client = sign_in(role, language)
    missing = client.get("/").text
    heartbeat.beat(settings.data)
    beating = client.get("/").text

    assert sentence in missing and ("ingest" in missing) == bool(sentence)
    assert "ingest" not in beating
