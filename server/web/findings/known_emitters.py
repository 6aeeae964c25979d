"""Known emitters: the list per building, approving one, and withdrawing it."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext

from server import clock, security
from server.models.findings import KNOWN, NEIGHBOUR
from server.services import errors
from server.services.findings import known_emitters
from server.services.people import accounts
from server.services.places import facilities
from server.web import page

bp = Blueprint("emitters", __name__)

STATES = (known_emitters.VALID, known_emitters.EXPIRED, known_emitters.WITHDRAWN, known_emitters.ALL)
KINDS = (KNOWN, NEIGHBOUR)
SITES_SHOWN = 200


@bp.get("/emitters")
def index():
    """The list; ?state= valid, expired, withdrawn or all, ?facility= one building, ?before= a number for older ones."""
    return _listed(None)


def _listed(problem):
    state = request.args.get("state")
    state = state if state in STATES else known_emitters.VALID
    with page.sessions()() as session:
        facility = _facility(session, request.values.get("facility"))
        before_id = page.row_number(request.args.get("before"))
        rows = known_emitters.list_emitters(session, page.user(), state, facility, page.PER_PAGE + 1, before_id)
        rows, more = rows[: page.PER_PAGE], len(rows) > page.PER_PAGE
        here = facility.public_id if facility else None
        older = url_for("emitters.index", state=state, facility=here, before=rows[-1][0].id) if more else None
        now_s = clock.now_s()
        sites = []
        if page.may(accounts.MANAGE):
            sites = facilities.list_facilities(session, page.user(), limit=SITES_SHOWN, by_name=True).rows
        return render_template(
            "findings/known_emitters/index.html",
            rows=[(one, site, by, known_emitters.state(one, now_s)) for one, site, by in rows],
            sites=sites,
            facility=facility,
            state=state,
            states=STATES,
            older=older,
            kinds=KINDS,
            usual_days=known_emitters.USUAL_DAYS,
            most_days=known_emitters.MOST_DAYS,
            problem=problem,
        )


def _facility(session, public_id):
    return facilities.load(session, page.user(), public_id) if public_id else None


@bp.post("/emitters")
@security.needs(accounts.MANAGE)
def add():
    """Put a transmitter on a building's list."""
    form = request.form
    kind, days = form.get("kind"), form.get("days", known_emitters.USUAL_DAYS, type=int)
    if kind not in KINDS or not form.get("facility"):
        return _listed(gettext("Please choose one."))
    try:
        with page.sessions().begin() as session:
            facility = facilities.load(session, page.user(), form["facility"], accounts.MANAGE)
            address, label, why = (form.get(name, "") for name in ("address", "label", "why"))
            known_emitters.add(session, page.user(), facility, address, label, kind, why, days)
    except errors.Refused as error:
        return _listed(page.refusal_text(error))
    page.flash_success(gettext("It is on the list now. Sensors are told when an inspection starts."))
    return redirect(url_for("emitters.index", facility=form["facility"]))


@bp.post("/emitters/<emitter>/renew")
@security.needs(accounts.MANAGE)
def renew(emitter):
    """Approve it for another year."""
    return _changed(emitter, lambda session, one: known_emitters.renew(session, one, page.user()))


@bp.post("/emitters/<emitter>/withdraw")
@security.needs(accounts.MANAGE)
def withdraw(emitter):
    """Take it off the list."""
    why = request.form.get("why", "")
    return _changed(emitter, lambda session, one: known_emitters.withdraw(session, one, page.user(), why))


def _changed(emitter, change):
    try:
        with page.sessions().begin() as session:
            change(session, known_emitters.emitter(session, page.user(), page.row_number(emitter) or 0))
    except errors.Refused as error:
        page.flash_error(page.refusal_text(error))
    else:
        page.flash_success(gettext("Recorded in the log."))
    return redirect(url_for("emitters.index"))
