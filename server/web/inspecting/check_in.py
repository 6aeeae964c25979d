"""Where an inspector begins: the number on the door, what is running, and sweeps that wait for a place."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext

from server import security
from server.services import errors
from server.services.inspecting import button_sweeps, inspections
from server.services.people import accounts
from server.services.places import restrooms
from server.web import facts, page

bp = Blueprint("checkin", __name__)

SWEEPS_SHOWN = 20
FOUND_SHOWN = 20


@bp.get("/inspect")
@security.needs(accounts.INSPECT)
def index():
    """Check in: ?number= what stands on the door leads to its inspection; other words search the list."""
    typed = request.args.get("number", "").strip()[:100]
    found = []
    with page.sessions()() as session:
        if typed:
            try:
                room = restrooms.load(session, page.user(), typed.rpartition("/")[2], accounts.INSPECT)
            except errors.NotFound:
                found = _search(session, typed)
            else:
                return redirect(url_for("checkin.door", public_id=room.public_id))
        return render_template(
            "inspecting/inspections/checkin.html",
            typed=typed,
            found=found,
            running=inspections.running(session, page.user()),
            waiting=button_sweeps.waiting(session, page.user(), SWEEPS_SHOWN),
        )


@bp.get("/inspect/<public_id>")
@security.needs(accounts.INSPECT)
def door(public_id):
    """What a code on a door leads an inspector to: the inspection that runs there, or the start of one."""
    with page.sessions()() as session:
        room = restrooms.load(session, page.user(), public_id, accounts.INSPECT)
        running = inspections.running_in(session, room)
    if running is not None:
        return redirect(url_for("inspections.show", public_id=running.public_id))
    return redirect(url_for("inspections.start", public_id=room.public_id))


@bp.route("/sweeps/<name>/<ref>", methods=["GET", "POST"])
@security.needs(accounts.INSPECT)
def sweep(name, ref):
    """Say where a sweep by button was made; ?search= words for a restroom that is not suggested."""
    problem, search = None, request.args.get("search", "").strip()[:100]
    if request.method == "POST":
        try:
            with page.sessions().begin() as session:
                waiting = button_sweeps.sweep(session, page.user(), name, ref)
                room = restrooms.load(session, page.user(), request.form.get("room", ""), accounts.INSPECT)
                one = button_sweeps.assign(session, waiting, page.user(), room)
        except errors.Refused as error:
            problem = page.refusal_text(error)
        except errors.NotFound:
            problem = gettext("Please choose one.")
        else:
            page.flash_success(gettext("The sweep belongs to this inspection now."))
            return redirect(url_for("inspections.show", public_id=one.public_id))
    with page.sessions()() as session:
        try:
            waiting = button_sweeps.sweep(session, page.user(), name, ref)
        except errors.Refused as error:
            page.flash_error(page.refusal_text(error))
            return redirect(url_for("checkin.index"))
        return render_template(
            "inspecting/inspections/sweep.html",
            sweep=waiting,
            coverage=facts.coverage(waiting.coverage.summary()),
            suggestions=button_sweeps.suggestions(session, page.user(), waiting),
            search=search,
            found=_search(session, search) if search else [],
            problem=problem,
        )


def _search(session, words):
    """The first restrooms that a search finds, by name."""
    found = restrooms.list_restrooms(session, page.user(), search=words, limit=FOUND_SHOWN, by_name=True)
    return restrooms.summarise(session, found.rows)
