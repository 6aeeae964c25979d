"""The form for a finding's disposition."""

from datetime import UTC, datetime

from flask_wtf import FlaskForm
from wtforms import DateField, Field, RadioField, StringField, TextAreaField, TimeField
from wtforms.validators import InputRequired, StopValidation
from wtforms.widgets import TextInput

from server import clock
from server.models.findings import DISPOSITIONS, REFERRED
from server.web import forms
from server.web.forms import SelectChoice
from server.web.forms import lazy_text as _
from server.wording import vocabulary

CALL_CLOCK_SLACK_S = 300  # a phone's clock may run ahead of the server's


def _required_for_police(form: FlaskForm, field: Field) -> None:
    """Require the field if the case was referred to the police; otherwise ignore it."""
    if form["kind"].data != REFERRED:
        field.errors = []
        raise StopValidation
    if not any(field.raw_data or ()):
        field.errors = []
        raise StopValidation(_("Please fill this in."))


class DispositionForm(FlaskForm):
    kind = RadioField(
        _("What is it?"),
        [InputRequired(_("Please choose one."))],
        choices=[SelectChoice(kind, vocabulary.DISPOSITIONS[kind].title) for kind in DISPOSITIONS],
    )
    reason = TextAreaField(_("How was that found out?"), [forms.REQUIRED, forms.at_most(1000)])
    # Two fields, because a browser's own field for date and time shows 12 hours in some languages.
    called_day = DateField(_("Day of the call to 112"), [_required_for_police])
    called_time = TimeField(
        _("Time of the call, 24 hours"), [_required_for_police], widget=TextInput(), render_kw={"placeholder": "14:05"}
    )
    station = StringField(_("Police station or officer"), [forms.at_most(200)])
    receipt = StringField(_("Receipt number"), [forms.at_most(100)])
    custody = StringField(_("Who holds the evidence now"), [forms.at_most(200)])

    def validate_called_time(self, field: Field) -> None:
        """Require a call that has been made already."""
        if self.kind.data == REFERRED and self.called_s and self.called_s > clock.now_s() + CALL_CLOCK_SLACK_S:
            raise StopValidation(_("This time has not come yet."))

    @property
    def called_s(self) -> int | None:
        """Time of the call in whole seconds UTC; the fields are in the site's time zone."""
        if self.called_day.data is None or self.called_time.data is None:
            return None
        called = datetime.combine(self.called_day.data, self.called_time.data, forms.site_zone())
        return int(called.timestamp())

    def call_now(self) -> None:
        """Fill in the present time: most calls are recorded at once."""
        now = datetime.fromtimestamp(clock.now_s(), UTC).astimezone(forms.site_zone())
        self.called_day.data, self.called_time.data = now.date(), now.time()

    def police(self) -> dict | None:
        """Return the police fields of dispositions.dispose(), None unless the case was referred."""
        if self.kind.data != REFERRED:
            return None
        return {
            "called_s": self.called_s,
            "station": (self.station.data or "").strip(),
            "receipt": (self.receipt.data or "").strip(),
            "custody": (self.custody.data or "").strip(),
        }
