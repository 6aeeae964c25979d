"""The eye step's list, stall by stall."""

from flask import Blueprint, redirect, render_template, request, url_for

from server import security
from server.models.checklists import ANSWERS
from server.services import errors
from server.services.inspecting import checklists
from server.services.people import accounts
from server.web import page, reach

bp = Blueprint("eye", __name__)

NOTE_LENGTH = 1000


@bp.route("/inspections/<inspection>/eye", methods=["GET", "POST"])
@security.needs(accounts.INSPECT)
def part(inspection):
    """The list for one stall, ?stall= its number, 0 for the room itself. POST records answers and goes on."""
    problem, stall = None, request.values.get("stall", type=int)
    if request.method == "POST":
        problem = _answer(inspection, stall or 0)
        if problem is None:
            return redirect(_next(inspection, stall or 0))
    with page.sessions()() as session:
        one = reach.inspection(session, inspection, accounts.INSPECT)
        at = checklists.progress(session, one)
        if one.result is not None or not at.parts:
            return redirect(url_for("inspections.show", public_id=one.public_id))
        shown = next((part for part in at.parts if part.stall == stall), None)
        shown = shown or next((part for part in at.parts if part.open), at.parts[0])
        return render_template(
            "inspecting/inspections/eye.html",
            inspection=one,
            progress=at,
            part=shown,
            typed=_typed() if problem else {},
            problem=problem,
        )


def _typed():
    """{key: (answer, note)} as the form has them."""
    given = {}
    for name, word in request.form.items():
        key = name.removeprefix("answer-")
        if key != name and word in ANSWERS:
            given[key] = (word, request.form.get(f"note-{key}", "").strip()[:NOTE_LENGTH])
    return given


def _answer(inspection, stall):
    try:
        with page.sessions().begin() as session:
            one = reach.inspection(session, inspection, accounts.INSPECT)
            checklists.answer(session, one, page.user(), stall, _typed())
            if request.form.get("rest"):
                checklists.answer_rest(session, one, page.user(), stall)
    except errors.Refused as error:
        return page.refusal_text(error)
    return None


def _next(inspection, stall):
    """The next place with something open; the inspection when there is none."""
    with page.sessions()() as session:
        at = checklists.progress(session, reach.inspection(session, inspection, accounts.INSPECT))
    waiting = [part.stall for part in at.parts if part.open]
    if not waiting:
        return url_for("inspections.show", public_id=inspection, _anchor="live-steps")
    after = [number for number in waiting if number >= stall] or waiting
    return url_for("eye.part", inspection=inspection, stall=after[0])
