"""Notices: who outside is told of what, and what could not be delivered."""

import re

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask_babel import gettext

from server import security
from server.models.outside import KINDS, PACES, WAYS
from server.services import errors
from server.services.outside import notifications
from server.services.people import accounts, scopes
from server.web import page
from server.wording import notices as told

bp = Blueprint("notices", __name__)

PLACES = 200
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


@bp.get("/notices")
@security.needs(accounts.MANAGE)
def index():
    """The subscriptions this person manages, and the deliveries that failed."""
    with page.sessions()() as session:
        return render_template(
            "outside/index.html",
            rows=notifications.subscriptions(session, page.user()),
            failed=notifications.deliveries(session, page.user(), page.PER_PAGE, failed=True),
            told=told,
        )


@bp.route("/notices/new", methods=["GET", "POST"])
@security.needs(accounts.MANAGE)
def new():
    """Add a subscription. A webhook's signing key is shown once, in the answer."""
    problem = None
    if request.method == "POST":
        try:
            with page.sessions().begin() as session:
                made, secret = _subscribe(session)
        except errors.Refused as error:
            problem = page.refusal_text(error)
        else:
            if secret:
                return render_template("outside/secret.html", secret=secret, name=made.name)
            page.flash_success(gettext("From now on this is told there."))
            return redirect(url_for("notices.index"))
    with page.sessions()() as session:
        places = scopes.offered(session, page.user(), limit=PLACES)
        return render_template(
            "outside/new.html",
            told=told,
            places=places,
            kinds=KINDS,
            ways=WAYS,
            paces=PACES,
            problem=problem,
            given=request.form,
        )


def _subscribe(session):
    form = request.form
    chosen = scopes.choose(session, page.user(), [form["place"]]) if form.get("place") else []
    if form.get("way") not in WAYS or form.get("pace") not in PACES:
        raise errors.Refused("target_bad")
    return notifications.subscribe(
        session,
        current_app.extensions["vault"],
        page.user(),
        form.get("name", ""),
        form.getlist("kinds"),
        form["way"],
        form.get("target", ""),
        place=chosen[0].row if chosen else None,
        language=form["language"] if form.get("language") in current_app.extensions["languages"] else "ko",
        pace=form["pace"],
        quiet=_quiet(form.get("quiet_from", ""), form.get("quiet_to", "")),
        private_targets=current_app.extensions["settings"].notice_private,
    )


def _quiet(start, end):
    """Two times of day as minutes after midnight; None if both are empty."""
    if not start.strip() and not end.strip():
        return None
    found = [_CLOCK.fullmatch(text.strip()) for text in (start, end)]
    if not all(found):
        raise errors.Refused("quiet_bad")
    return tuple(int(one[1]) * 60 + int(one[2]) for one in found)


@bp.post("/notices/<public_id>/end")
@security.needs(accounts.MANAGE)
def end(public_id):
    """End a subscription."""
    with page.sessions().begin() as session:
        notifications.end(session, page.user(), public_id)
    page.flash_success(gettext("Nothing more is told there."))
    return redirect(url_for("notices.index"))


@bp.post("/notices/deliveries/<int(max=9223372036854775807):number>/again")
@security.needs(accounts.MANAGE)
def again(number):
    """Try a delivery that was given up once more."""
    with page.sessions().begin() as session:
        notifications.again(session, page.user(), number)
    page.flash_success(gettext("It will be tried again within seconds."))
    return redirect(url_for("notices.index"))
