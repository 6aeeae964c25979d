"""
What is known about one person, and erasing it: the records stay and stay whole, without the person.

    subjects.erase(session, person, by)            # somebody with an account
    subjects.forget_name(session, "Park Ji-su")    # somebody without one, such as a partner from the police
"""

from collections import namedtuple

from sqlalchemy import delete, null, or_, select, update
from sqlalchemy.orm import Session

from server import clock, ids
from server.models.audit import LogPersonal
from server.models.campaigns import CampaignMember
from server.models.inspections import InspectionPerson, Signature
from server.models.outside import KeptAnswer
from server.models.people import Invitation, RecoveryCode, Token, User, UserPlace
from server.models.privacy import AccessEvent
from server.services.audit import canonical, log
from server.services.people import accounts

NOBODY = "–"  # what stands where a name stood; the same in every language

# inspections  where they were written down as taking part
# entries      log entries whose personal fields name them
# accesses     what the access log has of them
Known = namedtuple("Known", ("inspections", "entries", "accesses"))


def known(session: Session, person: User) -> Known:
    """Return row numbers of what is kept about somebody with an account."""
    took_part = select(InspectionPerson.inspection_id).where(InspectionPerson.user_id == person.id)
    accesses = select(AccessEvent.id).where(AccessEvent.user_id == person.id)
    return Known(
        sorted(set(session.scalars(took_part))), log.naming(session, person.public_id), list(session.scalars(accesses))
    )


def erase(session: Session, person: User, by: User | None = None) -> int:
    """
    Erase a person: account, name, second factor, tokens, what they looked at, and the log's personal fields.

    Their row stays without a name, because inspections point at it. Returns how many log entries forgot them.
    Raises Refused: last_admin.
    """
    person = session.get(User, person.id, with_for_update=True, populate_existing=True)
    accounts.check_not_last_admin(session, person)
    now_s = clock.now_s()
    log.add(session, "person.erased", person.public_id, {}, None if by is None or by.id == person.id else by)
    took_part = select(InspectionPerson.id).where(InspectionPerson.user_id == person.id)
    signed = update(Signature).where(Signature.person_id.in_(took_part))
    session.execute(signed.values(name=NOBODY, strokes=null()).execution_options(synchronize_session=False))
    for table in (InspectionPerson, CampaignMember):
        session.execute(update(table).where(table.user_id == person.id).values(name=NOBODY, agency=""))
    for table in (UserPlace, RecoveryCode, AccessEvent, KeptAnswer):
        session.execute(delete(table).where(table.user_id == person.id))
    # A token's name can tell who used it; the row stays because the access log may point at it.
    session.execute(update(Token).where(Token.user_id == person.id).values(name="", revoked_s=now_s))
    made = or_(Invitation.user_id == person.id, Invitation.created_by_id == person.id)
    session.execute(update(Invitation).where(made, Invitation.user_id == person.id).values(name=""))
    session.execute(update(Invitation).where(made, Invitation.ended_s.is_(None)).values(ended_s=now_s))
    person.login, person.name, person.locale = f"erased-{person.public_id}", NOBODY, ""
    person.password_hash, person.session_word = "", ids.new(32)
    person.totp_sealed, person.everywhere, person.organisation_id = None, False, None
    person.last_login_s, person.failed_logins = None, 0
    person.disabled_s = person.disabled_s or now_s
    person.erased_s = now_s
    session.flush()
    return log.forget(session, log.naming(session, person.public_id), None, "person_erased")


def named(session: Session, name: str) -> tuple[list[int], list[int]]:
    """Where a name is written exactly so: (InspectionPerson rows, log entries). For people without an account."""
    rows = select(InspectionPerson.id).where(InspectionPerson.name == name, InspectionPerson.user_id.is_(None))
    whole = '"name":' + canonical.text(name)
    entries = select(LogPersonal.n).where(LogPersonal.content.contains(whole, autoescape=True))
    return sorted(session.scalars(rows)), sorted(session.scalars(entries))


def forget_name(session: Session, name: str, by: User | None = None) -> tuple[int, int]:
    """Erase a name wherever it is written exactly so; return how many (rows, log entries)."""
    rows, entries = named(session, name)
    signed = update(Signature).where(Signature.person_id.in_(rows))
    session.execute(signed.values(name=NOBODY, strokes=null()).execution_options(synchronize_session=False))
    session.execute(update(InspectionPerson).where(InspectionPerson.id.in_(rows)).values(name=NOBODY, agency=""))
    same = [CampaignMember.name == name, CampaignMember.user_id.is_(None)]
    session.execute(update(CampaignMember).where(*same).values(name=NOBODY, agency=""))
    return len(rows), log.forget(session, entries, by, "person_erased")
