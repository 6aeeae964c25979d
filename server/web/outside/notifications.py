"""Notifications: the subscriptions, and the deliveries that failed."""

import re

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy.orm import Session

from server import security, throttling
from server.models.outside import KINDS, PACES, WAYS, Subscription
from server.services import errors
from server.services.outside import delivery_queue, subscriptions
from server.services.people import accounts, scopes
from server.web import page
from server.wording import notifications as wording

bp = Blueprint("notifications", __name__)

PLACES = 200
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


@bp.get("/notices")
@security.needs(accounts.MANAGE)
def index() -> ResponseReturnValue:
    """The user's subscriptions and the deliveries that failed."""
    with page.sessions()() as session:
        return render_template(
            "outside/index.html",
            subscriptions=subscriptions.list_subscriptions(session, page.user()),
            failed=delivery_queue.list_deliveries(session, page.user(), page.PER_PAGE, failed=True),
            wording=wording,
        )


@bp.route("/notices/new", methods=["GET", "POST"])
@security.needs(accounts.MANAGE)
def new() -> ResponseReturnValue:
    """Add a subscription. A webhook's signing key is shown once, in the answer."""
    problem = None
    if request.method == "POST":
        try:
            with page.sessions().begin() as session:
                subscription, secret = _subscribe(session)
        except errors.Refused as error:
            problem = page.refusal_text(error)
        else:
            if secret:
                return render_template("outside/secret.html", secret=secret, name=subscription.name)
            page.flash_success(gettext("Notification added."))
            return redirect(url_for("notifications.index"))
    with page.sessions()() as session:
        places = scopes.list_grantable(session, page.user(), limit=PLACES)
        return render_template(
            "outside/new.html",
            wording=wording,
            places=places,
            kinds=KINDS,
            ways=WAYS,
            paces=PACES,
            problem=problem,
            values=request.form,
        )


def _subscribe(session: Session) -> tuple[Subscription, str | None]:
    form = request.form
    places = scopes.load_grantable(session, page.user(), [form["place"]]) if form.get("place") else []
    if form.get("way") not in WAYS or form.get("pace") not in PACES:
        raise errors.Refused("target_bad")
    return subscriptions.subscribe(
        session,
        current_app.extensions["vault"],
        page.user(),
        form.get("name", ""),
        form.getlist("kinds"),
        form["way"],
        form.get("target", ""),
        place=places[0].row if places else None,
        language=form["language"] if form.get("language") in current_app.extensions["languages"] else "ko",
        pace=form["pace"],
        quiet=_quiet_hours(form.get("quiet_from", ""), form.get("quiet_to", "")),
        private_targets=current_app.extensions["settings"].notice_private,
    )


def _quiet_hours(start: str, end: str) -> tuple[int, int] | None:
    """Return two times of day as minutes after midnight, None if both are empty. Raises Refused: quiet_bad."""
    if not start.strip() and not end.strip():
        return None
    first, last = _CLOCK.fullmatch(start.strip()), _CLOCK.fullmatch(end.strip())
    if first is None or last is None:
        raise errors.Refused("quiet_bad")
    return int(first[1]) * 60 + int(first[2]), int(last[1]) * 60 + int(last[2])


@bp.post("/notices/<public_id>/end")
@security.needs(accounts.MANAGE)
def end(public_id: str) -> ResponseReturnValue:
    """End a subscription."""
    with page.sessions().begin() as session:
        subscriptions.end(session, page.user(), public_id)
    page.flash_success(gettext("Nothing more is told there."))
    return redirect(url_for("notifications.index"))


@bp.post("/notices/<public_id>/test")
@security.needs(accounts.MANAGE)
@throttling.limiter.limit("10 per minute")
def test(public_id: str) -> ResponseReturnValue:
    """Send a test to a subscription."""
    with page.sessions().begin() as session:
        subscriptions.send_test(session, page.user(), public_id)
    page.flash_success(gettext("A test will be sent within seconds. If it fails, it appears below."))
    return redirect(url_for("notifications.index"))


@bp.post("/notices/deliveries/<int(max=9223372036854775807):number>/again")
@security.needs(accounts.MANAGE)
def retry(number: int) -> ResponseReturnValue:
    """Start a delivery that was given up again."""
    with page.sessions().begin() as session:
        delivery_queue.retry(session, page.user(), number)
    page.flash_success(gettext("It will be tried again within seconds."))
    return redirect(url_for("notifications.index"))
