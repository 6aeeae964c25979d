"""
Things by their public ids, for the person who asks: what lies outside their places does not exist for them.

    finding = reach.finding(session, public_id, accounts.DISPOSE)       # raises NotFound, which answers 404
"""

from server.services.errors import NotFound
from server.services.findings import judging
from server.services.people import accounts
from server.web import page


def finding(session, public_id: str, right: str = accounts.SEE):
    """A finding with its parts."""
    found = judging.finding(session, public_id)
    if not judging.may(session, page.user(), right, found):
        raise NotFound("finding")
    return found
