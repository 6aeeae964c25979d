"""Assign a sweep that a sensor's button started to the restroom where it was made."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from server import security
from server.services import errors
from server.services.inspecting import button_sweeps
from server.services.people import accounts
from server.services.places import restrooms
from server.web import page
from server.web.inspecting import presenters
from server.web.inspecting.check_in import search_restrooms

bp = Blueprint("sweeps", __name__)


@bp.route("/sweeps/<name>/<ref>", methods=["GET", "POST"])
@security.needs(accounts.INSPECT)
def assign(name: str, ref: str) -> ResponseReturnValue:
    """Choose the restroom of a sweep by button; ?search= words for a restroom that is not suggested."""
    problem, search = None, request.args.get("search", "").strip()[:100]
    if request.method == "POST":
        try:
            with page.sessions().begin() as session:
                sweep = button_sweeps.load(session, page.user(), name, ref)
                room = restrooms.load(session, page.user(), request.form.get("room", ""), accounts.INSPECT)
                inspection = button_sweeps.assign(session, sweep, page.user(), room)
        except errors.Refused as error:
            problem = page.refusal_text(error)
        except errors.NotFound:
            problem = gettext("Please choose one.")
        else:
            page.flash_success(gettext("The sweep belongs to this inspection now."))
            return redirect(url_for("inspections.show", public_id=inspection.public_id))
    with page.sessions()() as session:
        try:
            sweep = button_sweeps.load(session, page.user(), name, ref)
        except errors.Refused as error:
            page.flash_error(page.refusal_text(error))
            return redirect(url_for("checkin.index"))
        return render_template(
            "inspecting/inspections/sweep.html",
            sweep=sweep,
            coverage=presenters.coverage(sweep.coverage.summary()),
            suggestions=button_sweeps.suggest_restrooms(session, page.user(), sweep),
            search=search,
            found=search_restrooms(session, search) if search else [],
            problem=problem,
        )
