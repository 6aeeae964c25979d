"""The facility's own text on its privacy sign: the person responsible, and how to reach them."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import clock
from server.models.places import Facility, SiteNotice
from server.services.audit import log


def load_newest(session: Session, facility: Facility) -> SiteNotice | None:
    """Return the text that counts, if there is one."""
    query = select(SiteNotice).where(SiteNotice.facility_id == facility.id)
    return session.scalar(query.order_by(SiteNotice.id.desc()).limit(1))


def change(session: Session, facility: Facility, text: str, text_en: str, user) -> SiteNotice:
    """Add a text that counts from now on."""
    notice = SiteNotice(facility_id=facility.id, text=text, text_en=text_en, at_s=clock.now_s(), by_id=user.id)
    session.add(notice)
    session.flush()
    log.add(session, "sign.changed", facility.public_id, {"chars": len(text) + len(text_en)}, user)
    return notice
