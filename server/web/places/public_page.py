"""
What the code on a door leads to: when this restroom was last inspected, by whom and how, and where to get help.

Whoever put up a camera can read it too. So it shows the day and the methods of inspections, and
neither results nor findings nor anything a sensor heard. Whoever stands there can ask for an inspection.
"""

from collections import namedtuple

from flask import Blueprint, redirect, render_template, url_for
from flask_babel import gettext

from server import security
from server.models.inspections import NONE_FOUND, REFERRED
from server.services import errors
from server.services.places import restrooms, visitor_requests
from server.web import page

bp = Blueprint("public", __name__)

LOG_ROWS = 20
SHOWN = 5

# at_s     when it ended; the page shows the day only
# methods  what was done
Visit = namedtuple("Visit", ("at_s", "methods"))


@bp.get("/r/<public_id>")
@security.public
def restroom(public_id):
    """The public page of a restroom."""
    with page.sessions()() as session:
        room = restrooms.restroom(session, public_id)
        # An inspection that was not completed is not shown as one.
        visits = [
            Visit(row.inspection.finished_s, row.result.methods)
            for row in restrooms.log(session, room, LOG_ROWS)
            if row.result and row.result.result in (NONE_FOUND, REFERRED) and row.result.methods
        ]
        wish = visitor_requests.open_one(session, room)
        return render_template(
            "places/public/restroom.html", room=room, visits=visits[:SHOWN], wish=wish, plain_page=True
        )


@bp.post("/r/<public_id>/ask")
@security.public
@security.limit_strangers
def ask(public_id):
    """Somebody at the door asks for an inspection. Nothing is kept of who it was."""
    try:
        with page.sessions().begin() as session:
            visitor_requests.ask(session, restrooms.restroom(session, public_id))
    except errors.Refused as refused:
        page.flash_error(page.refusal_text(refused))
    else:
        page.flash_success(gettext("Thank you. Whoever looks after this restroom has been told."))
    return redirect(url_for("public.restroom", public_id=public_id))
