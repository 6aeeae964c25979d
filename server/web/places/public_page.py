"""
The public page of a restroom, to which the code on its door leads: the last inspections, and where to get help.

A person who installed a camera can read it too. So it shows the day and the methods of inspections, and neither
results nor findings nor anything a sensor heard. Visitors can request an inspection.
"""

from typing import NamedTuple

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from server import security, throttling
from server.models.inspections import NONE_FOUND, REFERRED
from server.services import errors
from server.services.people.accounts import SYSTEM
from server.services.places import history, restrooms, visitor_requests
from server.web import page

bp = Blueprint("public", __name__)

HISTORY_ROWS = 20
SHOWN = 5


class Visit(NamedTuple):
    """A completed inspection: when it ended (the page shows the day only), and by which methods."""

    at_s: int
    methods: list[str]


@bp.get("/r/<public_id>")
@security.public
def restroom(public_id: str) -> ResponseReturnValue:
    """The public page of a restroom."""
    with page.sessions()() as session:
        room = restrooms.load(session, SYSTEM, public_id)  # open to everybody
        # An inspection that was not completed is not shown.
        visits = [
            Visit(row.inspection.finished_s, row.result.methods)
            for row in history.list_history(session, room, limit=HISTORY_ROWS).rows
            if row.inspection.finished_s is not None
            and row.result
            and row.result.result in (NONE_FOUND, REFERRED)
            and row.result.methods
        ]
        visits.sort(key=lambda visit: -visit.at_s)  # one that is handed over late is not the newest
        return render_template(
            "places/public/restroom.html",
            room=room,
            visits=visits[:SHOWN],
            visitor_request=visitor_requests.load_open(session, room),
            plain_page=True,
        )


@bp.post("/r/<public_id>/ask")
@security.public
@throttling.limit_strangers
def ask(public_id: str) -> ResponseReturnValue:
    """Record a visitor's request for an inspection. Nothing about the visitor is stored."""
    try:
        with page.sessions().begin() as session:
            visitor_requests.record(session, restrooms.load(session, SYSTEM, public_id))
    except errors.Refused as refused:
        page.flash_error(page.refusal_text(refused))
    else:
        page.flash_success(gettext("Thank you. We have told the operator."))
    return redirect(url_for("public.restroom", public_id=public_id))
