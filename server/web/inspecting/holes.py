"""Holes: the list of open repairs, and one hole with its events."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from server import security
from server.models.photos import CLOSED, HOLE, REMARK, STICKER, TICKET
from server.services import errors
from server.services.inspecting import holes, inspections, photos
from server.services.people import accounts
from server.web import page
from server.web.inspecting.photos import folder, read_photo

bp = Blueprint("holes", __name__)

STATES = (holes.OPEN_HOLES, holes.CLOSED_HOLES, holes.ALL_HOLES)
EVENTS = (STICKER, TICKET, CLOSED, REMARK)


@bp.get("/holes")
def index() -> ResponseReturnValue:
    """Holes, newest first; ?state= open, closed or all, ?before= a hole for older ones."""
    state = request.args.get("state")
    state = state if state in STATES else holes.OPEN_HOLES
    with page.sessions()() as session:
        cursor = request.args.get("before")
        rows = holes.list_holes(session, page.user(), state=state, cursor=cursor, limit=page.PER_PAGE)
        older = url_for("holes.index", state=state, before=rows.next) if rows.next else None
        return render_template("inspecting/holes/index.html", rows=rows.rows, state=state, older=older)


@bp.get("/holes/<hole>")
def show(hole: str) -> ResponseReturnValue:
    """One hole: where it is, its photos and events."""
    return _show(hole, None)


@bp.post("/holes/<hole>")
@security.needs(accounts.INSPECT)
def note(hole: str) -> ResponseReturnValue:
    """Record what was done about a hole."""
    kind, text = request.form.get("kind"), request.form.get("text", "")
    if kind not in EVENTS:
        return _show(hole, gettext("Please choose one."))
    try:
        with page.sessions().begin() as session:
            row = holes.load(session, page.user(), hole, accounts.INSPECT)
            holes.record_event(session, row, page.user(), kind, text)
    except errors.Refused as error:
        return _show(hole, page.refusal_text(error))
    page.flash_success(gettext("Recorded in the log."))
    return redirect(url_for("holes.show", hole=hole))


def _show(hole, problem):
    with page.sessions()() as session:
        row = holes.load(session, page.user(), hole)
        return render_template(
            "inspecting/holes/show.html",
            hole=row,
            photos=photos.list_photos(session, hole_id=row.id),
            problem=problem,
            kind=request.form.get("kind"),
            events=EVENTS,
        )


@bp.post("/inspections/<inspection>/holes")
@security.needs(accounts.INSPECT)
def add(inspection: str) -> ResponseReturnValue:
    """Record a hole found during an inspection, with its photo if the form has one."""
    stall, place = request.form.get("stall", 0, type=int), request.form.get("place", "")
    # Before the photo is read: a foreign inspection is answered like an unknown one, and costs no decoding.
    with page.sessions()() as session:
        inspections.load(session, page.user(), inspection, accounts.INSPECT)
    try:
        photo = read_photo()
        with page.sessions().begin() as session:
            row = inspections.load(session, page.user(), inspection, accounts.INSPECT)
            hole = holes.add(session, row.restroom, page.user(), stall, place, inspection=row)
            if photo:
                photos.add(session, folder(), photo, page.user(), HOLE, row.restroom.facility_id, hole=hole)
            if request.form.get("sticker"):
                holes.record_event(session, hole, page.user(), STICKER)
            ticket = page.form_text("ticket", 200)
            if ticket:
                holes.record_event(session, hole, page.user(), TICKET, ticket)
    except errors.Refused as error:
        page.flash_error(page.refusal_text(error))
    else:
        page.flash_success(gettext("The hole has been recorded."))
    return redirect(url_for("inspections.show", public_id=inspection, _anchor="holes"))
