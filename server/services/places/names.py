"""Names of places as people sort them."""

from typing import Any

from natsort import natsort_keygen, ns

_key = natsort_keygen(alg=ns.IGNORECASE)


def natural_key(name: str) -> Any:
    """
    Return the key to sort names by: numbers by their value, no difference between capital and small letters.

    Hangul syllables have their dictionary order in Unicode.
    """
    return _key(name)
