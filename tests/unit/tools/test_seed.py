"""
The filled database: the sizes asked for, the same each time, and told the same by its current columns and its records.
"""

import pytest
from sqlalchemy import event, func, select

from server import create_app, db, migrations
from server.config import Settings
from server.models import Facility, Finding, Inspection, InspectionStep, Organisation, Restroom, Sweep, User
from server.services.places import due_dates
from tests.support.session_cookies import cookie_of
from tools import seed
from tools.lib.errors import ToolError

NOW_S = 1_800_000_000
SIZES = seed.Sizes(restrooms=120, inspections=600, sweeps=900, findings=200)
# Beside every page without an argument, which the test finds by itself.
LISTS = ("/?search=가상건물", "/?state=findings", "/findings?status=all", "/plan?show=soon", "/reports?year=2026")
# Pages of one thing that has many rows of its own.
DETAIL_PAGES = (
    (Restroom, "/restrooms/{}"),
    (Restroom, "/r/{}"),
    (Facility, "/buildings/{}"),
    (Organisation, "/organisations/{}"),
    (Organisation, "/reports?of={}"),
    (Facility, "/reports?of={}"),
    (Inspection, "/inspections/{}"),
    (Finding, "/findings/{}"),
)
MOST_QUERIES = 40  # a record has 37, none for each row; a page with a query a row would have fifty


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    settings = Settings(data=tmp_path_factory.mktemp("seed"))
    migrations.upgrade(settings)
    seed.fill(settings, SIZES, seed=3, now_s=NOW_S)
    return settings


@pytest.fixture
def sessions(filled):
    made = db.open_sessions(filled.url())
    yield made
    made.engine.dispose()


def test_there_is_as_much_as_was_asked_for(sessions):
    with sessions() as session:
        counts = [
            session.scalar(select(func.count()).select_from(one)) for one in (Restroom, Inspection, Sweep, Finding)
        ]
        assert counts == [120, 600, 900, 200]
        assert session.scalar(select(func.count(InspectionStep.id))) == 1800


def test_the_same_seed_gives_the_same_rows(filled, sessions, tmp_path):
    settings = Settings(data=tmp_path)
    migrations.upgrade(settings)
    seed.fill(settings, SIZES, seed=3, now_s=NOW_S)

    again = db.open_sessions(settings.url())
    with sessions() as one, again() as other:
        for table in (Restroom, Inspection, Finding):
            query = select(table.__table__).order_by("id")
            assert [tuple(row) for row in one.execute(query)] == [tuple(row) for row in other.execute(query)]
    again.engine.dispose()


def test_due_dates_follow_from_the_inspections(sessions):
    with sessions() as session:
        before = {room.id: (room.due_s, room.eye_done_s) for room in session.scalars(select(Restroom))}
        due_dates.refresh(session, list(before))
        for room in session.scalars(select(Restroom)):
            if room.due_method != "selftest":
                assert before[room.id] == (room.due_s, room.eye_done_s)


def test_a_filled_database_is_left_alone(filled):
    with pytest.raises(ToolError, match="restrooms"):
        seed.fill(filled, SIZES)


def test_no_page_runs_a_query_per_row(filled):
    app = create_app(filled)
    counted = []
    event.listen(app.extensions["sessions"].engine, "before_cursor_execute", lambda *_: counted.append(1))
    with app.extensions["sessions"].begin() as session:
        user = session.scalar(select(User).where(User.login == "seed-1"))
        signed_in = cookie_of(session, user)
        detail_pages = [
            path.format(session.scalar(select(entity.public_id).order_by(entity.id.desc())))
            for entity, path in DETAIL_PAGES
        ]
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie.update(signed_in)
    rules = [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ()) and not rule.arguments]

    for address in [rule.rule for rule in rules] + [*LISTS, *detail_pages]:
        counted.clear()
        answer = client.get(address)
        # No ingest runs here, so the installation is not ready.
        assert answer.status_code in ((503,) if address == "/readyz" else (200, 204, 302, 403)), address
        assert len(counted) <= MOST_QUERIES, (address, len(counted))
    assert len(rules) > 25
    app.extensions["sessions"].engine.dispose()
