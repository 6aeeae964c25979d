"""
Public ids: what stands in addresses, QR codes and messages instead of row numbers.

Crockford's base 32 in lower case: no i, l, o, u, so they can be read out and typed.
"""

import secrets

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new(length: int = 10) -> str:
    """Return a random id; 10 characters are 50 bits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def clean(text: str) -> str:
    """Return what a person typed as the id that was meant: case, blanks, hyphens, o for 0, i and l for 1."""
    text = text.strip().lower().replace("-", "").replace(" ", "")
    return text.replace("o", "0").replace("i", "1").replace("l", "1")
