"""Firmware releases and their roll-outs."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from server import security
from server.services import errors
from server.services.people import accounts
from server.services.sensors import fleet, rollout
from server.web import page

bp = Blueprint("updates", __name__)

MOST_CANARIES = 1000


@bp.get("/updates")
@security.needs(accounts.MANAGE)
def index() -> ResponseReturnValue:
    """Versions, and their roll-outs."""
    with page.sessions()() as session:
        rollouts = rollout.list_rollouts(session)
        running = next((row for row in rollouts if row.ended_s is None), None)
        return render_template(
            "sensors/updates.html",
            releases=rollout.list_releases(session),
            rollouts=rollouts,
            counts=rollout.count_outcomes(session, rollouts),
            running=running,
            rows=rollout.list_sensors(session, running or rollouts[0]) if rollouts else [],
        )


@bp.post("/updates/<public_id>/begin")
@security.needs(accounts.ADMINISTER, everywhere=True)
def begin(public_id: str) -> ResponseReturnValue:
    """Roll a version out to all sensors."""
    canaries = max(1, min(request.form.get("canaries", 1, type=int), MOST_CANARIES))
    failures = max(0, min(request.form.get("failures", 1, type=int), MOST_CANARIES))
    try:
        with page.sessions().begin() as session:
            chosen = fleet.list_all(session, page.user())
            rollout.begin(session, rollout.load_release(session, public_id), chosen, canaries, failures, page.user())
    except errors.Refused as error:
        page.flash_warning(page.refusal_text(error))
    else:
        page.flash_success(gettext("The roll-out has begun; the first sensors get the version when they connect."))
    return redirect(url_for("updates.index"))


@bp.post("/updates/<public_id>/stop")
@security.needs(accounts.ADMINISTER, everywhere=True)
def stop(public_id: str) -> ResponseReturnValue:
    """Stop a roll-out."""
    with page.sessions().begin() as session:
        rollout.stop(session, rollout.load(session, public_id), user=page.user())
    page.flash_success(gettext("The roll-out is stopped; sensors that have the version keep it."))
    return redirect(url_for("updates.index"))
