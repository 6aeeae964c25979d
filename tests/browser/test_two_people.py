"""Two people inspect one restroom at once, each with a browser: neither takes back what the other saw."""

import re

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from server.models import ChecklistAnswer, Restroom
from server.services.inspecting import inspections
from server.services.people import accounts
from tests.browser.conftest import DESK, PASSWORD, PHONE, sign_in
from tests.support import persons
from tests.support.page_checks import CHECK_PAGE

pytestmark = pytest.mark.chromium

NEW = {"ko": "이 화면이 열려 있는 동안", "en": "Answered by others while this page was open"}
DIFFER = {"ko": "두 사람이 이 항목에 서로 다르게 답했습니다", "en": "Two people answered this differently"}


@pytest.fixture
def running(site):
    """The public id of an inspection that runs; also adds a second inspector."""
    with site.server.sessions.begin() as session:
        user, _ = accounts.add_user(session, "inspector", "박지훈", accounts.INSPECTOR, PASSWORD)
        room = session.scalar(select(Restroom).where(Restroom.stalls > 0).limit(1))
        return inspections.start(session, room, user).public_id


def answer(page, key, word, note=""):
    """Choose an answer of the open page, with its note."""
    page.locator(f'[name="answer-{key}"][value="{word}"]').check(force=True)
    if note:
        page.fill(f"#note-{key}", note)


@pytest.mark.parametrize("language, size", [("ko", PHONE), ("en", DESK)])
def test_the_second_page_takes_back_no_suspicion(site, visit, running, language, size):
    kim, park = visit(site, language, size), visit(site, language, size)
    sign_in(kim, "manager")
    sign_in(park, "inspector")
    eye = f"/inspections/{running}/eye?stall=1"
    kim.goto(eye)
    answer(kim, "door", "ok")
    expect(kim.locator("#saved")).to_have_attribute("data-state", "done")
    kim.goto(eye)
    park.goto(eye)

    answer(park, "door", "suspicious", "문 아래 구멍 / a hole below")
    answer(park, "bin", "suspicious", "a new bin")
    with park.expect_navigation():
        park.locator("main form .button-main").click()
    answer(kim, "hooks", "ok")
    answer(kim, "bin", "ok")

    expect(kim.locator("#saved")).to_contain_text(NEW[language])
    kim.goto(eye)
    expect(kim.locator('[name="answer-door"][value="suspicious"]')).to_be_checked()
    expect(kim.locator("main")).to_contain_text("문 아래 구멍 / a hole below")
    expect(kim.locator("fieldset", has=kim.locator("#note-bin"))).to_contain_text(DIFFER[language])
    expect(kim.locator("fieldset", has=kim.locator("#note-bin"))).to_contain_text("박지훈")
    look = kim.evaluate(CHECK_PAGE)
    persons.Album(language, size["width"]).keep(kim, "two-people")
    assert not look["faint"] and not look["unnamed"] and not look["small"] and look["wider"] == 0
    answer(kim, "bin", "ok", "looked at together: the cleaner's new bin")
    kim.locator("main form .button-main").click()
    kim.wait_for_url(re.compile("stall=|inspections"))
    with site.server.sessions() as session:
        rows = session.scalars(select(ChecklistAnswer).where(ChecklistAnswer.item.in_(("door", "bin"))))
        assert sorted((row.item, row.answer) for row in rows) == [
            ("bin", "ok"),
            ("bin", "ok"),
            ("bin", "suspicious"),
            ("door", "ok"),
            ("door", "suspicious"),
        ]
