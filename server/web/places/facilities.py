"""Buildings (facilities): one with its restrooms, and editing it."""

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from server import security
from server.services.people import accounts
from server.services.places import facilities
from server.web import page
from server.web.places import forms

bp = Blueprint("facilities", __name__)


@bp.get("/buildings/<public_id>")
def show(public_id: str) -> ResponseReturnValue:
    """One building with its restrooms."""
    with page.sessions()() as session:
        facility = facilities.load(session, page.user(), public_id)
        return render_template(
            "places/facility.html",
            facility=facility,
            rooms=facilities.list_restrooms(session, facility),
            sources=facilities.list_sources(session, facility),
        )


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
