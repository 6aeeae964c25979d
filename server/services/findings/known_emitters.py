"""
The list of known emitters: transmitters that a person has found to belong to a facility or its neighbour.

    emitters.add(session, user, facility, "c0:ff:ee:00:00:01", "entrance CCTV", KNOWN, "seen with its owner", days=365)
    emitters.renew(session, one, user, 365)
    emitters.withdraw(session, one, user, "taken down")

An approval ends by itself, so that somebody looks again. Sensors are told the list when an inspection starts.
"""

import re

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from server import clock
from server.models.findings import KNOWN, NEIGHBOUR, Finding
from server.models.people import User
from server.models.places import Facility, KnownEmitter
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.findings.pseudonyms import is_local
from server.services.people import access, accounts

USUAL_DAYS = 365
MOST_DAYS = 3 * 365
DAY_S = 86400
VALID, EXPIRED, WITHDRAWN, ALL = "valid", "expired", "withdrawn", "all"
_ADDRESS = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")


def state(one: KnownEmitter, now_s: int) -> str:
    """VALID, EXPIRED or WITHDRAWN."""
    if one.withdrawn_s is not None:
        return WITHDRAWN
    return EXPIRED if one.expires_s is not None and one.expires_s <= now_s else VALID


def list_emitters(session: Session, user, which: str = VALID, facility=None, limit: int = 50, before_id=None) -> list:
    """[(KnownEmitter, Facility, approver or None), ...] a person may see, the newest first."""
    wanted = select(KnownEmitter, Facility, User).join(Facility, Facility.id == KnownEmitter.facility_id)
    wanted = access.within(wanted.outerjoin(User, User.id == KnownEmitter.approved_by_id), user, Facility.id)
    now_s = clock.now_s()
    lasting = or_(KnownEmitter.expires_s.is_(None), KnownEmitter.expires_s > now_s)
    if which == WITHDRAWN:
        wanted = wanted.where(KnownEmitter.withdrawn_s.is_not(None))
    elif which == EXPIRED:
        wanted = wanted.where(KnownEmitter.withdrawn_s.is_(None), KnownEmitter.expires_s <= now_s)
    elif which == VALID:
        wanted = wanted.where(KnownEmitter.withdrawn_s.is_(None), lasting)
    if facility is not None:
        wanted = wanted.where(Facility.id == facility.id)
    if before_id is not None:
        wanted = wanted.where(KnownEmitter.id < before_id)
    return [tuple(row) for row in session.execute(wanted.order_by(KnownEmitter.id.desc()).limit(limit))]


def emitter(session: Session, user, number: int) -> KnownEmitter:
    """Return one. Raises NotFound, also for a facility that is none of this person's business."""
    found = session.get(KnownEmitter, number)
    if found is None:
        raise NotFound("emitter")
    access.check(session, user, accounts.SEE, found.facility_id)
    return found


def listed(session: Session, facility_id: int, address: str, now_s: int) -> KnownEmitter | None:
    """The valid entry of an address in a facility's list, if there is one."""
    wanted = select(KnownEmitter).where(
        KnownEmitter.facility_id == facility_id,
        KnownEmitter.address == address,
        KnownEmitter.withdrawn_s.is_(None),
        or_(KnownEmitter.expires_s.is_(None), KnownEmitter.expires_s > now_s),
    )
    return session.scalar(wanted.order_by(KnownEmitter.id.desc()).limit(1))


def list_addresses(session: Session, facility_id: int, now_s: int) -> list[str]:
    """Return the addresses of a facility's valid known emitters, the newest approval first."""
    query = select(KnownEmitter.address).where(
        KnownEmitter.facility_id == facility_id,
        KnownEmitter.withdrawn_s.is_(None),
        or_(KnownEmitter.expires_s.is_(None), KnownEmitter.expires_s > now_s),
    )
    return list(session.scalars(query.order_by(KnownEmitter.id.desc())))


def add(
    session: Session,
    user,
    facility: Facility,
    address: str,
    label: str,
    kind: str,
    why: str,
    days: int = USUAL_DAYS,
    finding: Finding | None = None,
) -> KnownEmitter:
    """
    Approve an emitter for a facility.

    kind  KNOWN (it belongs here) or NEIGHBOUR
    days  1..MOST_DAYS, then it is asked about again
    Raises NotFound without the right there; Refused: address_bad, reason_needed, expiry_bad(most), emitter_there.
    """
    access.check(session, user, accounts.MANAGE, facility.id)
    if kind not in (KNOWN, NEIGHBOUR):
        raise ValueError(f"{kind!r} does not put anything on the list")
    address = address.strip().lower().replace("-", ":")
    if not _ADDRESS.fullmatch(address):
        raise Refused("address_bad")
    if not why.strip():
        raise Refused("reason_needed")
    _check_days(days)
    now_s = clock.now_s()
    if listed(session, facility.id, address, now_s):
        raise Refused("emitter_there")
    added = KnownEmitter(
        facility_id=facility.id,
        address=address,
        label=label.strip()[:200],
        reason=kind,
        approved_by_id=user.id if user else None,
        approved_s=now_s,
        expires_s=now_s + days * DAY_S,
        finding_id=finding.id if finding else None,
        withdrawn_why="",
    )
    session.add(added)
    session.flush()
    _tell(session, "emitter.approved", added, facility, user, why)
    return added


def renew(session: Session, one: KnownEmitter, user, days: int = USUAL_DAYS) -> KnownEmitter:
    """Approve it again: a new entry takes the old one's place. Raises as add(); Refused: emitter_withdrawn."""
    one = _locked(session, one, user)
    facility = session.get(Facility, one.facility_id)
    _check_days(days)
    now_s = clock.now_s()
    one.withdrawn_s, one.withdrawn_by_id, one.withdrawn_why = now_s, user.id if user else None, RENEWED
    session.flush()
    return add(session, user, facility, one.address, one.label, one.reason, RENEWED, days)


RENEWED = "renewed"


def withdraw(session: Session, one: KnownEmitter, user, why: str) -> None:
    """Take it off the list: from the next inspection on it is reported again. Raises Refused: reason_needed."""
    one = _locked(session, one, user)
    if not why.strip():
        raise Refused("reason_needed")
    one.withdrawn_s, one.withdrawn_by_id = clock.now_s(), user.id if user else None
    one.withdrawn_why = why.strip()[:1000]
    session.flush()
    _tell(session, "emitter.withdrawn", one, session.get(Facility, one.facility_id), user, why)


def _locked(session, one, user):
    one = session.get(KnownEmitter, one.id, with_for_update=True, populate_existing=True)
    access.check(session, user, accounts.MANAGE, one.facility_id)
    if one.withdrawn_s is not None:
        raise Refused("emitter_withdrawn")
    return one


def _check_days(days):
    if not 1 <= days <= MOST_DAYS:
        raise Refused("expiry_bad", most=MOST_DAYS)


def _tell(session, kind, one, facility, user, why):
    # The log never forgets, so it has only the maker's part of the address, and the name of the thing aside.
    body = {
        "facility": facility.public_id,
        "kind": one.reason,
        "maker": "" if is_local(one.address) else one.address[:8],
        "expires_s": one.expires_s,
    }
    log.add(session, kind, f"emitter-{one.id}", body, user, {"why": why.strip(), "label": one.label})
