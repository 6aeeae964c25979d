"""Check-in: find the restroom by the number on its door, and start its inspection."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from server import i18n, security
from server.models.sensors import Sensor
from server.services import errors
from server.services.inspecting import button_sweeps, inspections
from server.services.people import accounts
from server.services.places import restrooms
from server.services.sensors import fleet
from server.web import page
from server.web.inspecting import next_starts
from server.web.inspecting.participants import read_people

bp = Blueprint("checkin", __name__)

SWEEPS_SHOWN = 20
FOUND_SHOWN = 20


@bp.get("/inspect")
@security.needs(accounts.INSPECT)
def index() -> ResponseReturnValue:
    """Check in: ?number= the number on a door leads to its inspection; other words search the restrooms."""
    typed = request.args.get("number", "").strip()[:100]
    found = []
    with page.sessions()() as session:
        if typed:
            try:
                room = restrooms.load(session, page.user(), typed.rpartition("/")[2], accounts.INSPECT)
            except errors.NotFound:
                found = search_restrooms(session, typed)
            else:
                return redirect(url_for("checkin.door", public_id=room.public_id))
        return render_template(
            "inspecting/inspections/checkin.html",
            typed=typed,
            found=found,
            running=inspections.list_running(session, page.user()),
            waiting=button_sweeps.list_waiting(session, page.user(), SWEEPS_SHOWN),
        )


@bp.get("/inspect/<public_id>")
@security.needs(accounts.INSPECT)
def door(public_id: str) -> ResponseReturnValue:
    """The target of the code on a door: the inspection that runs there, or the start of one."""
    with page.sessions()() as session:
        room = restrooms.load(session, page.user(), public_id, accounts.INSPECT)
        running = inspections.running_in(session, room)
    if running is not None:
        return redirect(url_for("inspections.show", public_id=running.public_id))
    return redirect(url_for("checkin.start", public_id=room.public_id))


@bp.route("/restrooms/<public_id>/inspect", methods=["GET", "POST"])
@security.needs(accounts.INSPECT)
def start(public_id: str) -> ResponseReturnValue:
    """Choose sensors and people, and start."""
    problem = None
    if request.method == "POST":
        try:
            with page.sessions().begin() as session:
                room = restrooms.load(session, page.user(), public_id, accounts.INSPECT)
                inspection = inspections.start(
                    session, room, page.user(), _read_sensors(session), read_people(session, room)
                )
        except errors.Refused as error:
            problem = page.refusal_text(error)
        else:
            return redirect(url_for("inspections.show", public_id=inspection.public_id))
    with page.sessions()() as session:
        room = restrooms.load(session, page.user(), public_id, accounts.INSPECT)
        running = inspections.running_in(session, room)
        if running is not None and problem is None:
            return redirect(url_for("inspections.show", public_id=running.public_id))
        suggestion = next_starts.suggest(session, room)
        is_new = request.method == "GET"
        colleague = next((user.public_id for user in suggestion.colleagues), "")
        partner, agency = next(iter(suggestion.partners), ("", ""))
        return render_template(
            "inspecting/inspections/start.html",
            room=room,
            colleagues=suggestion.offered,
            colleague=colleague if is_new else page.form_text("colleague", 40),
            choices=suggestion.choices,
            chosen=suggestion.sensors if is_new else request.form.getlist("sensors"),
            partner=partner if is_new else page.form_text("partner", 100),
            agency=agency if is_new else page.form_text("agency", 100),
            problem=problem,
        )


def _read_sensors(session: Session) -> list[Sensor]:
    names = dict.fromkeys(request.form.getlist("sensors"))
    return [fleet.load(session, page.user(), name, accounts.INSPECT) for name in names]


def search_restrooms(session: Session, words: str) -> list[restrooms.RestroomSummary]:
    """Return the first restrooms that a search finds, by name."""
    found = restrooms.list_restrooms(
        session, page.user(), search=words, limit=FOUND_SHOWN, by_name=True, language=i18n.language()
    )
    return restrooms.summarise(session, found.rows)
