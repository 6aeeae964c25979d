"""The lists of the eye step: which there are, their versions, and a new version."""

from flask import Blueprint, redirect, render_template, request
from flask_babel import gettext
from sqlalchemy import select

from server import security
from server.models.checklists import WHERES, Checklist
from server.models.places import Facility, Organisation
from server.services import errors
from server.services.errors import NotFound
from server.services.inspecting import checklists
from server.services.people import access, accounts
from server.web import page

bp = Blueprint("checklists", __name__)

EMPTY_LINES = 3  # to write new points into


@bp.get("/checklists")
@security.needs(accounts.MANAGE)
def index():
    """The lists the signed-in person may change: their organisations' and those of buildings with one of their own."""
    with page.sessions()() as session:
        own = select(Checklist.facility_id).where(Checklist.facility_id.is_not(None))
        buildings = access.within(select(Facility).where(Facility.id.in_(own)), page.user(), Facility.id)
        return render_template(
            "inspecting/checklists/index.html",
            organisations=_organisations(session),
            buildings=list(session.scalars(buildings.order_by(Facility.name))),
        )


@bp.route("/checklists/organisation/<organisation>", methods=["GET", "POST"])
@security.needs(accounts.MANAGE)
def of_organisation(organisation):
    """The list of an organisation."""
    return _edit(Organisation, organisation)


@bp.route("/checklists/facility/<facility>", methods=["GET", "POST"])
@security.needs(accounts.MANAGE)
def of_facility(facility):
    """The list of one building, if it has its own."""
    return _edit(Facility, facility)


def _edit(table, public_id):
    problem, items = None, None
    if request.method == "POST":
        items = [] if request.form.get("drop") else _typed()
        try:
            with page.sessions().begin() as session:
                scope = _scope(session, table, public_id)
                if not items and not request.form.get("drop"):
                    raise errors.Refused("checklist_item_empty")
                checklists.save(session, page.user(), items, note=request.form.get("note", ""), **scope)
        except errors.Refused as error:
            problem = page.refusal_text(error)
        else:
            page.flash_success(gettext("The new version holds from the next inspection on."))
            return redirect(request.path)
    with page.sessions()() as session:
        scope = _scope(session, table, public_id)
        facility = scope.get("facility")
        versions = checklists.versions(session, **scope)
        own = bool(versions and versions[0].items)
        if items is None:
            items = versions[0].items if own else _inherited(session, scope)
        return render_template(
            "inspecting/checklists/edit.html",
            place=facility or scope["organisation"],
            is_facility=facility is not None,
            items=items,
            own=own,
            versions=versions,
            wheres=WHERES,
            empty_lines=EMPTY_LINES,
            problem=problem,
        )


def _scope(session, table, public_id):
    """The keyword argument that services.checklists wants. Raises NotFound without the right."""
    place = session.scalar(select(table).where(table.public_id == public_id))
    scope = {"facility" if table is Facility else "organisation": place}
    if place is None or not checklists.may_edit(session, page.user(), **scope):
        raise NotFound("place")
    return scope


def _inherited(session, scope):
    """What holds where nothing of one's own is said."""
    facility = scope.get("facility")
    if facility is None:
        return checklists.BUILTIN
    return checklists.current(session, facility).items


def _typed():
    form = request.form
    rows = zip(form.getlist("key"), form.getlist("text"), form.getlist("text_en"), form.getlist("where"), strict=False)
    typed = [{"key": key, "text": text, "text_en": english, "where": where} for key, text, english, where in rows]
    return [item for item in typed if (item["text"].strip() or item["text_en"].strip()) and item["where"] in WHERES]


def _organisations(session):
    """The organisations whose list the signed-in person may change."""
    wanted = access.within(select(Facility.organisation_id), page.user(), Facility.id)
    rows = session.scalars(select(Organisation).where(Organisation.id.in_(wanted)).order_by(Organisation.name))
    return [one for one in rows if checklists.may_edit(session, page.user(), organisation=one)]
