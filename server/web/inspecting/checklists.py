"""Checklists of the eye step: those a user may change, their versions, and a new version."""

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from server import security
from server.models.checklists import WHERES
from server.services import errors
from server.services.inspecting import checklists
from server.services.people import accounts
from server.web import page

bp = Blueprint("checklists", __name__)

EMPTY_LINES = 3  # for new points


@bp.get("/checklists")
@security.needs(accounts.MANAGE)
def index() -> ResponseReturnValue:
    """The organisations whose checklist the user may change, and the buildings with a checklist of their own."""
    with page.sessions()() as session:
        scopes = checklists.list_scopes(session, page.user())
        return render_template(
            "inspecting/checklists/index.html",
            organisations=[scope.organisation for scope in scopes if scope.organisation],
            buildings=[scope.facility for scope in scopes if scope.facility],
        )


@bp.route("/checklists/organisation/<organisation>", methods=["GET", "POST"])
@security.needs(accounts.MANAGE)
def of_organisation(organisation: str) -> ResponseReturnValue:
    """The checklist of an organisation."""
    return _edit(checklists.ORGANISATION, organisation)


@bp.route("/checklists/facility/<facility>", methods=["GET", "POST"])
@security.needs(accounts.MANAGE)
def of_facility(facility: str) -> ResponseReturnValue:
    """The checklist of one building."""
    return _edit(checklists.FACILITY, facility)


def _edit(kind, public_id):
    problem, items = None, None
    if request.method == "POST":
        items = [] if request.form.get("drop") else _read_items()
        try:
            with page.sessions().begin() as session:
                scope = checklists.load_scope(session, page.user(), kind, public_id)
                if not items and not request.form.get("drop"):
                    raise errors.Refused("checklist_item_empty")
                checklists.save(session, page.user(), scope, items, note=request.form.get("note", ""))
        except errors.Refused as error:
            problem = page.refusal_text(error)
        else:
            page.flash_success(gettext("The new version holds from the next inspection on."))
            return redirect(request.path)
    with page.sessions()() as session:
        scope = checklists.load_scope(session, page.user(), kind, public_id)
        versions = checklists.list_versions(session, scope)
        return render_template(
            "inspecting/checklists/edit.html",
            place=scope.place,
            is_facility=kind == checklists.FACILITY,
            items=checklists.items_for_edit(session, scope) if items is None else items,
            own=bool(versions and versions[0].items),
            versions=versions,
            wheres=WHERES,
            empty_lines=EMPTY_LINES,
            problem=problem,
        )


def _read_items():
    """Return the points of the form that have a text."""
    form = request.form
    rows = zip(form.getlist("key"), form.getlist("text"), form.getlist("text_en"), form.getlist("where"), strict=False)
    items = [{"key": key, "text": text, "text_en": english, "where": where} for key, text, english, where in rows]
    return [item for item in items if (item["text"].strip() or item["text_en"].strip()) and item["where"] in WHERES]
