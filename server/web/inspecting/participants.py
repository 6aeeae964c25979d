"""People who take part in an inspection."""

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from server import security
from server.models.places import Restroom
from server.services import errors
from server.services.inspecting import inspections, participants
from server.services.people import accounts
from server.web import page

bp = Blueprint("participants", __name__)

MOST_PARTNERS = 20


@bp.post("/inspections/<public_id>/people")
@security.needs(accounts.INSPECT)
def join(public_id: str) -> ResponseReturnValue:
    """Add people to a running inspection."""
    try:
        with page.sessions().begin() as session:
            inspection = inspections.load(session, page.user(), public_id, accounts.INSPECT)
            for person in read_people(session, inspection.restroom):
                participants.join(session, inspection, page.user(), person)
    except errors.Refused as error:
        page.flash_error(page.refusal_text(error))
    return redirect(url_for("inspections.show", public_id=public_id, _anchor="people"))


def read_people(session: Session, room: Restroom) -> list[dict]:
    """Return the people of the form: colleagues by account, and people by name and agency; each may come repeatedly."""
    offered = participants.list_candidates(session, page.user(), room.facility_id)
    chosen = dict.fromkeys(request.form.getlist("colleague"))
    people: list[dict] = [{"user": user} for user in offered if user.public_id in chosen]
    agencies = request.form.getlist("agency")
    for number, name in enumerate(request.form.getlist("partner")[:MOST_PARTNERS]):
        if name.strip():
            agency = agencies[number] if number < len(agencies) else ""
            people.append({"name": name.strip()[:100], "agency": agency.strip()[:100]})
    return people
