"""
Error pages with advice, and problem documents for requests under /api.

The 500 page needs neither database nor session.
"""

import flask_login
from flask import Flask, make_response, redirect, render_template, request
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from flask_login.utils import login_url
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from server import problem_documents, security, throttling, wording
from server.services.errors import NotFound, Refused
from server.services.people import failed_attempts
from server.web import interrupted_forms

# code -> (heading, advice, icon)
PAGES = {
    400: (
        _("This request could not be understood"),
        _("Go back and try again. If it happens again, tell whoever runs this server."),
        "question",
    ),
    403: (
        _("You do not have permission"),
        _("Your role does not include it. Ask your manager or administrator."),
        "hand",
    ),
    404: (
        _("Page not found"),
        _("The address may have a typing error, or the code on the door is an old one."),
        "question",
    ),
    405: (
        _("This page cannot be used like that"),
        _("Start from the list of restrooms."),
        "question",
    ),
    410: (
        _("This photo is not what was received"),
        _("Its bytes differ from those in the log, so it is not shown. Tell whoever runs this server."),
        "question",
    ),
    413: (_("That was too large"), _("Send less at once."), "info"),
    429: (
        _("Too many tries"),
        _("Wait a minute, then try again. This protects accounts against guessing."),
        "clock",
    ),
}
OLD_FORM = (
    _("This form is too old"),
    _("You were signed out, or signed in again in another window. What you typed is below; send it again."),
    "clock",
)


def init(app: Flask) -> None:
    """Register the error handlers."""
    app.register_error_handler(HTTPException, _known)
    app.register_error_handler(NotFound, lambda _error: _answer(404, *PAGES[404]))
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(CSRFError, _old_form)
    app.login_manager.unauthorized_handler(_signed_out)  # pyright: ignore[reportAttributeAccessIssue]
    app.register_error_handler(failed_attempts.TooManyAttempts, lambda error: _too_many(error.wait_s))
    app.register_error_handler(500, _broken)


def _signed_out():
    """Answer a request that needs a signed-in user."""
    if interrupted_forms.read():
        return interrupted_forms.ask_to_sign_in()
    return redirect(login_url(security.LOGIN_VIEW, next_url=request.url))


def _old_form(_error):
    if not flask_login.current_user.is_authenticated and interrupted_forms.read():
        return interrupted_forms.ask_to_sign_in()
    return _answer(400, *OLD_FORM)


def _refused(error):
    """Answer a refusal that the view leaves to the application."""
    reason = wording.refusal(error.code, error.values)
    return _answer(
        409, gettext("This was not recorded") if request.method == "POST" else gettext("Not now"), reason, "info"
    )


def _known(error):
    if error.code == 429:
        return _too_many(throttling.retry_after_s())
    if problem_documents.is_api_request() and error.code >= 400:
        return problem_documents.from_http(error)
    return _answer(error.code, *PAGES[error.code]) if error.code in PAGES else error


def _too_many(wait_s):
    answer = make_response(_answer(429, *PAGES[429]))
    answer.headers["Retry-After"] = str(wait_s)
    return answer


def _broken(_error):
    if problem_documents.is_api_request():
        return problem_documents.document(500, "broken")
    # The database may be what is broken, so this page uses neither the signed-in user nor the language.
    return render_template("broken.html", typed=interrupted_forms.read()), 500


def _answer(code, heading, advice, symbol):
    if problem_documents.is_api_request():
        return problem_documents.document(code, problem_documents.CODES.get(code, "bad_request"))
    if request.headers.get("HX-Request"):
        return gettext("Error %(code)s", code=code), code
    return render_template(
        "error.html", code=code, heading=heading, advice=advice, symbol=symbol, typed=interrupted_forms.read()
    ), code
