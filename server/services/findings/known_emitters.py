"""
Known emitters: transmitters that a person has found to belong to a facility or to its neighbour.

    known_emitters.add(session, user, facility, "c0:ff:ee:00:00:01", "entrance CCTV", KNOWN, "seen with its owner")
    known_emitters.renew(session, emitter, user, 365)
    known_emitters.withdraw(session, emitter, user, "taken down")

An approval expires, so that it is checked again. Sensors receive the list when an inspection starts.
"""

import re
from typing import NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from server import clock, db
from server.models.findings import KNOWN, NEIGHBOUR, Finding
from server.models.people import User
from server.models.places import Facility, KnownEmitter
from server.services import paging
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.findings.pseudonyms import is_local
from server.services.people import access, accounts

USUAL_DAYS = 365
MOST_DAYS = 3 * 365
DAY_S = 86400
VALID, EXPIRED, WITHDRAWN, ALL = STATES = ("valid", "expired", "withdrawn", "all")
RENEWED = "renewed"
APPROVED = "emitter.approved"  # kind of log entry
_ADDRESS = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")


class EmitterRow(NamedTuple):
    """A known emitter with its facility and the person who approved it."""

    emitter: KnownEmitter
    facility: Facility
    approved_by: User | None


def state_of(emitter: KnownEmitter, now_s: int) -> str:
    """Return VALID, EXPIRED or WITHDRAWN."""
    if emitter.withdrawn_s is not None:
        return WITHDRAWN
    return EXPIRED if emitter.expires_s is not None and emitter.expires_s <= now_s else VALID


def load(session: Session, user, number: int, right: str = accounts.SEE) -> KnownEmitter:
    """Return an emitter by its row id. Raises NotFound, also where the user lacks the right."""
    emitter = session.get(KnownEmitter, number)
    if emitter is None or not access.may(session, user, right, emitter.facility_id):
        raise NotFound("emitter")
    return emitter


def list_emitters(
    session: Session,
    user,
    *,
    state: str = VALID,
    facility: Facility | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> paging.Page[EmitterRow]:
    """Return the known emitters of the places a user may see, newest first. state: one of STATES. Raises BadCursor."""
    query = select(KnownEmitter, Facility, User).join(Facility, Facility.id == KnownEmitter.facility_id)
    query = access.within(query.outerjoin(User, User.id == KnownEmitter.approved_by_id), user, Facility.id)
    now_s = clock.now_s()
    if state == WITHDRAWN:
        query = query.where(KnownEmitter.withdrawn_s.is_not(None))
    elif state == EXPIRED:
        query = query.where(KnownEmitter.withdrawn_s.is_(None), KnownEmitter.expires_s <= now_s)
    elif state == VALID:
        query = query.where(*_valid(now_s))
    if facility is not None:
        query = query.where(Facility.id == facility.id)
    cursor_id = paging.decode(cursor)
    if cursor_id is not None:
        query = query.where(KnownEmitter.id < cursor_id)
    rows = session.execute(query.order_by(KnownEmitter.id.desc()).limit(limit + 1))
    return paging.cut([EmitterRow(*row) for row in rows], limit, key=lambda row: row.emitter.id)


def find_valid(session: Session, facility_id: int, address: str, now_s: int) -> KnownEmitter | None:
    """Return the valid known emitter of a facility with this address, if there is one."""
    query = select(KnownEmitter).where(
        KnownEmitter.facility_id == facility_id, KnownEmitter.address == address, *_valid(now_s)
    )
    return session.scalar(query.order_by(KnownEmitter.id.desc()).limit(1))


def list_addresses(session: Session, facility_id: int, now_s: int) -> list[str]:
    """Return the addresses of a facility's valid known emitters, the newest approval first."""
    query = select(KnownEmitter.address).where(KnownEmitter.facility_id == facility_id, *_valid(now_s))
    return list(session.scalars(query.order_by(KnownEmitter.id.desc())))


def add(
    session: Session,
    user,
    facility: Facility,
    address: str,
    label: str,
    kind: str,
    reason: str,
    days: int = USUAL_DAYS,
    finding: Finding | None = None,
) -> KnownEmitter:
    """
    Approve an emitter for a facility.

    kind  KNOWN (it belongs to the facility) or NEIGHBOUR
    days  1..MOST_DAYS until the approval expires

    Raises NotFound without the right there; Refused: address_bad, reason_needed, expiry_bad(most), emitter_there.
    """
    access.check(session, user, accounts.MANAGE, facility.id)
    if kind not in (KNOWN, NEIGHBOUR):
        raise ValueError(f"{kind!r} does not put anything on the list")
    address = address.strip().lower().replace("-", ":")
    if not _ADDRESS.fullmatch(address):
        raise Refused("address_bad")
    if not reason.strip():
        raise Refused("reason_needed")
    _check_days(days)
    now_s = clock.now_s()
    if find_valid(session, facility.id, address, now_s):
        raise Refused("emitter_there")
    emitter = KnownEmitter(
        facility_id=facility.id,
        address=address,
        label=label.strip()[:200],
        reason=kind,
        approved_by_id=user.id,
        approved_s=now_s,
        expires_s=now_s + days * DAY_S,
        finding_id=finding.id if finding else None,
        withdrawn_why="",
    )
    session.add(emitter)
    session.flush()
    log_emitter(session, user, APPROVED, emitter, facility, reason)
    return emitter


def renew(session: Session, emitter: KnownEmitter, user, days: int = USUAL_DAYS) -> KnownEmitter:
    """Approve an emitter again: a new entry replaces the old one. Raises as add(); Refused: emitter_withdrawn."""
    emitter = _lock(session, user, emitter)
    facility = session.get_one(Facility, emitter.facility_id)
    _check_days(days)
    emitter.withdrawn_s, emitter.withdrawn_by_id, emitter.withdrawn_why = clock.now_s(), user.id, RENEWED
    session.flush()
    return add(session, user, facility, emitter.address, emitter.label, emitter.reason, RENEWED, days)


def withdraw(session: Session, emitter: KnownEmitter, user, reason: str) -> None:
    """
    End an approval: from the next inspection on the emitter is reported again.

    Raises Refused: emitter_withdrawn, reason_needed.
    """
    emitter = _lock(session, user, emitter)
    if not reason.strip():
        raise Refused("reason_needed")
    emitter.withdrawn_s, emitter.withdrawn_by_id = clock.now_s(), user.id
    emitter.withdrawn_why = reason.strip()[:1000]
    session.flush()
    facility = session.get_one(Facility, emitter.facility_id)
    log_emitter(session, user, "emitter.withdrawn", emitter, facility, reason)


def _valid(now_s):
    unexpired = or_(KnownEmitter.expires_s.is_(None), KnownEmitter.expires_s > now_s)
    return KnownEmitter.withdrawn_s.is_(None), unexpired


def _lock(session, user, emitter) -> KnownEmitter:
    emitter = db.lock_row(session, emitter)
    access.check(session, user, accounts.MANAGE, emitter.facility_id)
    if emitter.withdrawn_s is not None:
        by = session.get(User, emitter.withdrawn_by_id) if emitter.withdrawn_by_id else None
        raise Refused("emitter_withdrawn", name=by.name if by else "–", at_s=emitter.withdrawn_s)
    return emitter


def _check_days(days):
    if not 1 <= days <= MOST_DAYS:
        raise Refused("expiry_bad", most=MOST_DAYS)


def log_emitter(session: Session, user, kind: str, emitter: KnownEmitter, facility: Facility, reason: str) -> None:
    """Write into the log that an emitter was approved or withdrawn."""
    # The log is permanent, so it holds only the maker's part of the address, and the label as a personal field.
    body = {
        "facility": facility.public_id,
        "kind": emitter.reason,
        "maker": "" if is_local(emitter.address) else emitter.address[:8],
        "expires_s": emitter.expires_s,
    }
    log.add(session, kind, f"emitter-{emitter.id}", body, user, {"why": reason.strip(), "label": emitter.label})
