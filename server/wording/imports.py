"""Texts of the import: problems of rows and files, fields, layouts."""

from collections.abc import Iterable

from flask_babel import lazy_gettext as _

from server.wording import vocabulary

MOST_SHOWN = 60  # characters of a value

KINDS = {
    "new": _("new"),
    "changed": _("changed"),
    "rekeyed": _("same place under another key"),
    "same": _("unchanged"),
    "vanished": _("no longer in the file"),
    "withdrawn": _("out of use, the file says"),
    "duplicate": _("duplicates in the file"),
    "suspicious": _("worth a look"),
    "bad": _("cannot be used"),
}

# Problems of rows and files, by code.
PROBLEMS = {
    "quotation": _("is not readable as a row; is a quotation mark missing?"),
    "encoding": _("has characters that are neither UTF-8 nor CP949"),
    "cut_off": _("the file ends in the middle of it"),
    "no_feature": _("is not a feature"),
    "columns": _("has %(count)s columns, the header has %(most)s; is a comma not quoted?"),
    "no_name": _("has no name"),
    "not_a_number": _('%(column)s is "%(text)s", not a number'),
    "not_toilets": _('is "%(text)s", not a toilet'),
    "same_as": _("the same as line %(line)s"),
    "old_key": _("was %(key)s"),
    "back": _("in use again"),
    "differs": _("%(field)s: %(old)s → %(new)s"),
    # to be checked by a person
    "no_rooms": _("the file does not say which rooms there are"),
    "no_address": _("neither an address nor a position"),
    "outside_korea": _("its position is not in Korea and is left out"),
    "many_stalls": _("more than 60 stalls in one room"),
    "far_from_district": _("%(km)s km from the middle of its district"),
    "same_name_and_address": _("another row has the same name and address"),
    "text_cut": _("a text is longer than what is kept of it"),
    "accessible_unclear": _("its words about accessible rooms are not understood and are left out"),
    # a file with unknown columns
    "unknown_layout": _("The columns are of no layout that is known."),
    "lacking": _("This looks like the layout %(layout)s, but columns are missing: %(columns)s."),
    "no_field": _("%(field)s is not a field."),
    "no_column": _("There is no column %(column)s."),
    "unmapped": _("No column is mapped to %(field)s."),
    "no_place": _("No column is mapped to an address or a position, so places could not be told apart."),
    # why a file is not imported
    "columns_gone": _("Columns that such files have are missing: %(fields)s."),
    "no_rows": _("The file has no rows."),
    "all_bad": _("Not one row can be used."),
    "vanished": _(
        "%(count)s of %(of)s known places would vanish, more than %(most)s %%. Is it the whole file, and of this area?"
    ),
    "changed": _("%(count)s of %(of)s known places would change, more than %(most)s %%. Is it the right file?"),
}

# Properties of a place that a row can change: services.places.imports.layouts.COMPARED.
PLACE_FIELDS = {
    "name": _("name"),
    "address": _("road address"),
    "lot_address": _("lot address"),
    "owner": _("who runs it"),
    "opening_hours": _("opening hours"),
    "access_notes": _("how to get in"),
    "latitude": _("latitude"),
    "longitude": _("longitude"),
    "rooms": _("rooms"),
}

# Contents of a column: services.places.imports.FIELDS.
FIELDS = {
    "name": _("Name of the toilet or building"),
    "key": _("Number that stays the same between files"),
    "address": _("Road address"),
    "lot_address": _("Lot address"),
    "latitude": _("Latitude"),
    "longitude": _("Longitude"),
    "women": _("Women's bowls"),
    "women_children": _("Children's bowls in the women's room"),
    "men": _("Men's bowls"),
    "men_children": _("Children's bowls in the men's room"),
    "urinals": _("Urinals"),
    "urinals_children": _("Children's urinals"),
    "accessible": _("Accessible bowls"),
    "accessible_men": _("Accessible bowls, men"),
    "accessible_women": _("Accessible bowls, women"),
    "accessible_urinals": _("Accessible urinals"),
    "accessible_text": _("Accessible rooms in words"),
    "family": _("Family rooms"),
    "unisex": _("One room for all: Y or N"),
    "fixtures": _("Fixtures in words"),
    "owner": _("Who runs it"),
    "opening": _("Opening hours"),
    "opening_detail": _("Opening hours, more exactly"),
    "access_notes": _("How to get in"),
    "organisation": _("Municipality that answers for it"),
    "state": _("D or N: no longer there"),
}

# services.places.imports.fixtures.KINDS
ROOMS = {
    **vocabulary.BLOCKS,
    "accessible_women": _("Accessible, women's"),
    "accessible_men": _("Accessible, men's"),
}

# services.places.imports.DOUBLES
DOUBLES = {
    "leave_out": _("leave out all but the first"),
    "keep": _("take over each as a place of its own"),
}

LAYOUTS = {
    "national": _("national open data, today's layout"),
    "national_old": _("national open data, an older layout"),
    "seoul_2021": _("Seoul's open data of 2021"),
    "seoul_2025": _("Seoul's open data of 2025"),
    "osm": _("OpenStreetMap (GeoJSON); © OpenStreetMap contributors, ODbL"),
    "mapped": _("a table with its columns mapped"),
}


def problem_text(problem: tuple[str, dict]) -> str:
    """Return the sentence of a problem (code, values)."""
    code, values = problem
    if code == "differs":
        values = {"field": PLACE_FIELDS[values["field"]], "old": _value(values["old"]), "new": _value(values["new"])}
    if code == "columns_gone":
        values = {"fields": ", ".join(str(FIELDS[field]) for field in values["fields"])}
    return str(PROBLEMS[code]) % values


def _value(value):
    """Return a value in short: rooms as their blocks with the number of stalls, if it is known."""
    if isinstance(value, list):
        value = ", ".join(f"{ROOMS[kind]} {stalls or ''}".strip() for kind, stalls in value)
    text = "–" if value in (None, "") else str(value)
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"


def problems_text(problems: Iterable[tuple[str, dict]]) -> str:
    """Return the sentences of several problems in one line."""
    return "; ".join(problem_text(problem) for problem in problems)
