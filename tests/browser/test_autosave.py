"""Every press of the checklist is saved at once, and survives a lost network, a reload and the end of the session."""

import time

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from server.models import ChecklistAnswer, Restroom
from server.services.inspecting import inspections
from server.services.people import accounts
from tests.browser.conftest import DESK, PASSWORD, PHONE, sign_in
from tests.support import persons
from tests.support.page_checks import CHECK_PAGE
from tests.support.values import present

pytestmark = pytest.mark.chromium

PATIENCE_S = 20


@pytest.fixture
def running(site):
    """The public id of an inspection that runs; also adds an inspector."""
    with site.server.sessions.begin() as session:
        user, _ = accounts.add_user(session, "inspector", "박지훈", accounts.INSPECTOR, PASSWORD)
        room = session.scalar(select(Restroom).where(Restroom.stalls > 0).limit(1))
        return inspections.start(session, room, user).public_id


def press(page, key, word):
    """Press an answer of the open page."""
    page.locator(f'[name="answer-{key}"][value="{word}"]').check(force=True)


def wait_for_answers(site, expected):
    """Wait until the server has these answers: [(item, word), ...] in order."""
    query = select(ChecklistAnswer.item, ChecklistAnswer.answer).order_by(ChecklistAnswer.id)
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        with site.server.sessions() as session:
            stored = [tuple(row) for row in session.execute(query)]
        if stored == expected:
            return
        assert time.monotonic() < deadline_s, stored
        time.sleep(0.1)


@pytest.mark.parametrize("language, size", [("ko", PHONE), ("en", DESK)])
def test_every_press_is_saved_at_once_and_survives_what_happens_to_a_phone(site, visit, running, language, size):
    page = visit(site, language, size, may_complain=True)
    sign_in(page, "inspector")
    page.wait_for_url(site.address + "/start")
    page.goto(f"/inspections/{running}/eye?stall=1")
    saved = page.locator("#saved")

    press(page, "door", "ok")
    wait_for_answers(site, [("door", "ok")])
    expect(saved).to_have_attribute("data-state", "done")

    page.context.set_offline(True)
    press(page, "hooks", "ok")
    expect(saved).to_have_attribute("data-state", "offline")
    press(page, "bin", "suspicious")
    expect(page.locator("#scene a[href='tel:112']")).to_be_visible()
    page.fill("#note-bin", "a new bin")
    page.locator("#note-bin").blur()
    page.context.set_offline(False)
    stored = [("door", "ok"), ("hooks", "ok"), ("bin", "suspicious")]
    wait_for_answers(site, stored)

    page.context.clear_cookies()
    press(page, "hooks", "suspicious")
    page.fill("#note-hooks", "a glint")
    page.locator("#note-hooks").blur()
    expect(saved).not_to_have_attribute("data-state", "done")
    sign_in(page, "inspector")
    wait_for_answers(site, [*stored, ("hooks", "suspicious")])

    page.goto(f"/inspections/{running}/eye?stall=1")
    album = persons.Album(language, size["width"])
    album.keep(page, "autosave")
    look = page.evaluate(CHECK_PAGE)
    assert not look["faint"] and not look["unnamed"] and not look["small"] and look["wider"] == 0
    page.goto(f"/inspections/{running}")
    expect(page.locator("#next")).to_be_visible()
    album.keep(page, "running-head")
    look = page.evaluate(CHECK_PAGE)
    assert not look["faint"] and not look["unnamed"] and not look["small"] and look["wider"] == 0


def test_an_answer_that_the_server_refuses_is_shown_until_it_is_discarded(site, visit, running):
    page = visit(site, "en", PHONE, may_complain=True)
    sign_in(page, "inspector")
    page.wait_for_url(site.address + "/start")
    page.goto(f"/inspections/{running}/eye?stall=1")
    with site.server.sessions.begin() as session:
        inspection = inspections.load(session, accounts.SYSTEM, running)
        inspections.finish(session, inspection, present(inspection.started_by), "not_completed", "closed", "")

    press(page, "door", "ok")
    discard = page.get_by_role("button", name="Discard this answer")
    expect(discard).to_be_visible()
    page.goto("/work")
    expect(page.get_by_role("heading", name="My work today")).to_be_visible()
    expect(discard).to_be_visible()
    discard.click()
    expect(discard).to_have_count(0)
    page.reload()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('answer:')).length") == 0
    expect(discard).to_have_count(0)
