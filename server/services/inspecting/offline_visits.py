"""
Offline visits: inspections recorded on a phone without a network, and handed over later.

    offline_visits.load_kit(session, user)                     # the data that the phone stores
    offline_visits.store(session, user, visit, now_s)          # the inspection it became; storing twice equals once

A visit joins the unfinished inspection of the restroom whose time it overlaps, or begins one. It never finishes it: the
sensors' reports, the result and the signatures follow when the inspector is online again. Its author saw no answers of
others, so it replaces none: what differs stands beside them until a person settles it (conflicting_entries.py). A
suspicious visit reopens the result "none found" of an inspection that was going on at the same time and has ended
(result_validity.py).
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from server import db
from server.models.campaigns import Campaign, CampaignStop
from server.models.checklists import SUSPICIOUS, Checklist
from server.models.inspections import OUTCOMES, STEP_NONE_FOUND, STEP_SUSPICIOUS, Inspection, OfflineVisit
from server.models.places import EYE, LENS, Restroom
from server.services.audit import log
from server.services.errors import Refused
from server.services.inspecting import checklists, inspections, participants, result_validity, steps
from server.services.people import access, accounts
from server.services.people.accounts import Actor
from server.services.places import restrooms

MOST_ROOMS = 300  # of each kind in a kit
OLDEST_S = 90 * 86400  # a time before that is one of a wrong clock
RUNS_S = 4 * 3600  # a visit that ended longer ago begins no inspection that people at the door would join
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
    key        a UUID that the phone made
    room       the restroom's public id
    answers    {stall: {item key: (answer, note, when it was written)}}; stall 0 is the room
    lens       an outcome, or "" for a step that is still to be done
    lens_at_s  when the lens step was done; 0: unknown
    note       free text about the visit
    """

    key: str
    room: str
    began_s: int
    ended_s: int
    answers: dict[int, dict[str, tuple[str, str, int]]]
    lens: str
    lens_note: str
    note: str
    lens_at_s: int = 0


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

    Answers to items that the restroom's checklist does not have are left out. Impossible times, as after a change of
    the phone's clock, are replaced by the nearest possible ones, and the visit is marked.
    Raises NotFound without the right there; Refused: restroom_retired, answer_reason_needed(items), reason_needed;
    ValueError for a key that is no UUID or a word that is none of ANSWERS or OUTCOMES.
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
    if room.retired_s is not None:
        raise Refused("restroom_retired")
    visit, clamped = _clamp(visit, now_s)
    inspection = _overlapping(session, room, visit, now_s)
    if inspection is None:
        inspection = _begin(session, room, user, visit, now_s)
    else:
        participants.add(session, inspection, {"user": user}, now_s)
    row = _add_visit(session, user, inspection, visit, clamped, now_s)
    _record_answers(session, user, inspection, visit)
    if visit.lens:
        at_s = visit.lens_at_s or visit.ended_s
        inspections.record_step(session, inspection, LENS, visit.lens, user, visit.lens_note, 0, at_s)
    words = [word for part in visit.answers.values() for word, _note, _at_s in part.values()]
    if SUSPICIOUS in words or visit.lens == STEP_SUSPICIOUS:
        result_validity.reopen_overlapping(session, row)
    return inspection


def _clamp(visit, now_s):
    """Return the visit with times that are possible, and whether its own beginning and end were not."""
    began_s = min(max(visit.began_s, now_s - OLDEST_S), now_s)
    ended_s = min(max(visit.ended_s, began_s), now_s)

    def inside(at_s):
        return min(max(at_s, began_s), ended_s)

    answers = {
        stall: {key: (word, note, inside(at_s or ended_s)) for key, (word, note, at_s) in part.items()}
        for stall, part in visit.answers.items()
    }
    clamped = (began_s, ended_s) != (visit.began_s, visit.ended_s)
    times = {"began_s": began_s, "ended_s": ended_s, "lens_at_s": inside(visit.lens_at_s or ended_s)}
    return visit._replace(answers=answers, **times), clamped


def _overlapping(session, room, visit, now_s):
    """Return the newest unfinished inspection of the room that was going on during the visit."""
    running = inspections.running_in(session, room)
    if running is not None and running.started_s <= visit.ended_s:
        return running
    ended = select(func.max(OfflineVisit.ended_s)).where(OfflineVisit.inspection_id == Inspection.id).scalar_subquery()
    unfinished = select(Inspection).where(Inspection.restroom_id == room.id, Inspection.result.is_(None))
    unfinished = unfinished.where(Inspection.started_s <= visit.ended_s, ended >= visit.began_s)
    return session.scalar(unfinished.order_by(Inspection.id.desc()).limit(1))


def _begin(session, room, user, visit, now_s):
    runs = room.running_inspection_id is None and visit.ended_s >= now_s - RUNS_S
    inspection = inspections.create(session, room, user, visit.began_s, runs)
    body = {"restroom": room.public_id, "sensors": [], "offline": True}
    log.add(session, "inspection.started", inspection.public_id, body, user)
    return inspection


def list_visits(session: Session, inspection: Inspection) -> list[OfflineVisit]:
    """Return the offline visits of an inspection, in order."""
    query = select(OfflineVisit).where(OfflineVisit.inspection_id == inspection.id)
    query = query.options(joinedload(OfflineVisit.by))
    return list(session.scalars(query.order_by(OfflineVisit.began_s, OfflineVisit.id)))


def _add_visit(session, user, inspection, visit, clamped, now_s):
    times = {"began_s": visit.began_s, "ended_s": visit.ended_s, "received_s": now_s}
    row = OfflineVisit(key=visit.key, inspection_id=inspection.id, by_id=user.id, clamped=clamped, **times)
    session.add(row)
    session.flush()
    personal = {"note": visit.note} if visit.note else None
    body = {"visit": visit.key, **times, **({"clamped": True} if clamped else {})}
    log.add(session, "inspection.offline", inspection.public_id, body, user, personal)
    return row


def _record_answers(session, user, inspection, visit):
    """Record the answers, and the eye step if they decide it."""
    written_s = []
    for part in checklists.load_progress(session, inspection).parts:
        keys = {line.item["key"] for line in part.lines}
        answers = {
            key: checklists.Answer(word, note, 0, at_s)
            for key, (word, note, at_s) in visit.answers.get(part.stall, {}).items()
            if key in keys
        }
        written_s += [answer.at_s for answer in answers.values()]
        checklists.answer(session, inspection, user, part.stall, answers)
    progress, at_s = checklists.load_progress(session, inspection), max(written_s, default=visit.ended_s)
    suspicious = [line for line in progress.lines if line.answer == SUSPICIOUS]
    before = steps.current(inspection)[EYE]
    if suspicious:
        notes = [(f"{line.stall}: " if line.stall else "") + f"{line.item['text']}: {line.note}" for line in suspicious]
        note = "\n".join([*notes, visit.note])[:1000]
        if before is None or before.outcome != STEP_SUSPICIOUS:
            inspections.record_step(session, inspection, EYE, STEP_SUSPICIOUS, user, note, at_s=at_s)
    elif visit.answers and before is None and checklists.why_not_clear(session, inspection) is None:
        inspections.record_step(session, inspection, EYE, STEP_NONE_FOUND, user, visit.note, 0, at_s)
