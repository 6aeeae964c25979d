"""A visitor at the door asks for an inspection or reports something; the people of the place see it."""

import string

import pytest
from sqlalchemy import select

from server.models import Organisation, VisitorReport
from server.services.inspecting import inspections
from server.services.people import accounts
from server.services.places import restrooms
from server.wording import visitor_page
from tests.unit.server.web.conftest import FORBIDDEN, find


def ask(client, post, room, **form):
    """Send the form of the public page; return (page, the visitor's code)."""
    page = post(client, f"/r/{room}/ask", form, page=f"/r/{room}").text
    return page, find(r'visitor-code">(\w+)<', page)


def test_a_visitor_asks_without_an_account_and_the_people_of_the_place_see_it(stranger, sign_in, post, room):
    page, code = ask(stranger(), post, room)

    assert "Not inspected since then." in page and code
    ask(stranger(), post, room)
    client = sign_in()
    assert "2 visitors asked for an inspection" in client.get(f"/restrooms/{room}").text
    assert "asked for 2 times" in client.get("/plan?show=asked").text


def test_a_loose_screw_in_a_stall_reaches_the_restroom_s_page_and_the_code_says_how_it_stands(
    app, stranger, sign_in, post, room
):
    _page, code = ask(stranger(), post, room, kind="screw", stall="2")
    assert "Loose or odd screw" in sign_in().get(f"/restrooms/{room}").text
    with app.extensions["sessions"].begin() as session:
        one = inspections.start(session, restrooms.load(session, accounts.SYSTEM, room), accounts.SYSTEM)
        inspections.record_step(session, one, "lens", "none_found", accounts.SYSTEM)
        inspections.finish(session, one, accounts.SYSTEM, "none_found")

    assert "Inspected on" in stranger().get(f"/r/{room}?code={code}").text
    assert "Loose or odd screw" not in sign_in().get(f"/restrooms/{room}").text


@pytest.mark.parametrize("form", [{"kind": "bomb"}, {"kind": "screw", "stall": "99"}, {"stall": "-1"}])
def test_what_the_form_does_not_offer_is_refused(stranger, post, room, rows, form):
    assert post(stranger(), f"/r/{room}/ask", form, page=f"/r/{room}").status_code == 200
    assert not rows(VisitorReport)


def test_a_code_of_another_restroom_or_none_says_nothing(app, stranger, post, room):
    _page, code = ask(stranger(), post, room)
    with app.extensions["sessions"]() as session:
        other = session.scalars(
            select(restrooms.Restroom.public_id).where(restrooms.Restroom.public_id != room)
        ).first()

    for address in (f"/r/{other}?code={code}", f"/r/{room}?code=zzzzzzzzzz"):
        assert "no report with this code" in stranger().get(address).text


def test_without_a_code_the_page_is_the_same_after_a_request_and_after_an_alarm(stranger, post, begin, say, room):
    def page():
        return stranger().get(f"/r/{room}").text.partition("<main")[2].partition("csrf_token")[0]

    before = page()
    ask(stranger(), post, room, kind="hole")
    _client, running = begin("demo-1")
    say.finding("demo-1", running)

    assert page() == before


@pytest.mark.parametrize("language", visitor_page.LANGUAGES)
def test_the_page_is_whole_in_each_language_with_112_first(app, stranger, room, language):
    with app.extensions["sessions"].begin() as session:
        session.scalars(select(Organisation)).one().phone = "055 123-4567"

    page = stranger().get(f"/r/{room}?lang={language}").text

    assert f'<html lang="{language}">' in page
    assert page.index("tel:112") < page.index("sms:112") < page.index("tel:1366") < page.index("tel:055123-4567")
    assert visitor_page.TEXTS[language]["rule"] in page


def test_all_languages_have_the_same_texts_and_claim_nothing():
    for language, texts in visitor_page.TEXTS.items():
        assert set(texts) == set(visitor_page.KEYS), language
        for key, text in texts.items():
            names = {name for _, name, _, _ in string.Formatter().parse(text) if name}
            assert names == {
                name for _, name, _, _ in string.Formatter().parse(visitor_page.TEXTS["en"][key]) if name
            }, (language, key)
            assert not [word for word in FORBIDDEN if word in text.lower()], (language, key)


def test_nobody_asks_for_ever(stranger, post, room):
    visitor, door = stranger(), f"/r/{room}"

    answers = [post(visitor, f"{door}/ask", page=door, follow=False).status_code for _ in range(6)]

    assert answers == [302] * 5 + [429]
