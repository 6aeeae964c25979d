"""
Visits that were written down on a phone without a network, and handed over when it had one again.

    visits.kit(session, user)                        # what the phone takes along, while it has a network
    visits.take(session, user, visit, now_s)         # the inspection it became; twice is once

A visit is joined to the inspection that runs in the restroom, or begins one. It never finishes it: what sensors
heard meanwhile, the result and the signatures come when the person is back in the network.
"""

import re
from collections import namedtuple

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from server.models.campaigns import Campaign, CampaignStop
from server.models.checklists import SUSPICIOUS
from server.models.inspections import OUTCOMES, STEP_NONE_FOUND, STEP_SUSPICIOUS, Inspection, OfflineVisit
from server.models.places import EYE, LENS, Restroom
from server.services.audit import log
from server.services.errors import Refused
from server.services.inspecting import checklists, inspections, participants
from server.services.people import access, accounts
from server.services.places import restrooms

MOST_ROOMS = 300  # of each of the kinds that are taken along
OLDEST_S = 14 * 86400  # longer than any shift, and a kit is as old at the most
SLACK_S = 120  # so far a phone's clock may run ahead between two requests
_KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# rooms  Restrooms with their facilities; lists {facility row number: Checklist}; standard  the Checklist of a room
#        that was not taken along
Kit = namedtuple("Kit", ("rooms", "lists", "standard"))

# key       a UUID that the phone made
# room      the restroom's public id
# began_s, ended_s
# answers   {stall: {item key: (answer, note)}}; stall 0 is the room
# lens      an outcome, or "" for a step that is still to be done; lens_note its words
# note      free words about the visit
Visit = namedtuple("Visit", ("key", "room", "began_s", "ended_s", "answers", "lens", "lens_note", "note"))


def kit(session: Session, user, also=()) -> Kit:
    """
    Return what an inspector may need without a network: where inspections run, the buildings of running campaigns, what
    is due first, and the rooms whose public ids are in `also`.
    """
    wanted = select(Restroom).where(Restroom.retired_s.is_(None)).options(joinedload(Restroom.facility))
    wanted = access.within(wanted, user, Restroom.facility_id)
    stops = select(CampaignStop.facility_id).join(Campaign)
    stops = stops.where(Campaign.started_s.is_not(None), Campaign.closed_s.is_(None))
    kinds = (
        wanted.where(Restroom.running_inspection_id.is_not(None)).order_by(Restroom.id),
        wanted.where(Restroom.public_id.in_(list(also)[:MOST_ROOMS])).order_by(Restroom.id),
        wanted.where(Restroom.facility_id.in_(stops)).order_by(Restroom.sort_key),
        wanted.where(Restroom.due_s.is_not(None)).order_by(Restroom.due_s, Restroom.id),
    )
    rooms = {}
    for kind in kinds:
        rooms.update((room.id, room) for room in session.scalars(kind.limit(MOST_ROOMS)))
    facilities = {room.facility_id: room.facility for room in rooms.values()}
    lists = checklists.current_of(session, facilities.values())
    ordered = sorted(rooms.values(), key=lambda room: (room.sort_key, room.id))
    return Kit(ordered, lists, checklists.standard(session))


def take(session: Session, user, visit: Visit, now_s: int) -> Inspection:
    """
    Store a visit; return the inspection it belongs to. The same visit again changes nothing.

    Answers to items that the restroom's list does not have, or not there, are left out.
    Raises NotFound without the right there; Refused: visit_times, restroom_retired, answer_reason_needed(items),
    reason_needed; ValueError for a key that is no UUID or a word that is none of ANSWERS or OUTCOMES.
    """
    if not _KEY.fullmatch(visit.key):
        raise ValueError("the key of a visit is a UUID in lower case")
    if visit.lens and visit.lens not in OUTCOMES:
        raise ValueError(f"{visit.lens!r} is none of {', '.join(OUTCOMES)}")
    room = restrooms.load(session, user, visit.room, accounts.INSPECT)
    # Locked first: of two requests with the same visit the second finds what the first has stored.
    room = session.get(Restroom, room.id, with_for_update=True, populate_existing=True)
    known = session.scalar(select(OfflineVisit).where(OfflineVisit.key == visit.key))
    if known is not None:
        return session.get(Inspection, known.inspection_id)
    if not now_s - OLDEST_S <= visit.began_s <= visit.ended_s <= now_s + SLACK_S:
        raise Refused("visit_times")
    if room.retired_s is not None:
        raise Refused("restroom_retired")
    one = inspections.running_in(session, room)
    if one is None:
        one = inspections.begin(session, room, user, visit.began_s)
        body = {"restroom": room.public_id, "sensors": [], "offline": True}
        log.add(session, "inspection.started", one.public_id, body, user)
    else:
        one.started_s = min(one.started_s, visit.began_s)
        participants.add(session, one, {"user": user}, now_s)
    _write_down(session, user, one, visit, now_s)
    _answer(session, user, one, visit)
    if visit.lens:
        inspections.record_step(session, one, LENS, visit.lens, user, visit.lens_note)
    return one


def of_inspection(session: Session, one: Inspection) -> list[OfflineVisit]:
    """The visits an inspection was written down in without a network, in order."""
    wanted = select(OfflineVisit).where(OfflineVisit.inspection_id == one.id).options(joinedload(OfflineVisit.by))
    return list(session.scalars(wanted.order_by(OfflineVisit.began_s, OfflineVisit.id)))


def _write_down(session, user, one, visit, now_s):
    times = {"began_s": visit.began_s, "ended_s": visit.ended_s, "received_s": now_s}
    session.add(OfflineVisit(key=visit.key, inspection_id=one.id, by_id=user.id, **times))
    session.flush()
    said = {"note": visit.note} if visit.note else None
    log.add(session, "inspection.offline", one.public_id, {"visit": visit.key, **times}, user, said)


def _answer(session, user, one, visit):
    """Record the answers, and the eye step if they decide it."""
    for part in checklists.progress(session, one).parts:
        given = visit.answers.get(part.stall, {})
        keys = {line.item["key"] for line in part.lines}
        checklists.answer(session, one, user, part.stall, {key: given[key] for key in given if key in keys})
    lines = checklists.progress(session, one).lines
    suspicious = [line for line in lines if line.answer == SUSPICIOUS]
    if suspicious:
        words = [(f"{line.stall}: " if line.stall else "") + f"{line.item['text']}: {line.note}" for line in suspicious]
        inspections.record_step(session, one, EYE, STEP_SUSPICIOUS, user, "\n".join([*words, visit.note])[:1000])
    elif visit.answers and lines and all(line.answer for line in lines):
        inspections.record_step(session, one, EYE, STEP_NONE_FOUND, user, visit.note)
