"""
Sessions, CSRF protection, and the permission that each view needs.

A view needs a signed-in user unless it is marked:

    @bp.get("/")                             any signed-in user
    @security.needs(accounts.INSPECT)        a user with this right, else 403
    @security.needs(..., everywhere=True)    a user whose role holds everywhere
    @security.public                         no sign-in
"""

from collections.abc import Callable
from typing import TypeVar, cast

import flask_login
from flask import Flask, abort, current_app, g, redirect, request, session, url_for
from flask_wtf.csrf import CSRFProtect
from sqlalchemy.orm import Session

from server import clock, throttling
from server.models.people import User
from server.services.audit import log
from server.services.people import accounts, user_sessions

View = TypeVar("View", bound=Callable)

LOGIN_VIEW = "account.login"
PASSWORD_VIEW = "account.password"
SECOND_FACTOR_VIEW = "account.second_factor"
# The views for a user who first has to choose a password, or to set up the second factor that the role requires.
_BEFORE = (PASSWORD_VIEW, "account.logout", "static")
_BEFORE_SECOND_FACTOR = (*_BEFORE, SECOND_FACTOR_VIEW)
HALFWAY_S = 300  # how long after the password the code is accepted

csrf = CSRFProtect()


def init(app: Flask) -> None:
    """Set up sessions, CSRF protection, throttling and the rule that every view needs a signed-in user."""
    manager = flask_login.LoginManager()
    manager.login_view = LOGIN_VIEW  # pyright: ignore[reportAttributeAccessIssue]  (Flask-Login types it None)
    manager.login_message = None  # pyright: ignore[reportAttributeAccessIssue]  # no message above the login form
    manager.session_protection = "basic"
    manager.user_loader(_load_user)
    manager.init_app(app)
    csrf.init_app(app)
    throttling.init(app, app.extensions["sessions"])
    app.before_request(_check_text)
    app.before_request(_check_access)


def public(view: View) -> View:
    """Mark a view as one that needs no sign-in."""
    vars(view)["public"] = True
    return view


def needs(right: str, everywhere: bool = False) -> Callable[[View], View]:
    """Mark a view with the right that it needs (accounts.RIGHTS). everywhere: the role has to hold everywhere."""

    def mark(view: View) -> View:
        vars(view).update(right=right, everywhere=everywhere)
        return view

    return mark


def sign_in_halfway(user: User) -> None:
    """Remember in the session that the password was right; the second factor's code is still needed."""
    session["halfway"] = [user.get_id(), clock.now_s()]


def halfway(store: Session) -> User | None:
    """Return the user who has entered the password in the last HALFWAY_S, or None. store: a database session."""
    session_id, at_s = session.get("halfway", ("", 0))
    return accounts.load_by_session_id(store, session_id) if clock.now_s() - at_s <= HALFWAY_S else None


def sign_in(user: User) -> None:
    """Start a session; ends the old one against session fixation."""
    language = session.get("language")
    _end_server_session()
    with current_app.extensions["sessions"].begin() as store:
        secret = user_sessions.begin(store, user, request.headers.get("User-Agent", ""))
    session.clear()
    g.pop("csrf_token", None)  # Flask-WTF's copy of the old session's token; a form in this answer needs the new one
    if language:
        session["language"] = language
    session.permanent = True
    session["secret"] = secret
    g.signed_in = True
    flask_login.login_user(user)


def sign_out() -> None:
    """End the session, here and on the server."""
    language = session.get("language")
    _end_server_session()
    flask_login.logout_user()
    session.clear()
    if language:
        session["language"] = language


def session_limits() -> user_sessions.Limits:
    """Return how long sessions last, from the settings."""
    settings = current_app.extensions["settings"]
    return user_sessions.Limits(settings.session_idle_minutes * 60, settings.session_hours * 3600)


def own_session_id() -> str:
    """Return the public id of this request's session; "" without one."""
    return g.get("session_id", "")


def _end_server_session():
    user = cast(User, flask_login.current_user)
    if user and user.is_authenticated and "secret" in session:
        with current_app.extensions["sessions"].begin() as store:
            user_sessions.end_secret(store, user, session["secret"])


def _load_user(session_id):
    with current_app.extensions["sessions"]() as store:
        user = accounts.load_by_session_id(store, session_id)
        row = user_sessions.load(store, user, session.get("secret", ""), session_limits()) if user else None
        # Before anything else is read: the pages of this request show at least this state; see web/form_submissions.py.
        g.newest_entry = log.newest_n(store)
    if row is None:
        return None
    g.session_id = row.public_id
    if clock.now_s() - row.seen_s >= user_sessions.SEEN_EVERY_S:
        with current_app.extensions["sessions"].begin() as store:
            user_sessions.touch(store, row.id)
    return user


def _check_text():
    # PostgreSQL cannot store this character.
    given = [value for part in (request.args, request.form) for _, values in part.lists() for value in values]
    if "\0" in request.path or any("\0" in value for value in given):
        abort(400)


def _check_access():
    view = current_app.view_functions.get(request.endpoint or "")
    if view is None or request.endpoint == "static" or _mark(view, "public"):
        return None
    user = cast(User, flask_login.current_user)
    if not user.is_authenticated:
        if request.headers.get("HX-Request"):
            # A fragment must not be replaced by the login page: tell htmx to load the whole page.
            return "", 401, {"HX-Refresh": "true"}
        return current_app.login_manager.unauthorized()  # pyright: ignore[reportAttributeAccessIssue]
    if user.must_change_password and request.endpoint not in _BEFORE:
        return redirect(url_for(PASSWORD_VIEW))
    if lacks_second_factor(user) and request.endpoint not in _BEFORE_SECOND_FACTOR:
        return redirect(url_for(SECOND_FACTOR_VIEW))
    right = _mark(view, "right")
    if not accounts.may(user, right or accounts.SEE) or (_mark(view, "everywhere") and not user.everywhere):
        abort(403)
    return None


def lacks_second_factor(user: User) -> bool:
    """True if the settings require a second factor for the user's role and the user has none yet."""
    asked = current_app.extensions["settings"].second_factor_for.split(",")
    return user.role in asked and user.totp_sealed is None


def _mark(view, name):
    # Decorators that use functools.wraps copy a view's attributes; class-based ones hide them one level down.
    return getattr(view, name, None) or getattr(getattr(view, "view_class", None), name, None)
