"""
Language and time as people read them: English and Korean, 24-hour times in the site's time zone.

The filters `when`, `clock`, `day` and `duration` take the database's whole seconds; None gives a dash.
"""

import os
from datetime import UTC, datetime
from pathlib import Path

import flask_login
from flask import current_app, request, session
from flask_babel import Babel, format_date, format_datetime, format_time, get_locale, gettext

DASH = "–"
# Babel's own Korean formats say "오전 9:00"; every place in the project shows 24 hours.
_WHEN = {"ko": "yyyy. M. d. (EEE) HH:mm", "en": "d MMM yyyy, HH:mm"}
_DAY = {"ko": "yyyy. M. d. (EEE)", "en": "EEE d MMM yyyy"}
_CLOCK = "HH:mm:ss"


def init(app) -> None:
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
    """The session's language, else the person's, else the best that the browser asks for."""
    languages = current_app.extensions["languages"]
    user = flask_login.current_user
    for chosen in (session.get("language"), getattr(user, "locale", None)):
        if chosen is not None and chosen in languages:
            return chosen
    return request.accept_languages.best_match(languages) or languages[0]


def remember(chosen: str) -> bool:
    """Use this language for the rest of the session; False if there is no such language."""
    if chosen not in current_app.extensions["languages"]:
        return False
    session["language"] = chosen
    return True


def language() -> str:
    """The language of this request, "ko" or "en"."""
    locale = get_locale()
    assert locale, "outside a request"
    return locale.language


def when(at_s) -> str:
    """Date and time, 24 hours."""
    return DASH if at_s is None else format_datetime(_aware(at_s), _WHEN.get(language(), _WHEN["en"]))


def clock(at_s) -> str:
    """Time of day with seconds, 24 hours."""
    return DASH if at_s is None else format_time(_aware(at_s), _CLOCK)


def day(at_s) -> str:
    """The date."""
    return DASH if at_s is None else format_date(_aware(at_s), _DAY.get(language(), _DAY["en"]))


def short_day(at_s) -> str:
    """The date without its weekday."""
    return format_date(_aware(at_s), {"ko": "yyyy. M. d."}.get(language(), "d MMM yyyy"))


def duration(seconds) -> str:
    """Whole seconds as "45 s", "3 min 5 s" or "2 h 10 min"."""
    if seconds is None:
        return DASH
    minutes, s = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return gettext("%(h)d h %(m)d min", h=hours, m=minutes)
    if minutes:
        return gettext("%(m)d min %(s)d s", m=minutes, s=s)
    return gettext("%(s)d s", s=s)


def local_name(place) -> str:
    """The name of an organisation, facility or restroom in this language, if it has one."""
    if place is None:
        return DASH
    return (place.name_en or place.name) if language() == "en" else place.name


def compile_translations(folder: Path) -> None:
    """
    Join each language's .po files, one an area of the pages, into its messages.mo if that is older than one of them.
    """
    for place in folder.glob("*/LC_MESSAGES"):
        sources, target = sorted(place.glob("*.po")), place / "messages.mo"
        newest = max((source.stat().st_mtime for source in sources), default=0)
        if target.exists() and target.stat().st_mtime >= newest:
            continue
        from babel.messages import mofile

        # Written beside and moved, because other processes start at the same moment.
        draft = target.with_suffix(f".{os.getpid()}.tmp")
        with draft.open("wb") as file:
            mofile.write_mo(file, read_translations(place))
        draft.replace(target)


def read_translations(place: Path):
    """Return a language's whole catalogue (babel.messages.Catalog) from its folder of .po files."""
    from babel.messages import Catalog, pofile

    whole = Catalog(locale=place.parent.name)
    for source in sorted(place.glob("*.po")):
        with source.open("rb") as file:
            part = pofile.read_po(file, locale=place.parent.name)
        whole.mime_headers = part.mime_headers
        for message in part:
            if message.id:
                whole[message.id] = message
    return whole


def _aware(at_s):
    return datetime.fromtimestamp(at_s, UTC)
