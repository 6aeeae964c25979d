"""
Forms that could not be handled: what a person typed is kept and can be sent again.

After an error the page of the error repeats the form (_typed.html). If the session has ended, the sign-in page carries
the form, sealed, through sign-in and second factor, and the person then sends it again:

    interrupted_forms.ask_to_sign_in()         # instead of a redirect to the sign-in page
    interrupted_forms.go_on(next_address)      # after sign-in: the kept form, else a redirect

Only forms of this site's own pages are kept, so that no other site can put words into a person's mouth. Passwords,
codes and files are not kept.
"""

import json
import re
from typing import NamedTuple
from urllib.parse import urlsplit

from flask import current_app, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from server import clock
from server.vault import BadSeal

KEPT = "kept"  # the form field that carries a sealed form
MOST_BYTES = 200_000
LONGEST_S = 12 * 3600
# Fields that are never repeated.
_SECRET = re.compile(r"password|^(old|new|again|code|login|csrf_token|kept|strokes)$")
LONGEST_CHOICE = 20
_HIDDEN = ("seen_entry", "once")
# Forms that are about signing in; repeating them makes no sense.
_NEVER = ("account.login", "account.code", "account.logout", "account.language", "people.accept", "api.enter")


class TypedForm(NamedTuple):
    """address: where the form goes; fields: [[name, value], ...] in the order of the form."""

    address: str
    fields: list

    @property
    def shown(self) -> list:
        """The fields without the hidden ones."""
        return [field for field in self.fields if field[0] not in _HIDDEN]

    @property
    def texts(self) -> list[str]:
        """The values that look typed, not chosen."""
        return [value for _name, value in self.shown if " " in value.strip() or len(value) > LONGEST_CHOICE]


def read(**replaced: object) -> TypedForm | None:
    """Return the form of this request; None without one that can be sent again. replaced: other values of fields."""
    if request.method != "POST" or request.endpoint in (None, *_NEVER) or not _is_own():
        return None
    try:
        fields = [[name, value] for name, values in request.form.lists() for value in values]
    except Exception:  # a body that cannot be read may be what has failed
        return None
    fields = [field for field in fields if not _SECRET.search(field[0])]
    fields = [[name, str(replaced.get(name, value))] for name, value in fields]
    return TypedForm(request.full_path.rstrip("?"), fields) if fields else None


def ask_to_sign_in() -> ResponseReturnValue:
    """Return the sign-in page with the form of this request in it."""
    form = read()
    kept = ""
    if form is not None:
        text = json.dumps([clock.now_s(), form.address, form.fields])
        if len(text) <= MOST_BYTES:
            kept = current_app.extensions["vault"].seal(text.encode()).hex()
    from server.web.people import forms

    html = render_template("people/account/login.html", form=forms.LoginForm(formdata=None), problem=None, kept=kept)
    return make_response(html, 401)


def go_on(next_address: str) -> ResponseReturnValue:
    """Return the kept form for the person to send again; without one, a redirect."""
    form = _unseal(request.form.get(KEPT, ""))
    if form is None:
        return redirect(next_address)
    return make_response(render_template("people/account/kept.html", typed=form))


def _unseal(kept: str) -> TypedForm | None:
    try:
        made_s, address, fields = json.loads(current_app.extensions["vault"].unseal(bytes.fromhex(kept)))
    except (ValueError, BadSeal):
        return None
    return TypedForm(address, fields) if clock.now_s() - made_s <= LONGEST_S else None


def _is_own() -> bool:
    """True if the form was sent by a page of this site; browsers say so."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    source = request.headers.get("Origin") or request.headers.get("Referer")
    return source is None or urlsplit(source).netloc == request.host
