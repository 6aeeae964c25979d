"""Validators, translated texts and the time zone that the forms of several subjects share."""

from typing import cast
from zoneinfo import ZoneInfo

from flask import current_app
from flask_babel import lazy_gettext
from wtforms.fields import choices
from wtforms.validators import InputRequired, Length, NumberRange

# The stubs of WTForms that come with pyright describe an older version, without SelectChoice.
SelectChoice = choices.SelectChoice  # pyright: ignore[reportAttributeAccessIssue]


def lazy_text(message: str) -> str:
    """Return a text that is translated when it is shown. Forms are made at import, before there is a language."""
    # WTForms takes LazyString wherever its stubs ask for str.
    return cast(str, lazy_gettext(message))


_ = lazy_text

REQUIRED = InputRequired(_("Please fill this in."))


def at_most(length: int) -> Length:
    """Return a validator for texts of at most this many characters."""
    return Length(max=length, message=_("At most %(max)d characters."))


def between(least: int, most: int) -> NumberRange:
    """Return a validator for numbers from `least` to `most`."""
    return NumberRange(least, most, message=_("A number from %(min)d to %(max)d."))


def site_zone() -> ZoneInfo:
    """Return the time zone of the site, from the settings."""
    return ZoneInfo(current_app.extensions["settings"].time_zone)
