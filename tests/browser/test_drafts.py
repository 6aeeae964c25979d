"""What was typed survives a lost connection, a lost answer and an ended session, and is recorded once."""

import pytest
from playwright.sync_api import expect
from sqlalchemy import select, update

from server import clock
from server.models import Facility, Restroom
from server.models.people import UserSession
from tests.browser.conftest import PASSWORD, PHONE, sign_in

pytestmark = pytest.mark.chromium

NAME = "a restroom behind the stage"
KEPT = "() => Object.keys(sessionStorage).filter((key) => key.startsWith('draft:')).length"


@pytest.fixture
def typed(site, visit):
    """A window with a form that is filled in and not sent."""
    page = visit(site, "en", PHONE, may_complain=True)
    sign_in(page)
    expect(page.locator("nav.tabs")).to_be_visible()
    with site.server.sessions() as session:
        hall = session.scalar(select(Facility.public_id).limit(1))
    page.goto(f"/restrooms/new?facility={hall}")
    page.fill("#name", NAME)
    page.select_option("#block", "men")
    page.fill("#stalls", "3")
    return page


def rooms(site):
    with site.server.sessions() as session:
        return list(
            session.execute(select(Restroom.name, Restroom.block, Restroom.stalls).where(Restroom.name == NAME))
        )


def send(page):
    page.locator("main form[method=post] .button-main").first.click()


def test_without_a_connection_the_page_stays_and_is_sent_later(site, typed):
    typed.context.set_offline(True)
    send(typed)

    expect(typed.locator("main form [role=alert]")).to_contain_text("No connection: this was not sent")
    expect(typed.locator("#name")).to_have_value(NAME)
    assert rooms(site) == []
    typed.context.set_offline(False)
    send(typed)
    expect(typed.locator("h1")).to_contain_text(NAME)
    assert len(rooms(site)) == 1 and typed.evaluate(KEPT) == 0


def test_a_form_whose_request_is_lost_is_filled_in_again(site, typed):
    address = typed.url
    typed.route("**/restrooms/new*", lambda route: route.abort())
    send(typed)
    typed.wait_for_timeout(500)
    typed.unroute("**/restrooms/new*")
    typed.goto(address)

    expect(typed.locator("main form [role=status]")).to_contain_text("filled in again")
    expect(typed.locator("#name")).to_have_value(NAME)
    expect(typed.locator("#block")).to_have_value("men")
    send(typed)
    expect(typed.locator("h1")).to_contain_text(NAME)
    assert rooms(site) == [(NAME, "men", 3)] and typed.evaluate(KEPT) == 0


def test_a_form_whose_answer_is_lost_is_recorded_once(site, typed):
    """The server has handled it, the phone does not know: sent again, it leads to what the first one made."""
    address = typed.url

    def lose_the_answer(route):
        if route.request.method == "POST":
            route.fetch(max_redirects=0)
            route.abort()
        else:
            route.continue_()

    typed.route("**/restrooms/new*", lose_the_answer)
    send(typed)
    typed.wait_for_timeout(1000)
    typed.unroute("**/restrooms/new*")
    assert len(rooms(site)) == 1
    typed.goto(address)
    if typed.locator("#name").input_value() == NAME:
        send(typed)

    typed.wait_for_load_state()
    assert len(rooms(site)) == 1


def test_an_ended_session_asks_to_sign_in_and_goes_on(site, typed):
    with site.server.sessions.begin() as session:
        session.execute(update(UserSession).values(ended_s=clock.now_s()))
    send(typed)
    typed.fill("#login", "manager")
    typed.fill("#password", PASSWORD)
    typed.click("main button")
    expect(typed.locator("blockquote")).to_contain_text(NAME)
    send(typed)

    expect(typed.locator("h1")).to_contain_text(NAME)
    assert len(rooms(site)) == 1 and typed.evaluate(KEPT) == 0


def test_signing_out_forgets_what_was_typed(site, typed):
    typed.context.set_offline(True)
    send(typed)
    expect(typed.locator("main form [role=alert]")).to_be_visible()
    assert typed.evaluate(KEPT) == 1
    typed.context.set_offline(False)
    typed.goto("/me")
    typed.locator('form[action="/logout"] button').click()
    typed.wait_for_url("**/login*")

    assert typed.evaluate(KEPT) == 0
