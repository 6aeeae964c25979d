"""
A sample URL for every route, with objects that exist, all of them at the city hall.

The tests over all routes take their URLs from here. For a route with an unknown argument `addresses()` fails and
names the missing entry: add the new kind of object to `_things()`.
"""

import pytest
from sqlalchemy import func, select

from server import clock
from server.models import (
    Delivery,
    Facility,
    Finding,
    Inspection,
    Notification,
    Release,
    Restroom,
    RestroomImport,
    SiteNotice,
    User,
)
from server.models.people import UserSession
from server.services.findings import known_emitters
from server.services.inspecting import campaigns, holes, photos
from server.services.outside import subscriptions
from server.services.people import accounts, invitations, tokens, user_sessions
from server.services.reporting import half_years, submitted_reports
from tests.support import pictures

# Arguments whose name is the same in every route.
ALWAYS = {"method": "eye", "filename": "app.js"}
SWEEP_REF = "button-sweep"


def addresses(app, running, room):
    """
    Return {(endpoint, method): address} of every route.

    running  public id of an inspection that runs in `room`, with the sensor demo-1 and a finding
    """
    with app.extensions["sessions"].begin() as session:
        things = _things(session, app, running, room)
    found = {}
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        if rule.endpoint == "api.enter":  # an application of its own: tests/unit/server/api has this test for it
            continue
        values = {name: _value(things, rule.endpoint, name) for name in rule.arguments}
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            found[rule.endpoint, method] = adapter.build(rule.endpoint, values, method=method)
    return found


def _value(things, endpoint, name):
    blueprint = endpoint.partition(".")[0]
    for key in (f"{endpoint}:{name}", f"{blueprint}:{name}", name):
        if key in things:
            return things[key]
    pytest.fail(f"{endpoint} has an argument <{name}>; tell what it is in tests/support/route_samples.py")


INSPECTION_PAGES = ("inspections", "steps", "results", "participants", "signatures", "certificates")


def _things(session, app, running, room):
    one = session.scalar(select(Inspection).where(Inspection.public_id == running))
    place = session.scalar(select(Restroom).where(Restroom.public_id == room))
    hall = session.get(Facility, place.facility_id)
    finding = session.scalar(select(Finding.public_id).where(Finding.inspection_id == one.id))
    by = session.get(User, one.started_by_id)
    admin, _ = accounts.add_user(session, "samples-admin", "Sample", "admin")
    invitation, _ = invitations.invite(session, admin, "Sample", "viewer", True)
    token, _ = tokens.create(session, admin, "Sample", ["see"], 1)
    user_sessions.begin(session, admin, "Sample")
    own = session.scalars(select(UserSession).where(UserSession.user_id == admin.id)).one()
    session.add(SiteNotice(facility_id=hall.id, text="", text_en="", at_s=clock.now_s(), by_id=admin.id))
    return {
        **ALWAYS,
        "public_id": room,
        "name": "demo-1",
        "ref": SWEEP_REF,
        "facility": hall.public_id,
        "organisation": hall.organisation.public_id,
        "inspection": running,
        "finding": finding,
        "hole": holes.add(session, place, by, 0, "door", one).public_id,
        "photo": _photo(session, app, hall, one, by),
        "campaign": _campaign(session, admin, hall),
        "emitter": known_emitters.add(session, admin, hall, "c0:ff:ee:00:00:01", "CCTV", "neighbour", "seen").id,
        "upload": _upload(session, app),
        **{f"{name}:public_id": running for name in INSPECTION_PAGES},
        "findings:public_id": finding,
        "signal:public_id": finding,
        "facilities:public_id": hall.public_id,
        "organisations:public_id": hall.organisation.public_id,
        "log:public_id": running,
        "notifications:public_id": _subscription(session, app, admin, hall),
        "notifications:number": 1,
        "people:public_id": admin.public_id,
        "people.withdraw:public_id": invitation.public_id,
        "account:public_id": token.public_id,
        "account.end_session:public_id": own.public_id,
        "token": token.public_id,
        "privacy:public_id": hall.public_id,
        "reports:public_id": _frozen_report(session, admin),
        "updates:public_id": _release(session),
    }


def _photo(session, app, hall, one, by):
    folder = photos.folder(app.extensions["settings"])
    return photos.add(session, folder, pictures.jpeg(), by, "eye", hall.id, inspection=one).public_id


def _campaign(session, admin, hall):
    made = campaigns.add(session, admin, "Sample day", clock.now_s())
    campaigns.add_stop(session, made, admin, hall, campaigns.add_team(session, made, admin, "North", "foot"))
    return made.public_id


def _upload(session, app):
    """An uploaded file of restrooms that is not applied yet."""
    folder = app.extensions["settings"].data / "imports"
    folder.mkdir()
    (folder / "aaaa").write_text("화장실명,소재지도로명주소,남성용-대변기수,여성용-대변기수\nA,B 1,1,1\n")
    session.add(
        RestroomImport(public_id="aaaa", file_name="a.csv", sha256="", options={}, counts={}, made_s=1_800_000_000)
    )
    return "aaaa"


def _subscription(session, app, admin, hall):
    target = "https://192.0.2.1/hook"
    vault = app.extensions["vault"]
    made, _ = subscriptions.subscribe(
        session, vault, admin, "Sample", ["finding_new"], "webhook", target, hall, private_targets=True
    )
    session.add(Notification(kind="finding_new", facility_id=hall.id, subject="x", facts={}, at_s=clock.now_s()))
    session.flush()
    notice_id = session.scalar(select(func.max(Notification.id)))
    session.add(Delivery(id=1, notice_id=notice_id, subscription_id=made.id, due_s=0, tries=8, ended_s=clock.now_s()))
    session.flush()
    return made.public_id


def _release(session):
    added = Release(version="9.9.9", boards=[], sha256="0" * 64, bytes=0, added_s=clock.now_s())
    session.add(added)
    session.flush()
    return added.public_id


def _frozen_report(session, admin):
    span = half_years.half_year(2026, 1, clock.zone())
    return submitted_reports.freeze(
        session, admin, half_years.make_report(session, admin, span, half_years.Scope())
    ).public_id
