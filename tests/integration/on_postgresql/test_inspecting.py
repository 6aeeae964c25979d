"""The complex queries of inspecting on PostgreSQL."""

import pytest
from pydantic import SecretStr

from server import clock, db, migrations
from server import vault as vault_
from server.config import Settings
from server.models import KnownEmitter, Restroom
from server.services.findings import dispositions, false_alarms, findings, known_emitters
from server.services.findings.pseudonyms import Pseudonyms
from server.services.inspecting import (
    button_sweeps,
    campaign_board,
    campaigns,
    checklists,
    holes,
    inspections,
    signatures,
)
from server.services.people import accounts, scopes
from server.services.people.accounts import SYSTEM
from server.services.places import facilities, organisations, restrooms
from server.services.sensors import enrolment
from tests.support import postgresql
from tests.support.sensor_messages import Voice, heard

pytestmark = pytest.mark.postgresql
ADDRESS = "00:12:34:56:78:9a"
SIGNATURE = [[100, 100, 200, 200, 300, 120, 400, 220], [450, 100, 500, 300, 520, 310, 600, 90]]


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """An empty database and its vault."""
    with postgresql.server() as make:
        settings = Settings(data=tmp_path_factory.mktemp("data"), database_url=SecretStr(make()))
        migrations.upgrade(settings)
        sessions = db.open_sessions(settings.url())
        yield sessions, vault_.open_vault(settings)
        sessions.engine.dispose()


def test_a_day_of_inspecting(installation):
    sessions, vault = installation
    names, now_s = Pseudonyms(vault), clock.now_s()
    with sessions.begin() as session:
        kim, _ = accounts.add_user(session, "kim", "Kim", "manager", "correct horse battery")
        hall, _ = enrolment.enrol(session, vault, "hall-1")
        hall.info = {"board": "esp32_devkit", "version": "0.1.0"}
        facility = facilities.add(session, organisations.add(session, "City"), "Hall")
        room = restrooms.add(session, facility, "Women's", stalls=2)
        other = restrooms.add(session, facility, "Men's", stalls=1)
        day = campaigns.add(session, kim, "Sweep", now_s)
        campaigns.add_stop(session, day, kim, facility, campaigns.add_team(session, day, kim, "North", "foot"))
        campaigns.begin(session, campaigns.load(session, kim, day.public_id), kim)
    with sessions.begin() as session:
        scopes.set_places(session, kim, False, [scopes.Place(scopes.FACILITY, facility)])
        voice = Voice(hall)
        voice.inspection = "u1-1"
        heard(session, names, voice.says(at_s=now_s), voice.finds(at_s=now_s, subject=ADDRESS), now_s=now_s)
        room = session.get(Restroom, room.id)
        waiting = button_sweeps.list_waiting(session, accounts.SYSTEM)[0]
        assert button_sweeps.suggest_restrooms(session, kim, waiting)
        one = button_sweeps.assign(session, waiting, kim, room)
        found = inspections.list_findings(session, one)[0]
        dispositions.dispose(session, found, kim, "false", "a baby monitor")
        checklists.answer_rest(session, one, kim)
        for method in ("eye", "rf", "lens"):
            inspections.record_step(session, one, method, "none_found", kim)
        holes.add(session, room, kim, 1, "door", one)
        inspections.finish(session, one, kim, "none_found")
        inspections.start(session, session.get(Restroom, other.id), kim)
        known_emitters.add(session, kim, facility, ADDRESS, "CCTV", "neighbour", "seen")
    with sessions.begin() as session:
        one = inspections.load(session, accounts.SYSTEM, one.public_id)
        signatures.sign_drawn(session, one, one.people[0], kim, SIGNATURE)

        assert button_sweeps.list_waiting(session, kim) == [] and len(holes.list_holes(session, kim).rows) == 1
        assert [row.emitter for row in known_emitters.list_emitters(session, kim).rows] == session.query(
            KnownEmitter
        ).all()
        total = false_alarms.load_rates(session, kim, now_s - 9, now_s + 999).total
        assert (total.alarms, total.false, total.false_permille) == (1, 1, 1000)
        detail = findings.load_detail(session, kim, findings.load(session, SYSTEM, found.public_id), names)
        assert [visit.finding and visit.finding.id for visit in detail.visits] == [found.id]
        day = campaigns.load(session, kim, day.public_id)
        board = campaign_board.load(session, day)
        assert (board.total.rooms, board.total.done, board.total.running) == (2, 1, 1)
        assert campaign_board.mark(session, day) and campaigns.list_campaigns(session, kim) == [day]
        assert inspections.list_running(session, kim)[0].restroom_id == other.id
