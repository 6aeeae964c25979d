"""
Things by their public ids, for the person who asks: what lies outside their places does not exist for them.

    one = reach.inspection(session, public_id, people.INSPECT)       # raises NotFound, which answers 404
"""

from server.models.photos import Photo
from server.services.errors import NotFound
from server.services.findings import judging
from server.services.inspecting import holes, inspections, photos
from server.services.people import access, accounts
from server.web import page


def inspection(session, public_id: str, right: str = accounts.SEE):
    """An inspection with its parts."""
    found = inspections.inspection(session, public_id)
    access.check(session, page.user(), right, found.restroom.facility_id)
    return found


def finding(session, public_id: str, right: str = accounts.SEE):
    """A finding with its parts."""
    found = judging.finding(session, public_id)
    if not judging.may(session, page.user(), right, found):
        raise NotFound("finding")
    return found


def hole(session, public_id: str, right: str = accounts.SEE):
    """A hole with its events."""
    found = holes.hole(session, public_id)
    access.check(session, page.user(), right, found.restroom.facility_id)
    return found


def photo(session, public_id: str, right: str = accounts.SEE) -> Photo:
    """A photo's row."""
    found = photos.photo(session, public_id)
    access.check(session, page.user(), right, found.facility_id)
    return found
