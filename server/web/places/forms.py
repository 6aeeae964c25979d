"""Forms about places and their import."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from wtforms import DecimalField, Field, IntegerField, SelectField, StringField, TextAreaField
from wtforms.validators import Optional, Regexp, StopValidation

from server.models.places import BLOCKS
from server.web import forms
from server.web.forms import SelectChoice
from server.web.forms import lazy_text as _
from server.wording import vocabulary

NEW_FACILITY = "new"  # choice of NewRestroomForm.facility
MOST_IDS = 20  # external ids of one restroom


class NewRestroomForm(FlaskForm):
    facility = SelectField(_("Building or site"), [forms.REQUIRED], validate_choice=True)
    facility_name = StringField(_("Name of the new building or site"), [forms.at_most(200)])
    facility_address = StringField(_("Its address"), [forms.at_most(200)])
    name = StringField(_("Name of the restroom"), [forms.REQUIRED, forms.at_most(200)])
    name_en = StringField(_("Name in English"), [forms.at_most(200)])
    block = SelectField(_("Who it is for"), choices=[SelectChoice(block, vocabulary.BLOCKS[block]) for block in BLOCKS])
    floor = StringField(_("Floor"), [forms.at_most(20)])
    stalls = IntegerField(_("Stalls"), [Optional(), forms.between(0, 500)], default=0)

    def validate_facility_name(self, field: Field) -> None:
        """Require a name for a new facility."""
        if self.facility.data == NEW_FACILITY and not (field.data or "").strip():
            raise StopValidation(_("Please fill this in."))

    def facility_fields(self) -> dict:
        """Return the values for facilities.add_own()."""
        return {
            "name": (self.facility_name.data or "").strip(),
            "address": (self.facility_address.data or "").strip(),
        }

    def fields(self) -> dict:
        """Return the values for restrooms.add()."""
        return {
            "name": (self.name.data or "").strip(),
            "name_en": (self.name_en.data or "").strip(),
            "block": self.block.data,
            "floor": (self.floor.data or "").strip(),
            "stalls": self.stalls.data or 0,
        }


class RestroomForm(FlaskForm):
    name = StringField(_("Name of the restroom"), [forms.REQUIRED, forms.at_most(200)])
    name_en = StringField(_("Name in English"), [forms.at_most(200)])
    block = SelectField(_("Who it is for"), choices=[SelectChoice(block, vocabulary.BLOCKS[block]) for block in BLOCKS])
    floor = StringField(_("Floor"), [forms.at_most(20)])
    stalls = IntegerField(_("Stalls"), [Optional(), forms.between(0, 500)])
    address = StringField(_("Address, if it is not the building's"), [forms.at_most(200)])
    latitude = DecimalField(_("Latitude"), [Optional(), forms.between(-90, 90)], places=7)
    longitude = DecimalField(_("Longitude"), [Optional(), forms.between(-180, 180)], places=7)
    opening_hours = StringField(_("Opening hours"), [forms.at_most(200)])
    access_notes = TextAreaField(_("How to get in"), [forms.at_most(2000)])
    owner = StringField(_("Who runs it"), [forms.at_most(200)])
    external_ids = TextAreaField(_("Numbers elsewhere"))

    def validate(self, extra_validators: Mapping[str, Sequence[Any]] | None = None) -> bool:
        """Require both coordinates or none. (Here, because the validators of an empty field are not called.)"""
        valid = super().validate(extra_validators)
        if valid and (self.latitude.data is None) != (self.longitude.data is None):
            empty = self.latitude if self.latitude.data is None else self.longitude
            empty.errors = [_("A position has two numbers; please give both or none.")]
            return False
        return valid

    def validate_external_ids(self, field: Field) -> None:
        """Require lines of the form "source: number"."""
        lines = [line for line in (field.data or "").splitlines() if line.strip()]
        if len(lines) > MOST_IDS or any(not all(part.strip() for part in line.partition(":")) for line in lines):
            raise StopValidation(_('One a line, as in "national: 2025-1".'))

    def pairs(self) -> list[tuple[str, str]]:
        """Return the external ids as (source, value)."""
        lines = [line.partition(":") for line in (self.external_ids.data or "").splitlines() if line.strip()]
        return [(source.strip(), value.strip()) for source, _mark, value in lines]

    def fields(self) -> dict:
        """Return the values for restrooms.change()."""
        texts = ("name", "name_en", "floor", "address", "opening_hours", "owner")
        values: dict[str, Any] = {name: " ".join((self[name].data or "").split()) for name in texts}
        values["access_notes"] = (self.access_notes.data or "").strip()
        values["block"], values["stalls"] = self.block.data, self.stalls.data or 0
        for name in ("latitude", "longitude"):
            values[name] = None if self[name].data is None else round(float(self[name].data), 7)
        return values


_PHONE = _("A phone number has digits, blanks, +, - and brackets.")


class NameForm(FlaskForm):
    name = StringField(_("Name"), [forms.REQUIRED, forms.at_most(200)])
    name_en = StringField(_("Name in English"), [forms.at_most(200)])
    address = StringField(_("Address"), [forms.at_most(200)])
    phone = StringField(_("Phone for visitors"), [forms.at_most(40), Regexp(r"^[0-9 +()-]*$", message=_PHONE)])

    def fields(self) -> dict:
        """Return the texts of the form's fields, runs of blanks made one."""
        fields = (self.name, self.name_en, *(self[name] for name in ("address", "phone") if name in self))
        return {field.short_name: " ".join((field.data or "").split()) for field in fields}


class MoveForm(FlaskForm):
    organisation = SelectField(_("Move to"), [forms.REQUIRED], validate_choice=True)


class ImportForm(FlaskForm):
    file = FileField(_("File"), [FileRequired(_("Please choose a file."))])
    source = StringField(_("Family of files"), [forms.at_most(32)])
    organisation = StringField(_("Who answers for all of its places"), [forms.at_most(200)])
