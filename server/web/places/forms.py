"""Forms about places and their import."""

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from wtforms import DecimalField, IntegerField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange, Optional, StopValidation

from server.models.places import BLOCKS
from server.wording import vocabulary

_needed = InputRequired(_("Please fill this in."))
_MOST_IDS = 20


def _most(length):
    return Length(max=length, message=_("At most %(max)d characters."))


def _between(least, most):
    return NumberRange(least, most, message=_("A number from %(min)d to %(max)d."))


class RestroomEdit(FlaskForm):
    name = StringField(_("Name of the restroom"), [_needed, _most(200)])
    name_en = StringField(_("Name in English"), [_most(200)])
    block = SelectField(_("Who it is for"), choices=[SelectChoice(block, vocabulary.BLOCKS[block]) for block in BLOCKS])
    floor = StringField(_("Floor"), [_most(20)])
    stalls = IntegerField(_("Stalls"), [Optional(), _between(0, 500)])
    address = StringField(_("Address, if it is not the building's"), [_most(200)])
    latitude = DecimalField(_("Degrees north"), [Optional(), _between(-90, 90)], places=7)
    longitude = DecimalField(_("Degrees east"), [Optional(), _between(-180, 180)], places=7)
    opening_hours = StringField(_("Opening hours"), [_most(200)])
    access_notes = TextAreaField(_("How to get in"), [_most(2000)])
    owner = StringField(_("Who runs it"), [_most(200)])
    external_ids = TextAreaField(_("Numbers elsewhere"))

    def validate(self, extra_validators=None):
        """A position has both of its numbers. (Here, because nothing more is asked of a field that is empty.)"""
        good = super().validate(extra_validators)
        if good and (self.latitude.data is None) != (self.longitude.data is None):
            empty = self.latitude if self.latitude.data is None else self.longitude
            empty.errors = [_("A position has two numbers; please give both or none.")]
            return False
        return good

    def validate_external_ids(self, field):
        """One a line, "source: number"."""
        lines = [line for line in (field.data or "").splitlines() if line.strip()]
        if len(lines) > _MOST_IDS or any(not all(part.strip() for part in line.partition(":")) for line in lines):
            raise StopValidation(_('One a line, as in "national: 2025-1".'))

    def pairs(self):
        """The external ids as (source, value)."""
        lines = [line.partition(":") for line in (self.external_ids.data or "").splitlines() if line.strip()]
        return [(source.strip(), value.strip()) for source, _mark, value in lines]

    def fields(self) -> dict:
        """The values for services.placing.change_restroom."""
        texts = ("name", "name_en", "floor", "address", "opening_hours", "access_notes", "owner")
        values = {name: " ".join((self[name].data or "").split()) for name in texts if name != "access_notes"}
        values["access_notes"] = (self.access_notes.data or "").strip()
        values["block"], values["stalls"] = self.block.data, self.stalls.data or 0
        for name in ("latitude", "longitude"):
            values[name] = None if self[name].data is None else round(float(self[name].data), 7)
        return values


class PlaceEdit(FlaskForm):
    name = StringField(_("Name"), [_needed, _most(200)])
    name_en = StringField(_("Name in English"), [_most(200)])
    address = StringField(_("Address"), [_most(200)])


class ImportForm(FlaskForm):
    file = FileField(_("File"), [FileRequired(_("Please choose a file."))])
    source = StringField(_("Family of files"), [_most(32)])
    organisation = StringField(_("Who answers for all of its places"), [_most(200)])
