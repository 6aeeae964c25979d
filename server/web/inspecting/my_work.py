"""An inspector's own work: running, not signed, not handed over, and what comes next."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from server import clock, security
from server.services.inspecting import inspections, my_work
from server.services.people import accounts
from server.services.places import routes
from server.web import forms, page

bp = Blueprint("work", __name__)

STOPS_SHOWN = 3


@bp.get("/work")
@security.needs(accounts.INSPECT)
def index() -> ResponseReturnValue:
    """What the user has to finish, to sign and to hand over, and the next buildings of the route."""
    user, now_s = page.user(), clock.now_s()
    with page.sessions()() as session:
        return render_template(
            "inspecting/inspections/work.html",
            running=inspections.list_running(session, user),
            unsigned=my_work.list_unsigned(session, user, now_s),
            stops=routes.plan_route(session, user, now_s, forms.site_zone(), most=STOPS_SHOWN).stops,
        )
