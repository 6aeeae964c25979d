"""Helpers that all pages share: template filters and globals, flash messages, addresses."""

from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import urlsplit

import flask_login
from flask import Flask, current_app, flash, g, request, url_for
from flask_babel import format_datetime, get_locale, gettext
from markupsafe import Markup
from wtforms import Field

from ansim.finding import NOTICE
from server import addresses, clock, i18n, wording
from server.db import Sessions
from server.models.people import User
from server.services import errors
from server.services.findings import findings
from server.services.people import access_log, accounts
from server.web.inspecting import presenters
from server.wording import sensor_refusals

PER_PAGE = 50

# The section of the navigation a page belongs to, by its blueprint.
_SECTIONS = {
    "places": "places",
    "facilities": "places",
    "organisations": "places",
    "maps": "places",
    "imports": "places",
    "plans": "plan",
    "inspections": "places",
    "checkin": "places",
    "work": "places",
    "emitters": "findings",
    "signal": "findings",
    "campaigns": "campaigns",
    "steps": "places",
    "results": "places",
    "sweeps": "places",
    "holes": "places",
    "participants": "places",
    "signatures": "places",
    "checklists": "places",
    "findings": "findings",
    "sensors": "sensors",
    "reports": "reports",
    "certificates": "reports",
    "updates": "sensors",
    "dead_letters": "sensors",
}
_LANGUAGE_NAMES = {"ko": "한국어", "en": "English"}


def init(app: Flask) -> None:
    """Add the filters and globals of templates."""
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        iso=iso,
        iso_day=iso_day,
        hour_minute=hour_minute,
        date=i18n.short_day,
        floor=floor,
        step5=step5,
        strength=wording.strength,
        channel=wording.channel,
        finding_title=lambda finding: wording.finding_title(finding.detector, finding.level == NOTICE),
        notice_end=presenters.notice_end,
        cause_name=wording.cause_name,
        result_sentence=presenters.result_sentence,
    )
    app.jinja_env.globals.update(
        words=WORDS,
        is_alarm=findings.is_alarm,
        is_notice=findings.is_notice,
        is_going_on=findings.is_going_on,
        is_over=findings.is_over,
        now_s=clock.now_s,
        may=may,
        control=control,
        get_locale=get_locale,
    )
    app.context_processor(_context)


class _Words:
    """The tables of wording.vocabulary by lower-case names: words.methods is METHODS."""

    sensor_refusal = staticmethod(sensor_refusals.sensor_refusal)

    def __getattr__(self, name):
        return getattr(wording.vocabulary, name.upper())


WORDS = _Words()


def sessions() -> Sessions:
    """Return the session factory of this application."""
    return current_app.extensions["sessions"]


def user() -> User:
    """The signed-in user; without one an anonymous user, who has no rights."""
    return cast(User, flask_login.current_user)


def may(right: str) -> bool:
    """True if the signed-in user has this right; see services.people.accounts."""
    return accounts.may(flask_login.current_user, right)


def refusal_text(error: errors.Refused) -> str:
    """Return the text of a service's refusal."""
    return wording.refusal(error.code, error.values)


def flash_success(message: str) -> None:
    """Show on the next page that something was done."""
    flash(message, "good")


def public_address(endpoint: str, **values: Any) -> str:
    """Return the absolute URL of a page, as visitors reach it. Raises Refused: public_url_needed, see public_base()."""
    return public_base() + url_for(endpoint, **values)


def public_base() -> str:
    """
    Return the address of this site for links that leave it, such as on signs, without "/" at the end.

    Raises Refused: public_url_needed. Without the setting the address would be what the request says, which anybody can
    make up; only a request from this machine to itself is believed.
    """
    base = current_app.extensions["settings"].public_url.rstrip("/")
    if base:
        return base
    host = urlsplit(request.host_url).hostname or ""
    if not (addresses.is_loopback(host) and addresses.is_loopback(request.remote_addr or "")):
        raise errors.Refused("public_url_needed")
    return request.host_url.rstrip("/")


def flash_warning(message: str) -> None:
    """Show on the next page why something was not done."""
    flash(message, "warn")
    _note_warning()


def record_access(kind: str, subject: str) -> None:
    """Record that the signed-in user saw or exported a record; see services.people.access_log."""
    access_log.record(sessions(), user(), kind, subject)


def note_done() -> None:
    """Say that a form was handled, for an answer that is a page and not a redirect; see form_submissions.py."""
    g.form_done = True


def _note_warning():
    g.warned = True  # see form_submissions.py


def flash_error(message: str) -> None:
    """Show on the next page an error."""
    flash(message, "danger")
    _note_warning()


def local_address(target: str | None) -> str | None:
    """Return `target` if it is a path of this server, else None: protects against open redirects."""
    parts = urlsplit(target or "")
    if not target or parts.scheme or parts.netloc or not target.startswith("/"):
        return None
    if target.startswith(("//", "/\\")) or any(ord(c) < 32 for c in target):
        return None
    return target


def control(field: Field, hint: str, kind: str, attributes: dict) -> Markup:
    """Return a form field's input, linked to its hint and its problem. kind: "short" for a few characters, or ""."""
    attributes = {"class": "input input-short" if kind == "short" else "input", **attributes}
    about = [f"{field.id}-hint"] * bool(hint) + [f"{field.id}-problem"] * bool(field.errors)
    if about:
        attributes["aria-describedby"] = " ".join(about)
    if field.errors:
        attributes["aria-invalid"] = "true"
    return field(**attributes)


def form_text(name: str, length: int) -> str:
    """Return a text field of the form without spaces around it, cut to `length` characters."""
    return request.form.get(name, "").strip()[:length]


def row_number(text: str | None) -> int | None:
    """Return the row number in a URL or form; None if it is not one that a database could hold."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 15 else None


def iso(at_s: int) -> str:
    """Return a time in ISO 8601: 2026-11-22T05:30:00Z."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_day(at_s: int) -> str:
    """Return the day of a time in the site's time zone, in ISO 8601: 2026-11-22."""
    return clock.local(at_s).date().isoformat()


def hour_minute(at_s: int) -> str:
    """Return the time of day, 24 hours, in the site's time zone."""
    return format_datetime(datetime.fromtimestamp(at_s, UTC), "HH:mm")


def floor(text: str) -> str:
    """Return a restroom's floor: "floor 2" for numbers such as 2 and B1, other texts unchanged."""
    numbered = text.upper().removeprefix("B").isdigit()
    return gettext("floor %(number)s", number=text.upper()) if numbered else text


def step5(percent: float) -> int:
    """Return a percentage rounded down to a step of css/levels.css; what is above 0 is at least 5."""
    if percent <= 0:
        return 0
    return max(5, min(100, int(percent) // 5 * 5))


def _context() -> dict:
    language = i18n.language()
    other = next((code for code in current_app.extensions["languages"] if code != language), None)
    signed_in = flask_login.current_user.is_authenticated
    context = {
        "other_language": {"code": other, "name": _LANGUAGE_NAMES[other]} if other else None,
        "here": request.full_path.rstrip("?") if request.method == "GET" else request.path,
        "current_section": _SECTIONS.get(request.blueprint or ""),
        "open_findings": 0,
    }
    if signed_in and not request.headers.get("HX-Request"):
        with sessions()() as session:
            context["open_findings"] = findings.count_open(session, flask_login.current_user)
    return context
