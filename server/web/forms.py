"""The forms with typed fields. Forms that are only buttons and choices stand in their templates."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from flask import current_app
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import (
    DateField,
    IntegerField,
    PasswordField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
    TimeField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import EqualTo, InputRequired, Length, NumberRange, Optional, StopValidation
from wtforms.widgets import TextInput

from server import clock
from server.models.findings import DISPOSITIONS, REFERRED
from server.models.places import BLOCKS
from server.services.people.accounts import LEAST_PASSWORD, MOST_PASSWORD
from server.wording import vocabulary

NEW_FACILITY = "new"
CALL_CLOCK_SLACK_S = 300  # a phone's clock may run ahead of ours

_needed = InputRequired(_("Please fill this in."))


def _most(length):
    return Length(max=length, message=_("At most %(max)d characters."))


def _called(form, field):
    """A case with the police has a time of the call, and it lies in the past; elsewhere the field does not matter."""
    if form.kind.data != REFERRED:
        field.errors = []
        raise StopValidation
    if not any(field.raw_data or ()):
        field.errors = []
        raise StopValidation(_needed.message)


class LoginForm(FlaskForm):
    login = StringField(_("Sign-in name"), [_needed, _most(100)])
    password = PasswordField(_("Password"), [_needed, _most(1000)])


class PasswordForm(FlaskForm):
    old = PasswordField(_("Present password"), [_needed])
    new = PasswordField(
        _("New password"),
        [
            _needed,
            Length(min=LEAST_PASSWORD, message=_("Please use at least %(min)d characters.")),
            _most(MOST_PASSWORD),
        ],
    )
    again = PasswordField(_("New password once more"), [_needed, EqualTo("new", _("The two are not the same."))])


class CodeForm(FlaskForm):
    code = StringField(_("Code"), [_needed, _most(40)])


class InvitationForm(FlaskForm):
    code = StringField(_("Invitation code"), [_needed, _most(60)])
    name = StringField(_("Your name"), [_needed, _most(200)])
    login = StringField(_("Sign-in name"), [_needed, _most(100)])
    new = PasswordField(
        _("Password"),
        [
            _needed,
            Length(min=LEAST_PASSWORD, message=_("Please use at least %(min)d characters.")),
            _most(MOST_PASSWORD),
        ],
    )
    again = PasswordField(_("Password once more"), [_needed, EqualTo("new", _("The two are not the same."))])


class RestroomForm(FlaskForm):
    facility = SelectField(_("Building or site"), [_needed], validate_choice=True)
    facility_name = StringField(_("Name of the new building or site"), [_most(200)])
    facility_address = StringField(_("Its address"), [_most(200)])
    name = StringField(_("Name of the restroom"), [_needed, _most(200)])
    name_en = StringField(_("Name in English"), [_most(200)])
    block = SelectField(_("Who it is for"), choices=[SelectChoice(block, vocabulary.BLOCKS[block]) for block in BLOCKS])
    floor = StringField(_("Floor"), [_most(20)])
    stalls = IntegerField(
        _("Stalls"), [Optional(), NumberRange(0, 500, message=_("A number from %(min)d to %(max)d."))], default=0
    )

    def validate_facility_name(self, field):
        """A new site needs a name; an old one has it."""
        if self.facility.data == NEW_FACILITY and not (field.data or "").strip():
            raise StopValidation(_("Please fill this in."))


class DispositionForm(FlaskForm):
    kind = RadioField(
        _("What is it?"),
        [InputRequired(_("Please choose one."))],
        choices=[SelectChoice(kind, vocabulary.DISPOSITIONS[kind].title) for kind in DISPOSITIONS],
    )
    reason = TextAreaField(_("How was that found out?"), [_needed, _most(1000)])
    # Two fields, because a browser's own field for both shows 12 hours where its language does.
    called_day = DateField(_("Day of the call to 112"), [_called])
    called_time = TimeField(
        _("Time of the call, 24 hours"), [_called], widget=TextInput(), render_kw={"placeholder": "14:05"}
    )
    station = StringField(_("Police station or officer"), [_most(200)])
    receipt = StringField(_("Receipt number"), [_most(100)])
    custody = StringField(_("Who holds the evidence now"), [_most(200)])

    def validate_called_time(self, field):
        """The call has been made."""
        if self.kind.data == REFERRED and self.called_s and self.called_s > clock.now_s() + CALL_CLOCK_SLACK_S:
            raise StopValidation(_("This time has not come yet."))

    @property
    def called_s(self) -> int | None:
        """The time of the call in whole seconds UTC; the form has it in the site's time zone."""
        if self.called_day.data is None or self.called_time.data is None:
            return None
        called = datetime.combine(self.called_day.data, self.called_time.data, site_zone())
        return int(called.timestamp())

    def call_now(self) -> None:
        """Fill in the present: most calls are noted at once."""
        now = datetime.fromtimestamp(clock.now_s(), UTC).astimezone(site_zone())
        self.called_day.data, self.called_time.data = now.date(), now.time()

    def police(self) -> dict | None:
        """What services.findings.dispose() wants for a case that went to the police."""
        if self.kind.data != REFERRED:
            return None
        return {
            "called_s": self.called_s,
            "station": (self.station.data or "").strip(),
            "receipt": (self.receipt.data or "").strip(),
            "custody": (self.custody.data or "").strip(),
        }


def site_zone() -> ZoneInfo:
    """The time zone that people at this site live in."""
    return ZoneInfo(current_app.extensions["settings"].time_zone)
