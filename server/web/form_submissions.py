"""
Submissions of forms: the state that the person had seen, forms that are sent twice, and refusals that keep the text.

Every form has two hidden fields, which the macro csrf() writes:

    seen_entry  the newest entry of the log when the page was made; audit/edit_conflicts.py refuses to overwrite newer
                changes of others, and the answer shows both (changed.html)
    once        a random number of this form; the same form with the same content is handled once, and each repetition
                gets the answer of the first

A view that refuses flashes a warning and redirects. If the person had typed a text, they get a page with the reason and
the text instead, so that nothing is lost.
"""

import hashlib
import re
import secrets

import flask_login
from flask import Flask, Response, current_app, flash, g, make_response, redirect, render_template, request, session
from flask_babel import gettext

from server.models.outside import KeptAnswer
from server.services import idempotency
from server.services.audit import canonical, edit_conflicts
from server.services.errors import ChangedMeanwhile
from server.web import interrupted_forms
from server.wording import audit as wording

SEEN, ONCE = "seen_entry", "once"
WAIT_S = 5  # for the first of two equal submissions to end
_NUMBER = re.compile(r"[\w-]{16}")
_NO_CONTENT = ("csrf_token", SEEN, ONCE)
_SENT_KEPT = 5
_LONGEST_VALUE = 300


def init(app: Flask) -> None:
    """Handle the two hidden fields on every POST of a page."""
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_close)
    app.register_error_handler(ChangedMeanwhile, _show_changes)
    app.jinja_env.globals.update(seen_entry=_seen_entry, form_number=_form_number, pop_sent_forms=_pop_sent_forms)


def _form_number() -> str:
    return secrets.token_urlsafe(12)


def _pop_sent_forms() -> list[str]:
    """Return the numbers of the forms that were handled since the last page; static/drafts.js forgets their texts."""
    return session.pop("sent", []) if "sent" in session else []


def _seen_entry() -> str:
    """Return what a form on this page carries: the state that the person of a repeated form had seen, else this one."""
    if request.method == "POST" and request.form.get(SEEN) and not g.get("changes_shown"):
        return request.form[SEEN]
    return str(g.get("newest_entry", ""))


def _begin():
    user = flask_login.current_user
    if request.method != "POST" or not user.is_authenticated:
        return None
    text = request.form.get(SEEN, "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None
    g.submission = edit_conflicts.form(number)
    g.seen_form = g.submission.__enter__()
    if not _NUMBER.fullmatch(request.form.get(ONCE, "")):
        return None
    key = _key()
    kept = idempotency.claim(current_app.extensions["sessions"], user.id, key, WAIT_S)
    if kept is None:
        g.claim = user.id, key
        return None
    if kept.status and kept.location:
        flash(gettext("This was recorded already; it was sent twice."), "good")
        return redirect(kept.location)
    return _show_repeated(kept)


def _key() -> str:
    """Return the key of this submission: the same number with another content is another one."""
    content = [[name, values] for name, values in sorted(request.form.lists()) if name not in _NO_CONTENT]
    files = [[name, file.filename or "", hashlib.sha256(file.read()).hexdigest()] for name, file in _files()]
    text = canonical.text([request.form[ONCE], request.full_path, content, files])
    return "form " + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _files():
    for name, file in sorted(request.files.items(multi=True), key=lambda pair: pair[0]):
        yield name, file
        file.seek(0)


def _end(response: Response) -> Response:
    form = g.get("seen_form")
    if form is None:
        return response
    is_redirect = response.status_code in (302, 303)
    is_refused = is_redirect and g.get("warned", False) and not form.committed
    if "claim" in g:
        user_id, key = g.pop("claim")
        # After a download the browser stays on the page, where the same form may be sent again on purpose.
        is_page = response.status_code == 200 and "Content-Disposition" not in response.headers
        if (is_redirect and not is_refused) or (is_page and (form.committed or g.get("form_done"))):
            location = response.location or ""
            idempotency.keep(current_app.extensions["sessions"], user_id, key, response.status_code, location)
            session["sent"] = [*session.get("sent", []), request.form[ONCE]][-_SENT_KEPT:]
        else:
            idempotency.release(current_app.extensions["sessions"], user_id, key)
    typed = interrupted_forms.read() if is_refused else None
    if typed is None or not typed.texts:
        return response
    # The page shows the flashed warning.
    return make_response(render_template("refused.html", typed=typed, back=response.location), 409)


def _close(_error):
    submission = g.pop("submission", None)
    if submission is not None:
        submission.__exit__(None, None, None)
    if "claim" in g:  # the request ended without an answer
        idempotency.release(current_app.extensions["sessions"], *g.pop("claim"))


def _show_changes(error: ChangedMeanwhile):
    """Answer a form whose object others have changed: both versions, and the form to be sent again."""
    g.changes_shown = True
    changes = [
        (wording.title(change.kind), change, [(name, _as_text(value)) for name, value in change.body.items()])
        for change in error.changes
    ]
    methods = (request.url_rule.methods if request.url_rule else None) or ()
    back = request.path if "GET" in methods else request.referrer
    typed = interrupted_forms.read(seen_entry=g.get("newest_entry", ""), once=_form_number())
    return render_template("changed.html", changes=changes, typed=typed, back=back), 409


def _show_repeated(kept: KeptAnswer):
    typed = interrupted_forms.read(once=_form_number())
    return render_template("repeated.html", done=bool(kept.status), typed=typed), 409


def _as_text(value):
    text = value if isinstance(value, str) else canonical.text(value)
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + " …"
