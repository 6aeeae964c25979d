"""Buildings (facilities): one with its restrooms, and editing it."""

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from server import i18n, security
from server.services.people import accounts
from server.services.places import facilities, organisations
from server.web import page
from server.web.places import forms, signs
from server.web.reporting import documents

bp = Blueprint("facilities", __name__)


@bp.get("/buildings/<public_id>")
def show(public_id: str) -> ResponseReturnValue:
    """One building with its restrooms."""
    with page.sessions()() as session:
        facility = facilities.load(session, page.user(), public_id)
        return render_template(
            "places/facility.html",
            facility=facility,
            rooms=facilities.list_restrooms(session, facility, i18n.language()),
            sources=facilities.list_sources(session, facility),
            moves=facilities.list_moves(session, facility),
        )


@bp.get("/buildings/<public_id>/signs")
def door_signs(public_id: str) -> ResponseReturnValue:
    """The door signs of a building's restrooms in use; ?as=pdf."""
    with page.sessions()() as session:
        facility = facilities.load(session, page.user(), public_id)
        rooms = [room for room in facilities.list_restrooms(session, facility, i18n.language()) if not room.retired_s]
        back = url_for("facilities.show", public_id=public_id)
        pdf = f"{url_for('facilities.door_signs', public_id=public_id)}?as={documents.PDF}"
        return signs.answer(gettext("Door signs"), rooms, back, i18n.local_name(facility), pdf)


@bp.route("/buildings/<public_id>/edit", methods=["GET", "POST"])
@security.needs(accounts.MANAGE)
def edit(public_id: str) -> ResponseReturnValue:
    """Change a building's names and address."""
    with page.sessions()() as session:
        facility = facilities.load(session, page.user(), public_id, accounts.MANAGE)
    form = forms.NameForm(obj=facility)
    del form.phone
    back = url_for("facilities.show", public_id=public_id)
    if form.validate_on_submit():
        with page.sessions().begin() as session:
            facility = facilities.load(session, page.user(), public_id, accounts.MANAGE)
            facilities.change(session, page.user(), facility, **form.fields())
        page.flash_success(gettext("Saved."))
        return redirect(back)
    return render_template("places/edit_name.html", place=facility, form=form, back=back)


@bp.route("/buildings/<public_id>/move", methods=["GET", "POST"])
@security.needs(accounts.ADMINISTER)
def move(public_id: str) -> ResponseReturnValue:
    """Move a building to another organisation."""
    with page.sessions()() as session:
        facility = facilities.load(session, page.user(), public_id, accounts.ADMINISTER)
        owners = organisations.list_whole(session, page.user(), accounts.ADMINISTER, i18n.language())
    form = forms.MoveForm()
    form.organisation.choices = [
        (owner.public_id, i18n.local_name(owner)) for owner in owners if owner.id != facility.organisation_id
    ]
    if form.validate_on_submit():
        with page.sessions().begin() as session:
            facility = facilities.load(session, page.user(), public_id, accounts.ADMINISTER)
            to = organisations.load(session, page.user(), form.organisation.data, accounts.ADMINISTER)
            facilities.move(session, page.user(), facility, to)
        page.flash_success(gettext("The building was moved."))
        return redirect(url_for("facilities.show", public_id=public_id))
    return render_template("places/move.html", facility=facility, form=form)
