"""What the privacy sign of a site says beside the general text: who is responsible there, and how to reach them."""

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from server import clock, ids
from server.models.places import Facility, SiteNotice
from server.services.audit import log
from server.services.errors import NotFound
from server.services.people import access, accounts


def facility(session: Session, public_id: str, user, right: str = accounts.SEE) -> Facility:
    """Return a site where a person has a right. Raises NotFound."""
    wanted = select(Facility).where(Facility.public_id == ids.clean(public_id))
    found = session.scalar(wanted.options(joinedload(Facility.organisation)))
    if found is None:
        raise NotFound("facility")
    access.check(session, user, right, found.id)
    return found


def newest(session: Session, site: Facility) -> SiteNotice | None:
    """The notice that counts, if there is one."""
    wanted = select(SiteNotice).where(SiteNotice.facility_id == site.id)
    return session.scalar(wanted.order_by(SiteNotice.id.desc()).limit(1))


def change(session: Session, site: Facility, text: str, text_en: str, user) -> SiteNotice:
    """Add a notice that counts from now on."""
    added = SiteNotice(facility_id=site.id, text=text, text_en=text_en, at_s=clock.now_s(), by_id=user.id)
    session.add(added)
    session.flush()
    log.add(session, "sign.changed", site.public_id, {"chars": len(text) + len(text_en)}, user)
    return added
