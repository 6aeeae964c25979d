"""Editing places: a restroom, its building, the organisations that answer for them."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext

from server import security
from server.services import errors
from server.services.people import access, accounts
from server.services.places import editing, restrooms
from server.web import page
from server.web.places import forms

bp = Blueprint("placing", __name__)


@bp.route("/restrooms/<public_id>/edit", methods=["GET", "POST"])
@security.needs(accounts.MANAGE)
def restroom(public_id):
    """Change what is known of a restroom."""
    problem = None
    with page.sessions()() as session:
        room = restrooms.restroom(session, public_id)
        access.check(session, page.user(), accounts.MANAGE, room.facility_id)
        form = forms.RestroomEdit(obj=None if request.method == "POST" else room)
        if request.method == "GET":
            form.external_ids.data = "\n".join(f"{known.source}: {known.value}" for known in room.external_ids)
    if form.validate_on_submit():
        try:
            with page.sessions().begin() as session:
                room = restrooms.restroom(session, public_id)
                access.check(session, page.user(), accounts.MANAGE, room.facility_id)
                editing.change_restroom(session, page.user(), room, **form.fields())
                editing.set_external_ids(session, page.user(), room, form.pairs())
            page.flash_success(gettext("Saved."))
            return redirect(url_for("places.show", public_id=public_id))
        except errors.Refused as error:
            problem = page.refusal_text(error)
    return render_template("places/edit.html", room=room, form=form, problem=problem)


@bp.post("/restrooms/<public_id>/retire")
@security.needs(accounts.MANAGE)
def retire(public_id):
    """Take a restroom out of use, with the reason; or bring it back (?back)."""
    try:
        with page.sessions().begin() as session:
            room = restrooms.restroom(session, public_id)
            access.check(session, page.user(), accounts.MANAGE, room.facility_id)
            if request.form.get("back"):
                editing.bring_back(session, page.user(), room)
                page.flash_success(gettext("The restroom is in use again."))
            else:
                editing.retire(session, page.user(), room, request.form.get("reason", ""))
                page.flash_success(gettext("The restroom is out of use. Its log is kept."))
    except errors.Refused as error:
        flash(page.refusal_text(error), "warn")
        return redirect(url_for("placing.restroom", public_id=public_id))
    return redirect(url_for("places.show", public_id=public_id))


@bp.get("/buildings/<facility>")
def building(facility):
    """One building with its restrooms."""
    with page.sessions()() as session:
        one = editing.facility(session, facility)
        access.check(session, page.user(), accounts.SEE, one.id)
        return render_template(
            "places/building.html",
            facility=one,
            rooms=editing.rooms_of(session, one),
            sources=editing.sources_of(session, one),
        )


@bp.route("/buildings/<facility>/edit", methods=["GET", "POST"])
@security.needs(accounts.MANAGE)
def edit_building(facility):
    """Change a building's name and address."""
    with page.sessions()() as session:
        one = editing.facility(session, facility)
        access.check(session, page.user(), accounts.MANAGE, one.id)
    form = forms.PlaceEdit(obj=one)
    if form.validate_on_submit():
        with page.sessions().begin() as session:
            one = editing.facility(session, facility)
            access.check(session, page.user(), accounts.MANAGE, one.id)
            texts = [" ".join((field.data or "").split()) for field in (form.name, form.name_en, form.address)]
            editing.change_facility(session, page.user(), one, *texts)
        page.flash_success(gettext("Saved."))
        return redirect(url_for("placing.building", facility=facility))
    back = url_for("placing.building", facility=facility)
    return render_template("places/edit_place.html", one=one, form=form, back=back)


@bp.get("/organisations")
def organisations():
    """Who answers for how many buildings and restrooms."""
    with page.sessions()() as session:
        return render_template("places/organisations.html", rows=editing.organisations(session, page.user()))


@bp.get("/organisations/<organisation>")
def organisation(organisation):
    """An organisation's buildings by name; ?search= words, ?after= a building for the next page."""
    search = request.args.get("search", "").strip()[:100]
    with page.sessions()() as session:
        one = editing.organisation(session, organisation)
        access.check_inside(session, page.user(), one.id)
        after = request.args.get("after")
        after = editing.facility(session, after) if after else None
        rows = editing.facilities(session, page.user(), one, search, after, page.PER_PAGE + 1)
        rows, more = rows[: page.PER_PAGE], len(rows) > page.PER_PAGE
        older = None
        if more:
            last = rows[-1].facility.public_id
            older = url_for("placing.organisation", organisation=organisation, search=search or None, after=last)
        return render_template("places/organisation.html", organisation=one, rows=rows, search=search, older=older)


@bp.route("/organisations/<organisation>/edit", methods=["GET", "POST"])
@security.needs(accounts.ADMINISTER)
def edit_organisation(organisation):
    """Change an organisation's name."""
    with page.sessions()() as session:
        one = editing.organisation(session, organisation)
        access.check_organisation(session, page.user(), accounts.ADMINISTER, one.id)
    form = forms.PlaceEdit(obj=one)
    del form.address
    if form.validate_on_submit():
        with page.sessions().begin() as session:
            one = editing.organisation(session, organisation)
            access.check_organisation(session, page.user(), accounts.ADMINISTER, one.id)
            texts = [" ".join((field.data or "").split()) for field in (form.name, form.name_en)]
            editing.change_organisation(session, page.user(), one, *texts)
        page.flash_success(gettext("Saved."))
        return redirect(url_for("placing.organisation", organisation=organisation))
    back = url_for("placing.organisation", organisation=organisation)
    return render_template("places/edit_place.html", one=one, form=form, back=back)
