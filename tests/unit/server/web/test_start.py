"""The start page by role, and on a server without restrooms."""

import pytest
from sqlalchemy import update

from server import clock
from server.models import Restroom
from server.services.people.accounts import SYSTEM
from server.services.places import restrooms, visitor_requests
from server.services.reporting import overview
from tests.unit.server.web.conftest import find


def tile(page, text):
    """Return the number that stands with a text."""
    return int(find(rf'<span class="big">(\d+)</span><span>{text}', page))


def test_a_manager_sees_what_waits_and_each_number_leads_to_its_list(app, begin, say, sign_in, room):
    _client, running = begin("demo-1")
    say.finding("demo-1", running)
    with app.extensions["sessions"].begin() as session:
        visitor_requests.record(session, restrooms.load(session, SYSTEM, room))

    page = sign_in("manager").get("/start").text

    assert tile(page, "open alarms") == tile(page, "running inspections") == tile(page, "requests of visitors") == 1
    assert 'href="/findings"' in page and 'href="/?state=running"' in page and 'href="/plan?show=asked"' in page
    assert "This half-year" in page and page.count('class="chart-svg"') >= 1


def test_an_inspector_continues_before_anything_else_and_sees_the_next_restroom(begin, sign_in):
    client, running = begin("demo-1")

    page = client.get("/start").text

    assert page.index(f"/inspections/{running}") < page.index("Next restroom")
    assert "restrooms overdue" not in page


def test_an_official_sees_the_half_year_in_per_cent(sign_in, lens_inspection):
    page = sign_in("viewer").get("/start").text

    assert "<strong>10 %</strong>" in page and "of 10 restrooms inspected" in page
    assert "What waits" not in page and "Next restroom" not in page


@pytest.mark.parametrize(("role", "text"), [("manager", "Add the restrooms"), ("viewer", "A manager adds them.")])
def test_a_newcomer_sees_what_to_do_first(app, sign_in, role, text):
    with app.extensions["sessions"].begin() as session:
        session.execute(update(Restroom).values(retired_s=clock.now_s(), due_s=None))

    page = sign_in(role).get("/start").text

    assert "What to do first" in page and text in page and "What waits" not in page


def test_weeks_are_counted_from_now_backwards(app, sign_in, lens_inspection):
    with app.extensions["sessions"]() as session:
        now_s = clock.now_s()
        assert [week.inspections for week in overview.count_by_week(session, SYSTEM, now_s, weeks=3)] == [0, 0, 1]
        later_s = now_s + overview.WEEK_S
        assert [week.inspections for week in overview.count_by_week(session, SYSTEM, later_s, weeks=3)] == [0, 1, 0]
