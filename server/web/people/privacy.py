"""Privacy pages: what is kept and how long, each site's sign, and who looked at what."""

from collections import namedtuple

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask_babel import gettext, ngettext

from server import security
from server.services.people import access_log, accounts
from server.services.places import facilities, privacy_signs
from server.services.upkeep import retention
from server.web import page

bp = Blueprint("privacy", __name__)

TEXT_LENGTH = 2000

# How long, by the settings: keys in days, the others in words
Kept = namedtuple("Kept", ("raw", "features", "inspections", "finds", "keys"))


@bp.get("/privacy")
@security.public
def index():
    """What sensors hear, what is kept, how long, and whom to ask."""
    return render_template("people/privacy/index.html", kept=_kept(), plain_page=True)


def _kept():
    settings = current_app.extensions["settings"]
    days = retention.days(settings)
    return Kept(*(_span(kept) for kept in (days.raw, days.features, days.inspections, days.finds)), days.keys)


def _span(days):
    """A time in whole years if it is some (1095 days and 1096 are three), else in days."""
    years = round(days / 365.25)
    if years and abs(days - years * 365.25) <= years:
        return ngettext("%(num)s year", "%(num)s years", years)
    return ngettext("%(num)s day", "%(num)s days", days)


@bp.get("/facilities/<public_id>/privacy-sign")
def sign(public_id):
    """The privacy sign of one site, to be printed and put up where sensors listen."""
    with page.sessions()() as session:
        site = facilities.load(session, page.user(), public_id)
        notice = privacy_signs.load_newest(session, site)
        return render_template("people/privacy/sign.html", site=site, notice=notice, kept=_kept())


@bp.post("/facilities/<public_id>/privacy-sign")
@security.needs(accounts.MANAGE)
def change_sign(public_id):
    """Change what a site's sign adds: who is responsible and how to reach them."""
    text, text_en = (request.form.get(name, "").strip()[:TEXT_LENGTH] for name in ("text", "text_en"))
    with page.sessions().begin() as session:
        site = facilities.load(session, page.user(), public_id, accounts.MANAGE)
        privacy_signs.change(session, site, text, text_en, page.user())
    page.flash_success(gettext("The sign is changed. Print it again."))
    return redirect(url_for("privacy.sign", public_id=public_id))


@bp.get("/privacy/accesses")
@security.needs(accounts.ADMINISTER, everywhere=True)
def accesses():
    """Who saw or exported what; ?person= and ?subject= public ids, ?before= for older ones."""
    who, subject = request.args.get("person", ""), request.args.get("subject", "").strip()[:64]
    before = page.row_number(request.args.get("before"))
    with page.sessions()() as session:
        person = accounts.user(session, who) if who else None
        rows = access_log.events(session, person, subject, before, page.PER_PAGE + 1)
    rows, more = rows[: page.PER_PAGE], len(rows) > page.PER_PAGE
    address = {"person": who or None, "subject": subject or None}
    older = url_for("privacy.accesses", before=rows[-1][0].id, **address) if more else None
    return render_template("people/privacy/accesses.html", rows=rows, person=person, subject=subject, older=older)
