"""Holes: the list of what waits for a repair, and one hole with what was done about it."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext

from server import security
from server.models.photos import CLOSED, HOLE, REMARK, STICKER, TICKET
from server.services import errors
from server.services.inspecting import holes, photos
from server.services.people import accounts
from server.web import page, reach
from server.web.inspecting.photos import folder, sent

bp = Blueprint("holes", __name__)

STATES = (holes.OPEN_HOLES, holes.CLOSED_HOLES, holes.ALL_HOLES)
DONE = (STICKER, TICKET, CLOSED, REMARK)


@bp.get("/holes")
def index():
    """Holes, newest first; ?state= open, closed or all, ?before= a hole for older ones."""
    state = request.args.get("state")
    state = state if state in STATES else holes.OPEN_HOLES
    with page.sessions()() as session:
        before = request.args.get("before")
        before_id = reach.hole(session, before).id if before else None
        rows = holes.list_holes(session, page.user(), state, limit=page.PER_PAGE + 1, before_id=before_id)
        rows, more = rows[: page.PER_PAGE], len(rows) > page.PER_PAGE
        older = url_for("holes.index", state=state, before=rows[-1].public_id) if more else None
        return render_template("inspecting/holes/index.html", rows=rows, state=state, older=older)


@bp.get("/holes/<hole>")
def show(hole):
    """One hole: where it is, its photos, what was done."""
    return _shown(hole, None)


@bp.post("/holes/<hole>")
@security.needs(accounts.INSPECT)
def note(hole):
    """Record what was done about a hole."""
    kind, text = request.form.get("kind"), request.form.get("text", "")
    if kind not in DONE:
        return _shown(hole, gettext("Please choose one."))
    try:
        with page.sessions().begin() as session:
            holes.note(session, reach.hole(session, hole, accounts.INSPECT), page.user(), kind, text)
    except errors.Refused as error:
        return _shown(hole, page.refusal_text(error))
    page.flash_success(gettext("Recorded in the log."))
    return redirect(url_for("holes.show", hole=hole))


def _shown(hole, problem):
    with page.sessions()() as session:
        one = reach.hole(session, hole)
        pictures = photos.photos_of(session, hole_id=one.id)
        return render_template(
            "inspecting/holes/show.html",
            hole=one,
            photos=pictures,
            problem=problem,
            kind=request.form.get("kind"),
            done=DONE,
        )


@bp.post("/inspections/<inspection>/holes")
@security.needs(accounts.INSPECT)
def add(inspection):
    """Record a hole that was found during an inspection, with its photo if one came along."""
    stall, place = request.form.get("stall", 0, type=int), request.form.get("place", "")
    try:
        with page.sessions().begin() as session:
            one = reach.inspection(session, inspection, accounts.INSPECT)
            hole = holes.add(session, one.restroom, page.user(), stall, place, inspection=one)
            data = sent()
            if data:
                photos.take(session, folder(), data, page.user(), HOLE, one.restroom.facility_id, hole=hole)
            if request.form.get("sticker"):
                holes.note(session, hole, page.user(), STICKER)
            ticket = request.form.get("ticket", "").strip()
            if ticket:
                holes.note(session, hole, page.user(), TICKET, ticket)
    except errors.Refused as error:
        page.flash_error(page.refusal_text(error))
    else:
        page.flash_success(gettext("The hole has been recorded."))
    return redirect(url_for("inspections.show", public_id=inspection, _anchor="holes"))
