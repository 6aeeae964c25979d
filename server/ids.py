"""
Public ids: used in URLs, QR codes and messages instead of row numbers.

Crockford's base 32 in lower case: no i, l, o, u, so that people can read them out and type them.
"""

import secrets

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new(length: int = 10) -> str:
    """Return a random id; 10 characters are 50 bits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def clean(text: str) -> str:
    """Return a typed id in its canonical form: lower case, no blanks or hyphens, o as 0, i and l as 1."""
    text = text.strip().lower().replace("-", "").replace(" ", "")
    return text.replace("o", "0").replace("i", "1").replace("l", "1")
