"""Organisations: the list, one with its buildings, and editing it."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from server import i18n, security
from server.services.people import accounts
from server.services.places import facilities, organisations
from server.web import page
from server.web.places import forms

bp = Blueprint("organisations", __name__)


@bp.get("/organisations")
def index() -> ResponseReturnValue:
    """Organisations with the number of their buildings and restrooms."""
    with page.sessions()() as session:
        rows = organisations.list_organisations(session, page.user(), i18n.language())
        return render_template("places/organisations.html", rows=rows)


@bp.get("/organisations/<public_id>")
def show(public_id: str) -> ResponseReturnValue:
    """An organisation's buildings by name; ?search= words, ?after= a cursor for the next page."""
    search = request.args.get("search", "").strip()[:100]
    with page.sessions()() as session:
        organisation = organisations.load(session, page.user(), public_id)
        found = facilities.list_facilities(
            session,
            page.user(),
            organisation=organisation.public_id,
            search=search,
            cursor=request.args.get("after"),
            limit=page.PER_PAGE,
            by_name=True,
            language=i18n.language(),
        )
        counts = facilities.count_restrooms(session, found.rows)
        return render_template(
            "places/organisation.html",
            organisation=organisation,
            rows=[(facility, counts.get(facility.id, 0)) for facility in found.rows],
            search=search,
            older=found.next
            and url_for("organisations.show", public_id=public_id, search=search or None, after=found.next),
        )


@bp.route("/organisations/<public_id>/edit", methods=["GET", "POST"])
@security.needs(accounts.ADMINISTER)
def edit(public_id: str) -> ResponseReturnValue:
    """Change an organisation's names."""
    with page.sessions()() as session:
        organisation = organisations.load(session, page.user(), public_id, accounts.ADMINISTER)
    form = forms.NameForm(obj=organisation)
    del form.address
    back = url_for("organisations.show", public_id=public_id)
    if form.validate_on_submit():
        with page.sessions().begin() as session:
            organisation = organisations.load(session, page.user(), public_id, accounts.ADMINISTER)
            organisations.change(session, page.user(), organisation, **form.fields())
        page.flash_success(gettext("Saved."))
        return redirect(back)
    return render_template("places/edit_name.html", place=organisation, form=form, back=back)
