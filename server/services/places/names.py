"""
Names of places as people sort them, by the name that a language shows.

Lists that are read page after page are sorted by columns with sort_text(), for their indexes; short ones by
natural_key().
"""

import re
from typing import Any

from natsort import natsort_keygen, ns
from sqlalchemy.orm import InstrumentedAttribute

from server.models.places import Facility, Restroom

_key = natsort_keygen(alg=ns.IGNORECASE)


def natural_key(name: str) -> Any:
    """
    Return the key to sort names by: numbers by their value, no difference between capital and small letters.

    Hangul syllables have their dictionary order in Unicode.
    """
    return _key(name)


ENGLISH = "en"
SORT_LENGTH = 420
_DIGITS = 8  # numbers in names have hardly more
_NUMBER = re.compile(r"\d+")


def sort_text(*names: str) -> str:
    """Return the text whose order is that of natural_key(): numbers are filled with zeros."""
    text = " / ".join(names).lower()
    return _NUMBER.sub(lambda match: match[0].lstrip("0").rjust(_DIGITS, "0"), text)[:SORT_LENGTH]


def shown(name: str, name_en: str, language: str) -> str:
    """Return the name that a language shows; server.i18n.local_name() for the language of a request."""
    return name_en or name if language == ENGLISH else name


def sort_column(place: type[Facility] | type[Restroom], language: str) -> InstrumentedAttribute[str]:
    """Return the column that a list in this language is sorted by."""
    return place.sort_key_en if language == ENGLISH else place.sort_key
