"""Signatures under an inspection's result."""

import json

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from server import security
from server.services import errors
from server.services.inspecting import inspections, participants, signatures
from server.services.people import accounts
from server.web import page
from server.web.inspecting import next_starts

bp = Blueprint("signatures", __name__)


@bp.route("/inspections/<public_id>/sign", methods=["GET", "POST"])
@security.needs(accounts.INSPECT)
def sign(public_id: str) -> ResponseReturnValue:
    """The people who took part sign the result, one after the other, on this device."""
    problem, person_id = None, page.row_number(request.form.get("person"))
    if request.method == "POST":
        problem = _sign(public_id, person_id)
        if problem is None:
            page.flash_success(gettext("Signed."))
            return redirect(url_for("signatures.sign", public_id=public_id))
    with page.sessions()() as session:
        inspection = inspections.load(session, page.user(), public_id, accounts.INSPECT)
        if inspection.result is None:
            return redirect(url_for("inspections.show", public_id=inspection.public_id))
        result = inspection.results[-1]
        signed = {signature.person_id: signature for signature in signatures.list_signatures(session, result)}
        return render_template(
            "inspecting/inspections/sign.html",
            inspection=inspection,
            signed=[(person, signed[person.id]) for person in inspection.people if person.id in signed],
            left=[person for person in inspection.people if person.id not in signed],
            record_hash=signatures.record_hash(session, inspection, result),
            width=signatures.WIDTH,
            height=signatures.HEIGHT,
            path=signatures.svg_path,
            next_start=next_starts.suggest_next(session, inspection),
            problem=problem,
            person_id=person_id,
            typed_name=request.form.get("name", ""),
        )


def _sign(public_id, person_id):
    password, name = request.form.get("password", ""), page.form_text("name", 200)
    try:
        if password:
            # Before the transaction: argon2 takes long, and a failed attempt counts even if nothing else is stored.
            with page.sessions()() as session:
                inspection = inspections.load(session, page.user(), public_id, accounts.INSPECT)
                if participants.load(session, inspection, person_id or 0).user_id != page.user().id:
                    raise errors.Refused("signature_not_own")
            accounts.confirm(page.sessions(), page.user(), password, request.remote_addr or "")
        with page.sessions().begin() as session:
            inspection = inspections.load(session, page.user(), public_id, accounts.INSPECT)
            person = participants.load(session, inspection, person_id or 0)
            if password:
                signatures.sign_password(session, inspection, person, page.user())
            elif name:
                signatures.sign_typed(session, inspection, person, page.user(), name)
            else:
                signatures.sign_drawn(session, inspection, person, page.user(), _read_strokes())
    except errors.Refused as error:
        return page.refusal_text(error)
    return None


def _read_strokes():
    try:
        return json.loads(request.form.get("strokes", "")[:100_000])
    except (ValueError, RecursionError):
        return None
