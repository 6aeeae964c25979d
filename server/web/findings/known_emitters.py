"""Known emitters: the list per building, approving one, and withdrawing it."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from server import clock, i18n, security
from server.models.findings import KNOWN, NEIGHBOUR
from server.services import errors
from server.services.findings import known_emitters
from server.services.people import accounts
from server.services.places import facilities
from server.web import page

bp = Blueprint("emitters", __name__)

KINDS = (KNOWN, NEIGHBOUR)
FACILITIES_SHOWN = 200


@bp.get("/emitters")
def index() -> ResponseReturnValue:
    """The list; ?state= one of known_emitters.STATES, ?facility= one building, ?before= a cursor for older ones."""
    return _render_list(None)


def _render_list(problem):
    state = request.args.get("state")
    state = state if state in known_emitters.STATES else known_emitters.VALID
    user = page.user()
    with page.sessions()() as session:
        public_id = request.values.get("facility")
        facility = facilities.load(session, user, public_id) if public_id else None
        found = known_emitters.list_emitters(
            session, user, state=state, facility=facility, cursor=request.args.get("before"), limit=page.PER_PAGE
        )
        older = None
        if found.next:
            older = url_for(
                "emitters.index", state=state, facility=facility.public_id if facility else None, before=found.next
            )
        now_s = clock.now_s()
        choices = []
        if page.may(accounts.MANAGE):
            choices = facilities.list_facilities(
                session, user, limit=FACILITIES_SHOWN, by_name=True, language=i18n.language()
            ).rows
        return render_template(
            "findings/known_emitters/index.html",
            rows=[(*row, known_emitters.state_of(row.emitter, now_s)) for row in found.rows],
            sites=choices,
            facility=facility,
            state=state,
            states=known_emitters.STATES,
            older=older,
            kinds=KINDS,
            usual_days=known_emitters.USUAL_DAYS,
            most_days=known_emitters.MOST_DAYS,
            problem=problem,
        )


@bp.post("/emitters")
@security.needs(accounts.MANAGE)
def add() -> ResponseReturnValue:
    """Approve a transmitter for a building."""
    form = request.form
    kind, days = form.get("kind"), form.get("days", known_emitters.USUAL_DAYS, type=int)
    if kind not in KINDS or not form.get("facility"):
        return _render_list(gettext("Please choose one."))
    try:
        with page.sessions().begin() as session:
            facility = facilities.load(session, page.user(), form["facility"], accounts.MANAGE)
            address, label, reason = (form.get(name, "") for name in ("address", "label", "why"))
            known_emitters.add(session, page.user(), facility, address, label, kind, reason, days)
    except errors.Refused as error:
        return _render_list(page.refusal_text(error))
    page.flash_success(gettext("It is on the list now. Sensors are told when an inspection starts."))
    return redirect(url_for("emitters.index", facility=form["facility"]))


@bp.post("/emitters/<emitter>/renew")
@security.needs(accounts.MANAGE)
def renew(emitter: str) -> ResponseReturnValue:
    """Approve an emitter for another year."""
    return _change(emitter, lambda session, row: known_emitters.renew(session, row, page.user()))


@bp.post("/emitters/<emitter>/withdraw")
@security.needs(accounts.MANAGE)
def withdraw(emitter: str) -> ResponseReturnValue:
    """End an emitter's approval."""
    reason = request.form.get("why", "")
    return _change(emitter, lambda session, row: known_emitters.withdraw(session, row, page.user(), reason))


def _change(number, change):
    try:
        with page.sessions().begin() as session:
            change(session, known_emitters.load(session, page.user(), page.row_number(number) or 0))
    except errors.Refused as error:
        page.flash_error(page.refusal_text(error))
    else:
        page.flash_success(gettext("Recorded in the log."))
    return redirect(url_for("emitters.index"))
