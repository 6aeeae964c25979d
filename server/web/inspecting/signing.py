"""Who takes part in an inspection, and their signatures under its result."""

import json

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext

from server import security
from server.services import errors
from server.services.inspecting import participants, signatures
from server.services.people import accounts
from server.web import page, reach

bp = Blueprint("signing", __name__)


def _name():
    # The limiter counts per inspection: who guesses a colleague's password has few tries.
    return "sign:" + request.view_args["inspection"]


@bp.route("/inspections/<inspection>/sign", methods=["GET", "POST"])
@security.needs(accounts.INSPECT)
@security.limiter.limit("30 per hour", methods=["POST"], key_func=_name)
def sign(inspection):
    """Everybody who took part signs the result, one after the other, on this device."""
    problem, person_id = None, page.row_number(request.form.get("person"))
    if request.method == "POST":
        problem = _signed(inspection, person_id)
        if problem is None:
            page.flash_success(gettext("Signed."))
            return redirect(url_for("signing.sign", inspection=inspection))
    with page.sessions()() as session:
        one = reach.inspection(session, inspection, accounts.INSPECT)
        if one.result is None:
            return redirect(url_for("inspections.show", public_id=one.public_id))
        newest = one.results[-1]
        given = {row.person_id: row for row in signatures.signatures_of(session, one) if row.result_id == newest.id}
        left = [person for person in one.people if person.id not in given]
        return render_template(
            "inspecting/inspections/sign.html",
            inspection=one,
            signed=[(person, given[person.id]) for person in one.people if person.id in given],
            left=left,
            record_hash=signatures.record_hash(session, one, newest),
            width=signatures.WIDTH,
            height=signatures.HEIGHT,
            path=signatures.path,
            problem=problem,
            person_id=person_id,
            typed_name=request.form.get("name", ""),
        )


def _signed(inspection, person_id):
    try:
        with page.sessions().begin() as session:
            one = reach.inspection(session, inspection, accounts.INSPECT)
            person = signatures.person(session, one, person_id or 0)
            if request.form.get("password"):
                name, password = request.form.get("name", ""), request.form["password"]
                signatures.sign_password(session, one, person, page.user(), name, password)
            else:
                signatures.sign_drawn(session, one, person, page.user(), _strokes())
    except errors.Refused as error:
        return page.refusal_text(error)
    return None


def _strokes():
    try:
        return json.loads(request.form.get("strokes", "")[:100_000])
    except (ValueError, RecursionError):
        return None


@bp.post("/inspections/<inspection>/people")
@security.needs(accounts.INSPECT)
def join(inspection):
    """Add somebody who takes part."""
    try:
        with page.sessions().begin() as session:
            one = reach.inspection(session, inspection, accounts.INSPECT)
            for person in typed_people(session):
                participants.join(session, one, page.user(), person)
    except errors.Refused as error:
        page.flash_error(page.refusal_text(error))
    return redirect(url_for("inspections.show", public_id=inspection, _anchor="people"))


def typed_people(session) -> list[dict]:
    """Who the form names: a colleague by account, somebody by name and agency, or both."""
    found = []
    colleague = request.form.get("colleague", "")
    if colleague:
        known = {one.public_id: one for one in participants.candidates(session, page.user())}
        if colleague in known:
            found.append({"user": known[colleague]})
    name = request.form.get("partner", "").strip()[:100]
    if name:
        found.append({"name": name, "agency": request.form.get("agency", "").strip()[:100]})
    return found
