"""Sentences of problem documents, by code; the codes of rules (409) are in refusals.py."""

from flask_babel import lazy_gettext as _

PROBLEMS = {
    "bad_request": _("The request could not be understood."),
    "nested_too_deeply": _("The JSON is nested too deeply."),
    "not_storable": _("The address contains a character that cannot be stored."),
    "claim_incomplete": _("The body must be JSON with code, device and label, each a text."),
    "not_found": _("There is no such object at your places."),
    "method_not_allowed": _("This address does not support this method."),
    "too_large": _("The request is too large."),
    "not_json": _("The body must be JSON, with Content-Type: application/json."),
    "not_valid": _("The request is not as documented; values.errors names the fields."),
    "too_many": _("Too many requests. Try again after the seconds that Retry-After gives."),
    "photo_changed": _("The photo's bytes differ from those in the log, so it is not shown."),
    "broken": _("Something is broken on this server."),
    "cursor_bad": _("This cursor does not come from this list."),
    "changed_meanwhile": _("Others have changed this since the state that If-Match names. Read it again."),
    "tag_bad": _("If-Match must have the ETag of one answer."),
    "key_bad": _("Idempotency-Key must have 1 to 100 printable ASCII characters."),
    "token_needed": _("Send a valid token: Authorization: Bearer ansim_..."),
    "password_to_change": _("The owner of the token has a one-time password and must choose another one first."),
    "second_factor_needed": _("The role of the token's owner needs a second factor, and none is set up."),
    "scope_missing": _("The token does not have the scope %(scope)s."),
    "right_missing": _("The role of the token's owner does not include %(scope)s."),
    "not_everywhere": _("The role of the token's owner does not hold everywhere."),
}


def problem(code: str, values: dict) -> str:
    """Return the sentence of a problem in the language of the request; an unknown code gets the one of bad_request."""
    return str(PROBLEMS.get(code, PROBLEMS["bad_request"])) % values
