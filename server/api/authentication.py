"""
Authentication by bearer token. The token's scopes, its user's role and the user's places all have to allow a request.

    @bp.get("/...")
    @authentication.needs(accounts.SEE)
    def view(): ... authentication.user() ...
"""

from collections.abc import Callable
from typing import TypeVar

from apiflask import APIFlask
from flask import current_app, g, request

from server import security
from server.api.responses import Problem
from server.db import Sessions
from server.models.people import Token, User
from server.services.audit import log
from server.services.people import accounts, tokens

View = TypeVar("View", bound=Callable)

SCHEME = "bearer "
OPEN = {"openapi.spec"}  # needs no token


def init(api: APIFlask) -> None:
    """Check the token before every operation."""
    api.before_request(_check)


def needs(right: str) -> Callable[[View], View]:
    """Mark an operation with the scope that its token needs, which is also the right that its user needs."""

    def mark(view: View) -> View:
        vars(view)["right"] = right
        return view

    return mark


def user() -> User:
    """Return the user of the token."""
    return g.token.user


def sessions() -> Sessions:
    """Return the session factory."""
    return current_app.extensions["sessions"]


def _check() -> None:
    if request.endpoint is None or request.endpoint in OPEN:
        return
    presented = request.headers.get("Authorization", "")
    token = None
    if presented.lower().startswith(SCHEME):
        token = _token(presented[len(SCHEME) :].strip())
    if token is None:
        raise Problem(401, "token_needed")
    if token.user.must_change_password:
        raise Problem(403, "password_to_change")
    if security.lacks_second_factor(token.user):
        raise Problem(403, "second_factor_needed")
    # Fails closed: an operation without a mark is for administrators only.
    right = getattr(current_app.view_functions[request.endpoint], "right", accounts.ADMINISTER)
    if right not in token.scopes:
        raise Problem(403, "scope_missing", {"scope": right})
    if not accounts.may(token.user, right):
        raise Problem(403, "right_missing", {"scope": right})
    g.token = token


def _token(presented: str) -> Token | None:
    with sessions()() as session:
        g.newest_entry = log.newest_n(session)  # before anything else is read: the answer's ETag
        token = tokens.authenticate(session, presented)
        used = bool(session.dirty)
    if used:  # once an hour, the time of use has to be written
        with sessions().begin() as session:
            token = tokens.authenticate(session, presented)
    return token
