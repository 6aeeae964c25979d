"""
Import of restrooms from files: national open data, Seoul's, OpenStreetMap, or any table with a mapping.

    preview = imports.make_preview(session, path, imports.Options())    # reads only
    preview.counts, preview.rows("new"), preview.stops                  # what would change, and why it is refused
    imports.apply(sessions, path, preview, user)                        # writes it

    reading    bytes -> rows with their line numbers
    workbooks  the same for XLSX
    layouts    the layout of a file; a row -> Place
    fixtures   fixture counts and texts -> restrooms
    mapping    columns of an unknown layout, guessed or given by a person
    preview    comparison with the database: new, changed, vanished, duplicate, suspicious, bad
    apply      writes a preview into the database

One row of a file is a facility; its women's, men's and accessible rooms are its restrooms. Only what a file says
differently from last time is changed, so that corrections made by hand stay.
"""

from server.services.places.imports.apply import apply
from server.services.places.imports.layouts import DOUBLES, Options, Place
from server.services.places.imports.mapping import FIELDS, MAIN_FIELDS, UnknownLayout, explain_mapping, parse_pairs
from server.services.places.imports.preview import KINDS, Preview, make_preview, recognise_layout
from server.services.places.imports.reading import sample_columns

__all__ = [
    "DOUBLES",
    "FIELDS",
    "KINDS",
    "MAIN_FIELDS",
    "Options",
    "Place",
    "Preview",
    "UnknownLayout",
    "apply",
    "explain_mapping",
    "make_preview",
    "parse_pairs",
    "recognise_layout",
    "sample_columns",
]
