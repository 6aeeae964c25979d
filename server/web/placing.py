"""Editing places: a restroom, its building, the organisations that answer for them."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext

from server import security
from server.services import access, errors, people, places, placing
from server.web import page, place_forms

bp = Blueprint("placing", __name__)


@bp.route("/restrooms/<public_id>/edit", methods=["GET", "POST"])
@security.needs(people.MANAGE)
def restroom(public_id):
    """Change what is known of a restroom."""
    problem = None
    with page.store()() as session:
        room = places.restroom(session, public_id)
        access.check(session, page.user(), people.MANAGE, room.facility_id)
        form = place_forms.RestroomEdit(obj=None if request.method == "POST" else room)
        if request.method == "GET":
            form.external_ids.data = "\n".join(f"{known.source}: {known.value}" for known in room.external_ids)
    if form.validate_on_submit():
        try:
            with page.store().begin() as session:
                room = places.restroom(session, public_id)
                access.check(session, page.user(), people.MANAGE, room.facility_id)
                placing.change_restroom(session, page.user(), room, **form.fields())
                placing.set_external_ids(session, page.user(), room, form.pairs())
            page.said(gettext("Saved."))
            return redirect(url_for("places.show", public_id=public_id))
        except errors.Refused as error:
            problem = page.refused(error)
    return render_template("places/edit.html", room=room, form=form, problem=problem)


@bp.post("/restrooms/<public_id>/retire")
@security.needs(people.MANAGE)
def retire(public_id):
    """Take a restroom out of use, with the reason; or bring it back (?back)."""
    try:
        with page.store().begin() as session:
            room = places.restroom(session, public_id)
            access.check(session, page.user(), people.MANAGE, room.facility_id)
            if request.form.get("back"):
                placing.bring_back(session, page.user(), room)
                page.said(gettext("The restroom is in use again."))
            else:
                placing.retire(session, page.user(), room, request.form.get("reason", ""))
                page.said(gettext("The restroom is out of use. Its log is kept."))
    except errors.Refused as error:
        flash(page.refused(error), "warn")
        return redirect(url_for("placing.restroom", public_id=public_id))
    return redirect(url_for("places.show", public_id=public_id))


@bp.get("/buildings/<facility>")
def building(facility):
    """One building with its restrooms."""
    with page.store()() as session:
        one = placing.facility(session, facility)
        access.check(session, page.user(), people.SEE, one.id)
        return render_template(
            "places/building.html",
            facility=one,
            rooms=placing.rooms_of(session, one),
            sources=placing.sources_of(session, one),
        )


@bp.route("/buildings/<facility>/edit", methods=["GET", "POST"])
@security.needs(people.MANAGE)
def edit_building(facility):
    """Change a building's name and address."""
    with page.store()() as session:
        one = placing.facility(session, facility)
        access.check(session, page.user(), people.MANAGE, one.id)
    form = place_forms.PlaceEdit(obj=one)
    if form.validate_on_submit():
        with page.store().begin() as session:
            one = placing.facility(session, facility)
            access.check(session, page.user(), people.MANAGE, one.id)
            texts = [" ".join((field.data or "").split()) for field in (form.name, form.name_en, form.address)]
            placing.change_facility(session, page.user(), one, *texts)
        page.said(gettext("Saved."))
        return redirect(url_for("placing.building", facility=facility))
    back = url_for("placing.building", facility=facility)
    return render_template("places/edit_place.html", one=one, form=form, back=back)


@bp.get("/organisations")
def organisations():
    """Who answers for how many buildings and restrooms."""
    with page.store()() as session:
        return render_template("places/organisations.html", rows=placing.organisations(session, page.user()))


@bp.get("/organisations/<organisation>")
def organisation(organisation):
    """An organisation's buildings by name; ?search= words, ?after= a building for the next page."""
    search = request.args.get("search", "").strip()[:100]
    with page.store()() as session:
        one = placing.organisation(session, organisation)
        access.check_inside(session, page.user(), one.id)
        after = request.args.get("after")
        after = placing.facility(session, after) if after else None
        rows = placing.facilities(session, page.user(), one, search, after, page.PER_PAGE + 1)
        rows, more = rows[: page.PER_PAGE], len(rows) > page.PER_PAGE
        older = None
        if more:
            last = rows[-1].facility.public_id
            older = url_for("placing.organisation", organisation=organisation, search=search or None, after=last)
        return render_template("places/organisation.html", organisation=one, rows=rows, search=search, older=older)


@bp.route("/organisations/<organisation>/edit", methods=["GET", "POST"])
@security.needs(people.ADMINISTER)
def edit_organisation(organisation):
    """Change an organisation's name."""
    with page.store()() as session:
        one = placing.organisation(session, organisation)
        access.check_organisation(session, page.user(), people.ADMINISTER, one.id)
    form = place_forms.PlaceEdit(obj=one)
    del form.address
    if form.validate_on_submit():
        with page.store().begin() as session:
            one = placing.organisation(session, organisation)
            access.check_organisation(session, page.user(), people.ADMINISTER, one.id)
            texts = [" ".join((field.data or "").split()) for field in (form.name, form.name_en)]
            placing.change_organisation(session, page.user(), one, *texts)
        page.said(gettext("Saved."))
        return redirect(url_for("placing.organisation", organisation=organisation))
    back = url_for("placing.organisation", organisation=organisation)
    return render_template("places/edit_place.html", one=one, form=form, back=back)
