"""
Offline visits: inspections recorded on a phone without a network, and handed over later.

    offline_visits.load_kit(session, user)                     # the data that the phone stores
    offline_visits.store(session, user, visit, now_s)          # the inspection it became; storing twice equals once

A visit joins the inspection that runs in the restroom, or begins one. It never finishes it: the sensors' reports, the
result and the signatures follow when the inspector is online again.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from server import db
from server.models.campaigns import Campaign, CampaignStop
from server.models.checklists import SUSPICIOUS, Checklist
from server.models.inspections import OUTCOMES, STEP_NONE_FOUND, STEP_SUSPICIOUS, Inspection, OfflineVisit
from server.models.places import EYE, LENS, Restroom
from server.services.audit import log
from server.services.errors import Refused
from server.services.inspecting import checklists, inspections, participants
from server.services.people import access, accounts
from server.services.people.accounts import Actor
from server.services.places import restrooms

MOST_ROOMS = 300  # of each kind in a kit
OLDEST_S = 14 * 86400  # longer than any shift, and the greatest age of a kit
SLACK_S = 120  # how far a phone's clock may run ahead between two requests
_KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Kit(NamedTuple):
    """
    The data that a phone stores for offline use.

    rooms     with their facilities
    lists     {facility row number: Checklist}
    standard  the Checklist of restrooms that are not in the kit
    """

    rooms: list[Restroom]
    lists: dict[int, Checklist]
    standard: Checklist


class Visit(NamedTuple):
    """
    key      a UUID that the phone made
    room     the restroom's public id
    answers  {stall: {item key: (answer, note)}}; stall 0 is the room
    lens     an outcome, or "" for a step that is still to be done
    note     free text about the visit
    """

    key: str
    room: str
    began_s: int
    ended_s: int
    answers: dict[int, dict[str, tuple[str, str]]]
    lens: str
    lens_note: str
    note: str


def load_kit(session: Session, user: Actor, also: Sequence[str] = ()) -> Kit:
    """
    Return what an inspector may need without a network.

    Restrooms with a running inspection, those with the public ids `also`, the facilities of running campaigns, and what
    is due first.
    """
    rooms_query = select(Restroom).where(Restroom.retired_s.is_(None)).options(joinedload(Restroom.facility))
    rooms_query = access.within(rooms_query, user, Restroom.facility_id)
    stops = select(CampaignStop.facility_id).join(Campaign)
    stops = stops.where(Campaign.started_s.is_not(None), Campaign.closed_s.is_(None))
    kinds = (
        rooms_query.where(Restroom.running_inspection_id.is_not(None)).order_by(Restroom.id),
        rooms_query.where(Restroom.public_id.in_(list(also)[:MOST_ROOMS])).order_by(Restroom.id),
        rooms_query.where(Restroom.facility_id.in_(stops)).order_by(Restroom.sort_key),
        rooms_query.where(Restroom.due_s.is_not(None)).order_by(Restroom.due_s, Restroom.id),
    )
    rooms = {}
    for kind in kinds:
        rooms.update((room.id, room) for room in session.scalars(kind.limit(MOST_ROOMS)))
    facilities = {room.facility_id: room.facility for room in rooms.values()}
    lists = checklists.current_by_facility(session, facilities.values())
    ordered = sorted(rooms.values(), key=lambda room: (room.sort_key, room.id))
    return Kit(ordered, lists, checklists.standard(session))


def store(session: Session, user: Actor, visit: Visit, now_s: int) -> Inspection:
    """
    Store a visit; return the inspection it belongs to. The same visit again changes nothing.

    Answers to items that the restroom's checklist does not have are left out.
    Raises NotFound without the right there; Refused: visit_times, restroom_retired, answer_reason_needed(items),
    reason_needed; ValueError for a key that is no UUID or a word that is none of ANSWERS or OUTCOMES.
    """
    if not _KEY.fullmatch(visit.key):
        raise ValueError("the key of a visit is a UUID in lower case")
    if visit.lens and visit.lens not in OUTCOMES:
        raise ValueError(f"{visit.lens!r} is none of {', '.join(OUTCOMES)}")
    room = restrooms.load(session, user, visit.room, accounts.INSPECT)
    # Locked first: of two requests with the same visit the second finds what the first has stored.
    room = db.lock_row(session, room)
    stored = session.scalar(select(OfflineVisit).where(OfflineVisit.key == visit.key))
    if stored is not None:
        return session.get_one(Inspection, stored.inspection_id)
    if not now_s - OLDEST_S <= visit.began_s <= visit.ended_s <= now_s + SLACK_S:
        raise Refused("visit_times")
    if room.retired_s is not None:
        raise Refused("restroom_retired")
    inspection = inspections.running_in(session, room)
    if inspection is None:
        inspection = inspections.create(session, room, user, visit.began_s)
        body = {"restroom": room.public_id, "sensors": [], "offline": True}
        log.add(session, "inspection.started", inspection.public_id, body, user)
    else:
        inspection.started_s = min(inspection.started_s, visit.began_s)
        participants.add(session, inspection, {"user": user}, now_s)
    _add_visit(session, user, inspection, visit, now_s)
    _record_answers(session, user, inspection, visit)
    if visit.lens:
        inspections.record_step(session, inspection, LENS, visit.lens, user, visit.lens_note)
    return inspection


def list_visits(session: Session, inspection: Inspection) -> list[OfflineVisit]:
    """Return the offline visits of an inspection, in order."""
    query = select(OfflineVisit).where(OfflineVisit.inspection_id == inspection.id)
    query = query.options(joinedload(OfflineVisit.by))
    return list(session.scalars(query.order_by(OfflineVisit.began_s, OfflineVisit.id)))


def _add_visit(session, user, inspection, visit, now_s):
    times = {"began_s": visit.began_s, "ended_s": visit.ended_s, "received_s": now_s}
    session.add(OfflineVisit(key=visit.key, inspection_id=inspection.id, by_id=user.id, **times))
    session.flush()
    personal = {"note": visit.note} if visit.note else None
    log.add(session, "inspection.offline", inspection.public_id, {"visit": visit.key, **times}, user, personal)


def _record_answers(session, user, inspection, visit):
    """Record the answers, and the eye step if they decide it."""
    for part in checklists.load_progress(session, inspection).parts:
        answers = visit.answers.get(part.stall, {})
        keys = {line.item["key"] for line in part.lines}
        checklists.answer(session, inspection, user, part.stall, {key: answers[key] for key in answers if key in keys})
    lines = checklists.load_progress(session, inspection).lines
    suspicious = [line for line in lines if line.answer == SUSPICIOUS]
    if suspicious:
        notes = [(f"{line.stall}: " if line.stall else "") + f"{line.item['text']}: {line.note}" for line in suspicious]
        note = "\n".join([*notes, visit.note])[:1000]
        inspections.record_step(session, inspection, EYE, STEP_SUSPICIOUS, user, note)
    elif visit.answers and lines and all(line.answer for line in lines):
        inspections.record_step(session, inspection, EYE, STEP_NONE_FOUND, user, visit.note)
