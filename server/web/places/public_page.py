"""
The public page of a restroom, to which the code on its door leads: the last inspections, and where to get help.

A person who installed a camera can read it too. So it shows the day and the methods of completed inspections whatever
their result, and neither results nor findings, running inspections or visitors' requests: a referral to the police, an
alarm and a request change nothing on it. A visitor who asks for an inspection or reports something gets a code, and
only with the code a status.
"""

from datetime import UTC, datetime
from typing import NamedTuple

from babel.dates import format_date
from flask import Blueprint, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from server import i18n, security, throttling
from server.models.inspections import NONE_FOUND, REFERRED
from server.models.places import ASKED, VISITOR_REPORTS
from server.services import errors
from server.services.people.accounts import SYSTEM
from server.services.places import history, restrooms, visitor_requests
from server.web import forms, page
from server.wording.visitor_page import LANGUAGES, TEXTS

bp = Blueprint("public", __name__)

HISTORY_ROWS = 20
SHOWN = 5
MOST_STALLS = 60
BABEL_LOCALES = {"zh": "zh_Hans"}


class Visit(NamedTuple):
    """A completed inspection: when it ended (the page shows the day only), and by which methods."""

    at_s: int
    methods: list[str]


class Status(NamedTuple):
    """What became of a visitor's report: the sentence, and the code if it exists here."""

    code: str
    text: str


@bp.get("/r/<public_id>")
@security.public
def restroom(public_id: str) -> ResponseReturnValue:
    """The public page of a restroom; ?lang= one of LANGUAGES, ?code= a visitor's code for its status."""
    language = _language()
    texts = TEXTS[language]
    with page.sessions()() as database:
        room = restrooms.load(database, SYSTEM, public_id)  # open to everybody
        # An inspection that was not completed is not shown.
        visits = [
            Visit(row.inspection.finished_s, row.result.methods)
            for row in history.list_history(database, room, limit=HISTORY_ROWS).rows
            if row.inspection.finished_s is not None
            and row.result
            and row.result.result in (NONE_FOUND, REFERRED)
            and row.result.methods
        ]
        visits.sort(key=lambda visit: -visit.at_s)  # one that is handed over late is not the newest
        code = request.args.get("code", "")[:40]
        return render_template(
            "places/public/restroom.html",
            room=room,
            visits=visits[:SHOWN],
            status=_status(database, room, code, visits, language) if code else None,
            texts=texts,
            chosen_language=language,
            languages_here=LANGUAGES,
            kinds=VISITOR_REPORTS,
            stalls=range(1, min(room.stalls, MOST_STALLS) + 1),
            day_text=lambda at_s: _day(at_s, language),
            iso_day=lambda at_s: _date(at_s).isoformat(),
            place_name=lambda place: place.name if language == "ko" else place.name_en or place.name,
            plain_page=True,
        )


@bp.post("/r/<public_id>/ask")
@security.public
@throttling.limit_strangers
def ask(public_id: str) -> ResponseReturnValue:
    """Record what a visitor asks for or reports. Nothing about the visitor is stored."""
    kind, stall = request.form.get("kind", ASKED), request.form.get("stall", 0, type=int)
    code = None
    try:
        with page.sessions().begin() as database:
            room = restrooms.load(database, SYSTEM, public_id)
            code = visitor_requests.report(database, room, kind, stall).public_id
    except errors.Refused as refused:
        page.flash_error(page.refusal_text(refused))
    return redirect(url_for("public.restroom", public_id=public_id, lang=request.args.get("lang"), code=code))


def _status(database, room, code, visits, language) -> Status:
    texts = TEXTS[language]
    try:
        report = visitor_requests.load_report(database, room, code)
    except errors.NotFound:
        return Status("", texts["unknown_code"])
    after = [visit.at_s for visit in visits if visit.at_s >= report.at_s]
    values = {"day": _day(report.at_s, language), "inspected": _day(after[-1], language) if after else ""}
    return Status(report.public_id, texts["answered" if after else "waits"].format(**values))


def _language() -> str:
    """Return the language that was chosen on the page, else that of the session, else the best of the browser's."""
    chosen = request.args.get("lang")
    if chosen in LANGUAGES:
        return chosen
    if session.get("language") in LANGUAGES:
        return session["language"]
    return request.accept_languages.best_match(list(LANGUAGES)) or i18n.language()


def _date(at_s):
    return datetime.fromtimestamp(at_s, UTC).astimezone(forms.site_zone()).date()


def _day(at_s, language):
    return format_date(_date(at_s), "long", locale=BABEL_LOCALES.get(language, language))
