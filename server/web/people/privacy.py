"""Privacy: retention times, the privacy sign of a site, and the access log."""

from typing import Any, NamedTuple

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from server import security
from server.services.people import access_log, accounts
from server.services.places import facilities, privacy_signs
from server.services.upkeep import retention
from server.web import page

bp = Blueprint("privacy", __name__)

TEXT_LENGTH = 2000


class RetentionTimes(NamedTuple):
    """Retention times of the settings as text, pseudonym keys in days."""

    raw: str
    features: str
    inspections: str
    finds: str
    keys: int


@bp.get("/privacy")
@security.public
def index() -> ResponseReturnValue:
    """What sensors record, what is stored and how long, and whom to contact."""
    return render_template("people/privacy/index.html", kept=_retention_times(), plain_page=True)


def _retention_times() -> RetentionTimes:
    days = retention.days(current_app.extensions["settings"])
    return RetentionTimes(
        _duration(days.raw), _duration(days.features), _duration(days.inspections), _duration(days.finds), days.keys
    )


def _duration(days: int) -> str:
    """Return a time in years if it is a whole number of them (1095 and 1096 days are three), else in days."""
    years = round(days / 365.25)
    if years and abs(days - years * 365.25) <= years:
        return ngettext("%(num)s year", "%(num)s years", years)
    return ngettext("%(num)s day", "%(num)s days", days)


@bp.get("/facilities/<public_id>/privacy-sign")
def sign(public_id: str) -> ResponseReturnValue:
    """The privacy sign of a site, to be printed and put up where sensors listen."""
    with page.sessions()() as session:
        site = facilities.load(session, page.user(), public_id)
        notice = privacy_signs.load_newest(session, site)
        return render_template("people/privacy/sign.html", site=site, notice=notice, kept=_retention_times())


@bp.post("/facilities/<public_id>/privacy-sign")
@security.needs(accounts.MANAGE)
def change_sign(public_id: str) -> ResponseReturnValue:
    """Change the text that a site adds to its sign: the responsible person and their contact."""
    text, text_en = (request.form.get(name, "").strip()[:TEXT_LENGTH] for name in ("text", "text_en"))
    with page.sessions().begin() as session:
        site = facilities.load(session, page.user(), public_id, accounts.MANAGE)
        privacy_signs.change(session, site, text, text_en, page.user())
    page.flash_success(gettext("The sign is changed. Print it again."))
    return redirect(url_for("privacy.sign", public_id=public_id))


@bp.get("/privacy/accesses")
@security.needs(accounts.ADMINISTER, everywhere=True)
def accesses() -> ResponseReturnValue:
    """The access log; ?person= and ?subject= public ids, ?before= for older events."""
    person_id, subject = request.args.get("person", ""), request.args.get("subject", "").strip()[:64]
    before = page.row_number(request.args.get("before"))
    with page.sessions()() as session:
        person = accounts.load_user(session, person_id) if person_id else None
        events = access_log.list_events(session, page.user(), person, subject, before, page.PER_PAGE)
    filters: dict[str, Any] = {"person": person_id or None, "subject": subject or None}
    older = url_for("privacy.accesses", before=events.rows[-1][0].id, **filters) if events.next else None
    return render_template(
        "people/privacy/accesses.html", rows=events.rows, person=person, subject=subject, older=older
    )
