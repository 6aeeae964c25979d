"""
Who may call a view.

Every view needs a signed-in person unless it says otherwise:

    @bp.get("/")                      any signed-in person
    @security.needs(people.INSPECT)   ... who has this right, else 403
    @security.needs(..., everywhere=True)  ... and has it everywhere, not only at some places
    @security.public                  everybody
"""

import flask_login
from flask import abort, current_app, redirect, request, session, url_for
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_wtf.csrf import CSRFProtect

from server import clock
from server.services.people import accounts

LOGIN_VIEW = "account.login"
PASSWORD_VIEW = "account.password"
SECOND_FACTOR_VIEW = "account.second_factor"
# What a person can still reach who first has to choose a password, or to set up the second factor their role asks for.
_BEFORE = (PASSWORD_VIEW, "account.logout", "static")
_BEFORE_SECOND_FACTOR = (*_BEFORE, SECOND_FACTOR_VIEW)
HALFWAY_S = 300  # how long a right password waits for the code

csrf = CSRFProtect()
# Counted in this process's memory: with several web workers a guesser gets so many times as many tries, which
# argon2's 50 ms a try and the limit per login name still keep hopeless.
limiter = Limiter(get_remote_address, storage_uri="memory://", default_limits=[])


def init(app) -> None:
    """Set up sessions, CSRF protection, login throttling and the rule that every view needs a person."""
    manager = flask_login.LoginManager()
    manager.login_view = LOGIN_VIEW  # pyright: ignore[reportAttributeAccessIssue]  (Flask-Login types it None)
    manager.login_message = None  # pyright: ignore[reportAttributeAccessIssue]  # the login page needs no reproach above it
    manager.session_protection = "basic"
    manager.user_loader(_load_user)
    manager.init_app(app)
    csrf.init_app(app)
    limiter.init_app(app)
    app.before_request(_check_text)
    app.before_request(_check_access)


def public(view):
    """Mark a view that everybody may call."""
    view.public = True
    return view


def needs(right: str, everywhere: bool = False):
    """Mark a view that only people with this right may call, see people.RIGHTS; everywhere: whose role holds so."""

    def mark(view):
        view.right = right
        view.everywhere = everywhere
        return view

    return mark


def limit_login(view):
    """Throttle a login view: per address, and per login name against guessing from many addresses."""

    def name():
        return "login:" + accounts.normalize_login(request.form.get("login", ""))[:100]

    tries = {"methods": ["POST"], "deduct_when": _came_to_nothing}
    view = limiter.limit("10 per minute; 100 per hour", **tries)(view)
    return limiter.limit("5 per minute; 50 per hour", key_func=name, **tries)(view)


def limit_code(view):
    """Throttle a view that takes a code: per address, and per person who is halfway in."""

    def name():
        return "code:" + str(session.get("halfway", [get_remote_address()])[0])[:100]

    tries = {"methods": ["POST"], "deduct_when": _came_to_nothing}
    view = limiter.limit("10 per minute; 100 per hour", **tries)(view)
    return limiter.limit("5 per minute; 30 per hour", key_func=name, **tries)(view)


def _came_to_nothing(response):
    # Whoever got in is sent on. A whole shift signs in from one address of an office; only failures are counted.
    return response.status_code != 302


def retry_after_s() -> int:
    """How many seconds somebody who was throttled has to wait."""
    limit = limiter.current_limit
    return max(1, int(limit.reset_at) - clock.now_s()) if limit else 60


def limit_strangers(view):
    """Throttle, per address, what people without an account may send."""
    return limiter.limit("5 per hour; 20 per day", methods=["POST"])(view)


def sign_in_halfway(user) -> None:
    """Remember that the password was right; the code of the second factor is still to come."""
    session["halfway"] = [user.get_id(), clock.now_s()]


def halfway(store):
    """The person whose password was right a short time ago; None if there is none. `store` is a database session."""
    session_id, at_s = session.get("halfway", ("", 0))
    return accounts.load_by_session_id(store, session_id) if clock.now_s() - at_s <= HALFWAY_S else None


def sign_in(user) -> None:
    """Start a session. The old one's content goes, so that nobody can plant one."""
    language = session.get("language")
    session.clear()
    if language:
        session["language"] = language
    session.permanent = True
    flask_login.login_user(user)


def sign_out() -> None:
    """End the session."""
    language = session.get("language")
    flask_login.logout_user()
    session.clear()
    if language:
        session["language"] = language


def _load_user(session_id):
    with current_app.extensions["sessions"]() as store:
        return accounts.load_by_session_id(store, session_id)


def _check_text():
    # PostgreSQL stores no such character; it would be an error of ours deep inside.
    given = [value for part in (request.args, request.form) for _, values in part.lists() for value in values]
    if "\0" in request.path or any("\0" in value for value in given):
        abort(400)


def _check_access():
    view = current_app.view_functions.get(request.endpoint or "")
    if view is None or request.endpoint == "static" or _mark(view, "public"):
        return None
    user = flask_login.current_user
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


def lacks_second_factor(user) -> bool:
    """True if the settings ask this role for a second factor and the person has none yet."""
    asked = current_app.extensions["settings"].second_factor_for.split(",")
    return user.role in asked and user.totp_sealed is None


def _mark(view, name):
    # Decorators that use functools.wraps copy a view's attributes; class-based ones hide them one level down.
    return getattr(view, name, None) or getattr(getattr(view, "view_class", None), name, None)
