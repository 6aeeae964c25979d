"""
Data subjects: list what is stored about a person, and erase it. The records stay whole, without the person.

    data_subjects.erase(session, user, by)              # a user
    data_subjects.forget_name(session, "Park Ji-su")    # a person without an account, such as a partner from the police
"""

from typing import NamedTuple

from sqlalchemy import delete, null, or_, select, update
from sqlalchemy.orm import Session

from server import clock, ids
from server.models.audit import LogPersonal
from server.models.campaigns import CampaignMember
from server.models.inspections import InspectionPerson, Signature
from server.models.outside import KeptAnswer
from server.models.people import AccessEvent, Invitation, RecoveryCode, Token, User, UserPlace, UserSession
from server.services.audit import canonical, log
from server.services.people import accounts

ERASED_NAME = "–"  # replaces a name; the same in every language


class Records(NamedTuple):
    """
    Row numbers of what is stored about a user.

    inspections  in which the user took part
    entries      log entries whose personal fields name the user
    accesses     access events
    """

    inspections: list[int]
    entries: list[int]
    accesses: list[int]


def list_records(session: Session, person: User) -> Records:
    """Return the row numbers of what is stored about a user."""
    took_part = select(InspectionPerson.inspection_id).where(InspectionPerson.user_id == person.id)
    accesses = select(AccessEvent.id).where(AccessEvent.user_id == person.id)
    return Records(
        sorted(set(session.scalars(took_part))),
        log.numbers_naming(session, person.public_id),
        list(session.scalars(accesses)),
    )


def erase(session: Session, person: User, by: User | None = None) -> int:
    """
    Erase a user: account, name, second factor, tokens, access events, and the log's personal fields.

    The row stays without a name, because inspections refer to it. Returns the number of log entries that forgot it.
    Raises Refused: last_admin.
    """
    person = session.get_one(User, person.id, with_for_update=True, populate_existing=True)
    accounts.check_not_last_admin(session, person)
    now_s = clock.now_s()
    log.add(session, "person.erased", person.public_id, {}, None if by is None or by.id == person.id else by)
    took_part = select(InspectionPerson.id).where(InspectionPerson.user_id == person.id)
    signed = update(Signature).where(Signature.person_id.in_(took_part))
    session.execute(signed.values(name=ERASED_NAME, strokes=null()).execution_options(synchronize_session=False))
    for table in (InspectionPerson, CampaignMember):
        session.execute(update(table).where(table.user_id == person.id).values(name=ERASED_NAME, agency=""))
    for table in (UserPlace, RecoveryCode, AccessEvent, KeptAnswer, UserSession):
        session.execute(delete(table).where(table.user_id == person.id))
    # A token's name can identify its user; the row stays because the access log may refer to it.
    session.execute(update(Token).where(Token.user_id == person.id).values(name="", revoked_s=now_s))
    own = or_(Invitation.user_id == person.id, Invitation.created_by_id == person.id)
    session.execute(update(Invitation).where(own, Invitation.user_id == person.id).values(name=""))
    session.execute(update(Invitation).where(own, Invitation.ended_s.is_(None)).values(ended_s=now_s))
    person.login, person.name, person.locale = f"erased-{person.public_id}", ERASED_NAME, ""
    person.password_hash, person.session_word = "", ids.new(32)
    person.totp_sealed, person.everywhere, person.organisation_id = None, False, None
    person.last_login_s, person.failed_logins = None, 0
    person.disabled_s = person.disabled_s or now_s
    person.erased_s = now_s
    session.flush()
    return log.forget(session, log.numbers_naming(session, person.public_id), None, "person_erased")


def find_name(session: Session, name: str) -> tuple[list[int], list[int]]:
    """Return the (InspectionPerson rows, log entries) that contain exactly this name, of people without an account."""
    rows = select(InspectionPerson.id).where(InspectionPerson.name == name, InspectionPerson.user_id.is_(None))
    field = '"name":' + canonical.text(name)
    entries = select(LogPersonal.n).where(LogPersonal.content.contains(field, autoescape=True))
    return sorted(session.scalars(rows)), sorted(session.scalars(entries))


def forget_name(session: Session, name: str, by: User | None = None) -> tuple[int, int]:
    """Erase exactly this name, of people without an account; return the numbers of (rows, log entries)."""
    rows, entries = find_name(session, name)
    signed = update(Signature).where(Signature.person_id.in_(rows))
    session.execute(signed.values(name=ERASED_NAME, strokes=null()).execution_options(synchronize_session=False))
    session.execute(update(InspectionPerson).where(InspectionPerson.id.in_(rows)).values(name=ERASED_NAME, agency=""))
    same = [CampaignMember.name == name, CampaignMember.user_id.is_(None)]
    session.execute(update(CampaignMember).where(*same).values(name=ERASED_NAME, agency=""))
    return len(rows), log.forget(session, entries, by, "person_erased")
