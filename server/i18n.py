"""
Language and display of times: English and Korean, 24-hour times in the site's time zone.

The filters `when`, `clock`, `day` and `duration` take the database's whole seconds; None gives a dash.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import flask_login
from flask import Flask, current_app, request, session
from flask_babel import Babel, format_date, format_datetime, format_time, get_locale, gettext

from server.models.places import Facility, Organisation, Restroom

if TYPE_CHECKING:
    from babel.messages import Catalog

DASH = "–"
# Babel's own Korean formats say "오전 9:00"; every place in the project shows 24 hours.
_WHEN = {"ko": "yyyy. M. d. (EEE) HH:mm", "en": "d MMM yyyy, HH:mm"}
_DAY = {"ko": "yyyy. M. d. (EEE)", "en": "EEE d MMM yyyy"}
_CLOCK = "HH:mm:ss"


def init(app: Flask) -> None:
    """Set up Flask-Babel and the filters."""
    settings = app.extensions["settings"]
    languages = settings.languages.split(",")
    app.config.update(
        BABEL_DEFAULT_LOCALE=languages[0],
        BABEL_DEFAULT_TIMEZONE=settings.time_zone,
        BABEL_TRANSLATION_DIRECTORIES="translations",
    )
    app.extensions["languages"] = languages
    compile_translations(Path(app.root_path) / "translations")
    Babel(app, locale_selector=choose_language)
    app.add_template_filter(when)
    app.add_template_filter(clock)
    app.add_template_filter(day)
    app.add_template_filter(duration)
    app.add_template_filter(local_name)
    app.context_processor(lambda: {"language": language(), "languages": languages})


def choose_language() -> str:
    """Return the session's language, else the user's, else the best match of the browser's languages."""
    languages = current_app.extensions["languages"]
    user = flask_login.current_user
    for code in (session.get("language"), getattr(user, "locale", None)):
        if code is not None and code in languages:
            return code
    return request.accept_languages.best_match(languages) or languages[0]


def remember(chosen: str) -> bool:
    """Use this language for the rest of the session. Return False if the site does not offer it."""
    if chosen not in current_app.extensions["languages"]:
        return False
    session["language"] = chosen
    return True


def language() -> str:
    """Return the language of this request, "ko" or "en"."""
    locale = get_locale()
    assert locale, "outside a request"
    return locale.language


def when(at_s: int | None) -> str:
    """Return date and time, 24 hours."""
    return DASH if at_s is None else format_datetime(_aware(at_s), _WHEN.get(language(), _WHEN["en"]))


def clock(at_s: int | None) -> str:
    """Return the time of day with seconds, 24 hours."""
    return DASH if at_s is None else format_time(_aware(at_s), _CLOCK)


def day(at_s: int | None) -> str:
    """Return the date."""
    return DASH if at_s is None else format_date(_aware(at_s), _DAY.get(language(), _DAY["en"]))


def short_day(at_s: int) -> str:
    """Return the date without its weekday."""
    return format_date(_aware(at_s), {"ko": "yyyy. M. d."}.get(language(), "d MMM yyyy"))


def duration(seconds: float | None) -> str:
    """Return seconds as "45 s", "3 min 5 s" or "2 h 10 min"."""
    if seconds is None:
        return DASH
    minutes, s = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return gettext("%(h)d h %(m)d min", h=hours, m=minutes)
    if minutes:
        return gettext("%(m)d min %(s)d s", m=minutes, s=s)
    return gettext("%(s)d s", s=s)


def local_name(place: Organisation | Facility | Restroom | None) -> str:
    """Return the name of an organisation, facility or restroom in this language, if it has one."""
    if place is None:
        return DASH
    return (place.name_en or place.name) if language() == "en" else place.name


def compile_translations(folder: Path) -> None:
    """
    Compile each language's .po files into one messages.mo, unless it is newer than all of them.
    """
    for messages in folder.glob("*/LC_MESSAGES"):
        sources, target = sorted(messages.glob("*.po")), messages / "messages.mo"
        newest = max((source.stat().st_mtime for source in sources), default=0)
        if target.exists() and target.stat().st_mtime >= newest:
            continue
        from babel.messages import mofile

        # Written to another file and renamed, because several processes may start at once.
        draft = target.with_suffix(f".{os.getpid()}.tmp")
        with draft.open("wb") as file:
            mofile.write_mo(file, read_translations(messages))
        draft.replace(target)


def read_translations(folder: Path) -> "Catalog":
    """Return a language's whole catalogue from its folder of .po files."""
    from babel.messages import Catalog, pofile

    catalog = Catalog(locale=folder.parent.name)
    for source in sorted(folder.glob("*.po")):
        with source.open("rb") as file:
            part = pofile.read_po(file, locale=folder.parent.name)
        catalog.mime_headers = part.mime_headers
        for message in part:
            if message.id:
                catalog[message.id] = message
    return catalog


def _aware(at_s: int) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)
