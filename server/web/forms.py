"""Validators and the time zone that the forms of several subjects share; the forms stand beside their pages."""

from zoneinfo import ZoneInfo

from flask import current_app
from flask_babel import lazy_gettext as _
from wtforms.validators import InputRequired, Length, NumberRange

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
