"""Inspecting in a basement: the network fails, the inspector continues, and nothing is lost."""

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from server.models import Inspection, OfflineVisit, Restroom
from server.services.inspecting import checklists
from server.services.people import accounts
from tests.browser.conftest import PASSWORD, PHONE, sign_in
from tests.support import persons
from tests.support.page_checks import CHECK_PAGE

pytestmark = pytest.mark.chromium

HANDED_OVER = {"ko": "전달했습니다", "en": "has been handed over"}
DONE = "#visit .button-main"

# Resolves when the phone has the kit, and the worker that shows the page without a network is at work.
TAKEN_ALONG = """
async () => {
  while (!(await OfflineStore.kit()) || navigator.serviceWorker.controller?.state !== "activated") {
    await new Promise((done) => setTimeout(done, 50));
  }
}
"""


WRITERS = "async () => (await OfflineStore.visits()).map((one) => one.user)"


@pytest.fixture
def room(site):
    """The public id of a restroom with one stall; also adds an inspector."""
    with site.server.sessions.begin() as session:
        accounts.add_user(session, "inspector", "Park Jihun", accounts.INSPECTOR, PASSWORD)
        return session.scalar(select(Restroom.public_id).where(Restroom.name == "가족화장실"))


def take_along(page, site):
    """Sign in with a network, and wait until the phone has what it needs."""
    sign_in(page, "inspector")
    page.wait_for_url(site.address + "/start")
    page.evaluate(TAKEN_ALONG)


@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_visit_without_a_network_is_handed_over_when_it_is_back(site, visit, room, language):
    page = visit(site, language, PHONE, may_complain=True)
    take_along(page, site)
    page.context.set_offline(True)

    page.goto(f"/r/{room}")  # what the code on the door says
    expect(page.locator("#parts > details")).to_have_count(2)
    look = page.evaluate(CHECK_PAGE)
    for part in page.locator("#parts > details").all():
        if part.get_attribute("open") is None:
            part.locator("summary").click()
        part.locator("label:has([data-rest])").click()
    page.locator('[name="lens"][value="none_found"]').check(force=True)
    persons.Album(language, PHONE["width"]).keep(page, "inspector-offline")
    page.click(DONE)
    expect(page.locator("#waiting li")).to_have_count(1)
    page.reload()
    expect(page.locator("#waiting li")).to_have_count(1)

    page.context.set_offline(False)
    page.goto("/inspect")
    expect(page.locator("#offline")).to_contain_text(HANDED_OVER[language])
    page.locator("#offline a").click()
    page.wait_for_url(site.address + "/inspections/*")

    assert not look["faint"] and not look["unnamed"] and not look["small"] and look["wider"] == 0
    with site.server.sessions() as session:
        one = session.scalar(select(Inspection))
        assert checklists.load_progress(session, one).open == 0
        assert [(step.method, step.outcome) for step in one.steps] == [("eye", "none_found"), ("lens", "none_found")]
    assert page.evaluate("async () => (await OfflineStore.visits()).length") == 0


def test_what_is_suspicious_says_what_to_do_and_wants_words(site, visit, room):
    page = visit(site, "en", PHONE, may_complain=True)
    take_along(page, site)
    page.context.set_offline(True)

    page.goto(f"/restrooms/{room}")
    page.locator("#parts > details").nth(1).locator("summary").click()
    item = page.get_by_role("group", name="Hooks and shelves")
    item.locator(".segment-suspicious").click()
    expect(page.locator("#scene a[href='tel:112']")).to_be_visible()
    page.click(DONE)
    expect(page.locator("#reasons")).to_be_visible()
    item.get_by_role("textbox").fill("A lens-like dot beside the upper screw")
    page.click(DONE)

    expect(page.locator("#waiting li")).to_have_count(1)


def test_a_visit_of_somebody_else_waits_for_them(site, visit, room):
    page = visit(site, "en", PHONE, may_complain=True)
    take_along(page, site)
    page.context.set_offline(True)
    page.goto(f"/r/{room}")
    expect(page.locator("#parts > details").first).to_be_visible()
    page.click(DONE)
    expect(page.locator("#waiting li")).to_have_count(1)
    page.context.set_offline(False)
    page.context.clear_cookies()

    sign_in(page, "manager")

    expect(page.locator("#offline")).to_contain_text("Somebody else wrote this on this phone")
    page.evaluate(TAKEN_ALONG)
    page.context.set_offline(True)
    page.goto(f"/r/{room}")
    expect(page.locator("#parts > details")).to_have_count(2)
    assert page.locator("#parts :checked").count() == 0  # a visit of one's own
    page.locator("#parts .segment-ok").first.click()
    expect(page.locator("#parts summary").first).to_contain_text("1 / ")  # counted once it is kept
    page.goto("/offline")
    expect(page.locator("#waiting li")).to_have_count(2)
    expect(page.locator("#waiting a[href]")).to_have_count(1)
    assert len(set(page.evaluate(WRITERS))) == 2
    with site.server.sessions() as session:
        assert session.scalar(select(OfflineVisit)) is None


def test_looking_and_searching_begin_no_visit(site, visit, room):
    page = visit(site, "en", PHONE, may_complain=True)
    take_along(page, site)
    page.context.set_offline(True)

    page.goto(f"/restrooms/{room}")
    expect(page.locator("#parts > details")).to_have_count(2)
    page.click("#later")
    page.fill("#number", "concourse")
    page.click("#find button")
    expect(page.locator("#rooms li")).to_have_count(2)
    page.fill("#number", room.replace("1", "l").replace("0", "O").upper())
    page.click("#find button")
    expect(page.locator("#parts > details")).to_have_count(2)

    assert page.evaluate(WRITERS) == []


def test_who_signs_out_takes_nothing_along(site, visit, room):
    page = visit(site, "en", PHONE, may_complain=True)
    take_along(page, site)

    page.goto("/me")
    page.click("form[action='/logout'] button")
    page.wait_for_url("**/login*")
    page.wait_for_function("async () => !(await OfflineStore.kit())")
    page.context.set_offline(True)
    page.goto(f"/r/{room}")

    expect(page.locator("#empty")).to_be_visible()
    expect(page.locator("#visit")).to_be_hidden()
