"""
Inspections that visitors request with the code on the door. No account, name or text is asked for or stored.

    visitor_requests.report(session, restroom, SCREW, 2)   # a VisitorReport; its public id is a code
    visitor_requests.record(session, restroom)      # counted in the open request until an inspection answers it
    visitor_requests.answer(session, inspection)    # called when an inspection is finished
"""

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, contains_eager

from server import clock, db, ids
from server.models.inspections import NONE_FOUND, REFERRED, Inspection
from server.models.outside import INSPECTION_ASKED
from server.models.places import ASKED, VISITOR_REPORTS, Facility, InspectionRequest, Restroom, VisitorReport
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.outside import notifications
from server.services.people import access

MOST_SHOWN = 50


def report(session: Session, restroom: Restroom, kind: str = ASKED, stall: int = 0) -> VisitorReport:
    """
    Record what a visitor asks for or reports: a request for an inspection, which notifies the operator.

    kind   one of VISITOR_REPORTS
    stall  its number; 0: the room, or not said

    Raises Refused: restroom_retired, visitor_report_bad.
    """
    if kind not in VISITOR_REPORTS or not 0 <= stall <= max(restroom.stalls, 1):
        raise Refused("visitor_report_bad")
    record(session, restroom)
    row = VisitorReport(restroom_id=restroom.id, kind=kind, stall=stall, at_s=clock.now_s())
    session.add(row)
    session.flush()
    return row


def load_report(session: Session, restroom: Restroom, code: str) -> VisitorReport:
    """Return a visitor's report by its code, which is valid at its own restroom only. Raises NotFound."""
    query = select(VisitorReport).where(VisitorReport.public_id == ids.clean(code))
    row = session.scalar(query.where(VisitorReport.restroom_id == restroom.id))
    if row is None:
        raise NotFound("visitor_report")
    return row


def list_reports(session: Session, restroom: Restroom) -> list[VisitorReport]:
    """Return what visitors have reported since the last completed inspection, the newest first; no plain requests."""
    query = select(VisitorReport).where(VisitorReport.restroom_id == restroom.id, VisitorReport.kind != ASKED)
    done = select(func.max(Inspection.finished_s)).where(Inspection.restroom_id == restroom.id)
    last_s = session.scalar(done.where(Inspection.result.in_((NONE_FOUND, REFERRED))))
    query = query.where(VisitorReport.at_s > (last_s or 0))
    return list(session.scalars(query.order_by(VisitorReport.id.desc()).limit(MOST_SHOWN)))


def record(session: Session, restroom: Restroom) -> InspectionRequest:
    """
    Record a request for an inspection; only the first of several sends a notification.

    Raises Refused: restroom_retired.
    """
    # Locked, so that two requests of the same moment are counted together.
    restroom = db.lock_row(session, restroom)
    if restroom.retired_s is not None:
        raise Refused("restroom_retired")
    now_s = clock.now_s()
    request = load_open(session, restroom)
    if request is not None:
        request.count += 1
        request.last_s = now_s
        return request
    request = InspectionRequest(restroom_id=restroom.id, first_s=now_s, last_s=now_s, count=1)
    session.add(request)
    session.flush()
    log.add(session, "restroom.asked", restroom.public_id, {}, None)
    notifications.enqueue(session, INSPECTION_ASKED, restroom.facility_id, restroom.public_id, restroom=restroom.name)
    return request


def answer(session: Session, inspection: Inspection) -> None:
    """Close the open request of a restroom that has been inspected, unless somebody asked after the inspection."""
    is_open = (InspectionRequest.restroom_id == inspection.restroom_id) & InspectionRequest.answered_s.is_(None)
    is_open &= InspectionRequest.last_s <= (inspection.finished_s or 0)
    values = {"answered_s": clock.now_s(), "inspection_id": inspection.id}
    session.execute(update(InspectionRequest).where(is_open).values(**values))


def reopen(session: Session, inspection: Inspection) -> None:
    """
    Open the request that an inspection answered, because its result is corrected to "not completed".

    It stays answered if another inspection after it was completed. It joins the request that is open meanwhile, if any.
    """
    query = select(InspectionRequest).where(InspectionRequest.inspection_id == inspection.id)
    for request in session.scalars(query).all():
        later = select(Inspection).where(Inspection.restroom_id == inspection.restroom_id)
        later = later.where(Inspection.finished_s >= request.last_s, Inspection.result.in_((NONE_FOUND, REFERRED)))
        other = session.scalar(later.where(Inspection.id != inspection.id).order_by(Inspection.finished_s).limit(1))
        if other is not None:
            request.inspection_id = other.id
            continue
        newer = load_open(session, inspection.restroom)
        if newer is not None:
            newer.first_s, newer.count = min(newer.first_s, request.first_s), newer.count + request.count
            session.delete(request)
        else:
            request.answered_s = request.inspection_id = None
        session.flush()


def load_open(session: Session, restroom: Restroom) -> InspectionRequest | None:
    """Return the open request of a restroom, if there is one."""
    query = select(InspectionRequest).where(InspectionRequest.restroom_id == restroom.id)
    return session.scalar(query.where(InspectionRequest.answered_s.is_(None)))


def list_open(session: Session, user, limit: int = MOST_SHOWN) -> list[InspectionRequest]:
    """Return the open requests at a user's places, the oldest first, with restroom and facility."""
    query = _filter_open(select(InspectionRequest), user)
    query = query.options(contains_eager(InspectionRequest.restroom).contains_eager(Restroom.facility))
    return list(session.scalars(query.order_by(InspectionRequest.first_s).limit(limit)))


def count_open(session: Session, user) -> int:
    """Return how many restrooms at a user's places have an open request."""
    return session.scalar(_filter_open(select(func.count(InspectionRequest.id)), user)) or 0


def _filter_open(query, user):
    query = query.join(InspectionRequest.restroom).join(Facility, Facility.id == Restroom.facility_id)
    query = query.where(InspectionRequest.answered_s.is_(None), Restroom.retired_s.is_(None))
    return access.within(query, user, Restroom.facility_id)
