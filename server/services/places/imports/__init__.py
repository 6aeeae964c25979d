"""
Restrooms from other people's files: national open data, Seoul's, OpenStreetMap, or any table by a mapping.

    looked = imports.look(session, path, imports.Options(), clock.now_s())    # reads only
    looked.counts, looked.kept("new"), looked.stops                           # what would happen, and why it may not
    imports.apply(session, path, looked, user)                                # does it

    reading    bytes -> rows with their line numbers
    layouts    which layout a file has; a row -> Place
    fixtures   fixture counts and texts -> restrooms
    mapping    a layout by `--map name=COLUMN`, guessed where it can be
    looking    a file against what is there: new, changed, vanished, duplicate, suspicious, bad
    applying   the same, into the database

One row of a file is a facility; its women's, men's and accessible rooms are restrooms of it. A file says what it
says: when it says the same as last time, nothing here is touched, so what people have corrected by hand stays.
"""

from server.services.places.imports.apply import apply
from server.services.places.imports.layouts import Options, Place
from server.services.places.imports.mapping import ASKED, FIELDS, UnknownLayout, explain, parse
from server.services.places.imports.preview import KINDS, Looked, look, recognise
from server.services.places.imports.reading import samples

__all__ = [
    "ASKED",
    "FIELDS",
    "KINDS",
    "Looked",
    "Options",
    "Place",
    "UnknownLayout",
    "apply",
    "explain",
    "look",
    "parse",
    "recognise",
    "samples",
]
