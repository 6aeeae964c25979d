"""
What every form of the pages is sent with, so that it is accepted, on the objects of route_samples.py.

A new form without an entry here fails in tests/unit/server/web/test_form_submissions.py.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.models import (
    Campaign,
    CampaignTeam,
    Finding,
    Inspection,
    Release,
    Restroom,
    Rollout,
    Sensor,
    Token,
    User,
    UserSession,
)
from server.models.inspections import NOT_COMPLETED
from server.services.inspecting import campaigns, checklists, inspections
from server.services.people import accounts
from server.services.places import organisations
from server.services.sensors import rollout

PHOTO = object()
TEXT = "a dark spot above the second hinge"


class Sample(NamedTuple):
    """
    fields    of the form; "{facility}" and the other names of things() are filled in; PHOTO becomes a file
    replaces  true: it replaces or ends something that others may have changed meanwhile
    prepare   called with (session, the person who sends it) before the form is opened
    address   replaces the one of route_samples.py
    other     the change of somebody else, if an entry about the same subject is not enough
    """

    fields: dict[str, Any]
    replaces: bool = False
    prepare: Callable[[Session, User], None] | None = None
    address: str = ""
    other: Callable[[Session, User], None] | None = None


def _finish(session, user):
    inspection = session.query(Inspection).one()
    inspections.finish(session, inspection, user, NOT_COMPLETED, "alarm")


def _fit_release(session, _user):
    session.query(Release).one().boards = ["esp32_devkit"]
    for sensor in session.query(Sensor):
        sensor.info = {**(sensor.info or {}), "board": "esp32_devkit", "slot": "a"}


def _begin_rollout(session, user):
    _fit_release(session, user)
    session.flush()
    rollout.begin(session, session.query(Release).one(), session.query(Sensor).all(), 1, 1, user)


def _checklists(session, user):
    for scope in (checklists.ORGANISATION, checklists.FACILITY):
        hall = session.query(Inspection).one().restroom.facility
        place = hall if scope == checklists.FACILITY else hall.organisation
        items = [{"key": "", "where": "stall", "text": "door", "text_en": "door"}]
        checklists.save(session, user, checklists.load_scope(session, user, scope, place.public_id), items)


def _disable(session, _user):
    person = session.query(User).filter_by(login="samples-admin").one()
    accounts.disable(session, person)


def _take_over(session, user):
    """Give the sample's token and session to the person who sends the form."""
    owner = session.query(User).filter_by(login="samples-admin").one()
    for table in (Token, UserSession):
        session.query(table).filter_by(user_id=owner.id).update({"user_id": user.id})


def _add_team(session, user):
    campaign = session.query(Campaign).one()
    campaigns.add_team(session, campaign, user, "South", "foot")


def _begin_campaign(session, user):
    _add_team(session, user)
    campaigns.begin(session, session.query(Campaign).one(), user)


def _finding_channel(session, _user):
    for finding in session.query(Finding):
        finding.channel = finding.channel or 6


def things(session: Session) -> dict[str, str]:
    """Return public ids and numbers of objects that forms name: {name: text}."""
    running = session.query(Inspection).one()
    hall = running.restroom.facility
    free = session.query(Restroom).filter(Restroom.facility_id == hall.id, Restroom.id != running.restroom_id).first()
    assert free is not None
    return {
        "facility": hall.public_id,
        "other_organisation": organisations.add(session, "Park office").public_id,
        "free_room": free.public_id,
        "room": running.restroom.public_id,
        "rollout": session.scalar(select(Rollout.public_id).limit(1)) or "",
        "person": str(running.people[0].id),
        "north": str(session.query(CampaignTeam).filter_by(name="North").one().public_id),
    }


_STROKES = str([[x * 40 + 10, 100 + x % 5 * 40] for x in range(20)]).replace("], [", ", ")
_ITEM = {"key": "", "text": TEXT, "text_en": "", "where": "stall"}
_RESULT = {"result": NOT_COMPLETED, "reason": TEXT}
SAMPLES = {
    "account.make_token": Sample({"name": TEXT, "scopes": "see", "days": "30", "password": "correct horse battery"}),
    "account.revoke_token": Sample({}, True, _take_over),
    "account.end_session": Sample({}, prepare=_take_over),
    "places.new": Sample({"facility": "{facility}", "name": TEXT, "block": "women", "stalls": "1"}),
    "places.edit": Sample({"name": TEXT, "block": "women", "stalls": "2"}, replaces=True),
    "places.retire": Sample({"reason": TEXT}, True, address="/restrooms/{free_room}/retire"),
    "facilities.edit": Sample({"name": TEXT}, replaces=True),
    "facilities.move": Sample({"organisation": "{other_organisation}"}, replaces=True),
    "organisations.edit": Sample({"name": TEXT}, replaces=True),
    "imports.show": Sample({"apply": "yes"}, replaces=True),
    "plans.intervals": Sample({"eye": "17"}, True, address="/plan/intervals?facility={facility}"),
    "checkin.start": Sample({"sensors": "demo-2"}, address="/restrooms/{free_room}/inspect"),
    "sweeps.assign": Sample({"room": "{free_room}"}),
    "steps.record": Sample({"outcome": "suspicious", "note": TEXT}),
    "steps.eye": Sample({"stall": "0", "rest": "1"}),
    "results.finish": Sample(_RESULT, replaces=True),
    "results.correct": Sample({"result": NOT_COMPLETED, "reason": "the door", "note": TEXT}, True, _finish),
    "participants.join": Sample({"partner": TEXT, "agency": "police"}),
    "signatures.sign": Sample({"person": "{person}", "strokes": _STROKES}, True, _finish),
    "photos.of_inspection": Sample({"photo": PHOTO}),
    "photos.of_hole": Sample({"photo": PHOTO}),
    "photos.of_finding": Sample({"photo": PHOTO}),
    "holes.note": Sample({"kind": "closed", "text": TEXT}, replaces=True),
    "holes.add": Sample({"stall": "1", "place": TEXT}),
    "checklists.of_organisation": Sample(
        {"key": "", "text": TEXT, "text_en": "", "where": "stall"}, True, _checklists, other=_checklists
    ),
    "checklists.of_facility": Sample(
        {"key": "", "text": TEXT, "text_en": "", "where": "stall"}, True, _checklists, other=_checklists
    ),
    "findings.show": Sample({"kind": "unresolved", "reason": TEXT}, replaces=True),
    "signal.start_following": Sample({"sensor": "demo-1"}, prepare=_finding_channel),
    "signal.start_movement": Sample({"sensor": "demo-1"}, prepare=_finding_channel),
    "emitters.add": Sample(
        {"facility": "{facility}", "address": "c0:ff:ee:00:00:02", "kind": "neighbour", "why": TEXT, "days": "30"}
    ),
    "emitters.renew": Sample({}),
    "emitters.withdraw": Sample({"why": TEXT}, replaces=True),
    "campaigns.new": Sample({"name": TEXT, "day": "2027-03-01"}),
    "campaigns.change": Sample({"do": "begin"}, True, _add_team),
    "campaigns.stop": Sample({"do": "act", "room": "{room}", "text": TEXT}, prepare=_begin_campaign),
    "sensors.selftest": Sample({}),
    "sensors.restart": Sample({}),
    "sensors.dwell": Sample({"channel": "6", "seconds": "60"}),
    "sensors.test_signal": Sample({}),
    "sensors.settings": Sample({"upload_every_s": "120"}, replaces=True),
    "sensors.tables": Sample({}),
    "sensors.wipe": Sample({"really": "yes"}, replaces=True),
    "sensors.place": Sample({"restroom": "{free_room}"}, replaces=True),
    "sensors.revoke": Sample({"really": "yes"}, replaces=True),
    "sensors.rekey": Sample({}),
    "sensors.claim": Sample({}),
    "updates.begin": Sample({"canaries": "1", "failures": "1"}, prepare=_fit_release),
    "updates.stop": Sample({}, True, _begin_rollout, "/updates/{rollout}/stop"),
    "people.scope": Sample({"role": "viewer", "everywhere": "yes"}, replaces=True),
    "people.disable": Sample({}, replaces=True),
    "people.enable": Sample({}, True, _disable),
    "people.reset_second_factor": Sample({}, replaces=True),
    "people.reset_password": Sample({}, replaces=True),
    "people.revoke_token": Sample({}, replaces=True),
    "people.erase": Sample({"really": "yes"}, replaces=True),
    "people.invite": Sample({"name": TEXT, "role": "viewer", "everywhere": "yes"}),
    "people.withdraw": Sample({}, replaces=True),
    "log.proof": Sample({}),
    "notifications.new": Sample(
        {
            "place": "{facility}",
            "name": TEXT,
            "kinds": "finding_new",
            "way": "webhook",
            "target": "https://192.0.2.1/hook",
            "pace": "at_once",
        }
    ),
    "notifications.end": Sample({}, replaces=True),
    "notifications.retry": Sample({}),
    "notifications.test": Sample({}),
    "privacy.change_sign": Sample({"text": TEXT, "text_en": ""}, replaces=True),
}
# Forms that are not in this table, and why.
LEFT_OUT = {
    "account.password": "ends the session that a repetition would need; the second one is refused for its old password",
    "account.second_factor": "shows a new secret at each request",
    "imports.index": "each upload is a preview of its own",
    "offline.hand_over": "JSON with a key of its own: test_offline.py",
    "reports.freeze": "its period stands in the query: reporting/test_half_years.py freezes one",
    "public.ask": "public: counted once an address and day",
}
