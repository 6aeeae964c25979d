"""Sign-in and sign-out, the password, the second factor, API tokens, and the language."""

from flask import Blueprint, current_app, make_response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from server import i18n, security, throttling
from server.models.people import User
from server.services import errors
from server.services.people import access_log, accounts, second_factor, tokens, user_sessions
from server.web import interrupted_forms, page
from server.web.people import forms

bp = Blueprint("account", __name__)

TOKEN_DAYS = (30, 90, 365)


@bp.route("/login", methods=["GET", "POST"])
@security.public
@throttling.limit_logins
def login() -> ResponseReturnValue:
    """Sign in; ?next= is the page to go on to."""
    next_page = page.local_address(request.args.get("next")) or url_for("start.index")
    if page.user().is_authenticated and request.method == "GET":
        return redirect(next_page)
    form, problem = forms.LoginForm(), None
    if form.validate_on_submit():
        person = _authenticate(form.login.data or "", form.password.data or "")
        if person and person.totp_sealed:
            security.sign_in_halfway(person)
            if request.form.get(interrupted_forms.KEPT):
                form = forms.CodeForm(formdata=None)
                kept = request.form[interrupted_forms.KEPT]
                return render_template("people/account/code.html", form=form, problem=None, kept=kept)
            return redirect(url_for("account.code", next=page.local_address(request.args.get("next"))))
        if person:
            security.sign_in(person)
            return interrupted_forms.go_on(next_page)
        problem = gettext("Wrong sign-in name or password.")
    kept = request.form.get(interrupted_forms.KEPT, "")
    html = render_template("people/account/login.html", form=form, problem=problem, kept=kept)
    return html, 200 if problem is None else 403


def _authenticate(login: str, password: str) -> User | None:
    sessions = page.sessions()
    try:
        person = accounts.sign_in(sessions, login, password, request.remote_addr or "")
    except accounts.BadLogin as error:
        if error.user_id is not None:
            with sessions.begin() as store:
                access_log.add(store, error.user_id, access_log.SIGN_IN_FAILED, "password")
        return None
    if not person.totp_sealed:
        with sessions.begin() as store:
            access_log.add(store, person.id, access_log.SIGNED_IN, "password")
    return person


@bp.route("/login/code", methods=["GET", "POST"])
@security.public
@throttling.limit_code
def code() -> ResponseReturnValue:
    """Second step of sign-in: the code from the app, or a recovery code."""
    next_page = page.local_address(request.args.get("next")) or url_for("start.index")
    form, problem = forms.CodeForm(), None
    with page.sessions()() as store:
        person = security.halfway(store)
    if person is None or not person.totp_sealed:
        return redirect(url_for("account.login", next=page.local_address(request.args.get("next"))))
    if form.validate_on_submit():
        with page.sessions().begin() as store:
            passed = second_factor.verify(store, current_app.extensions["vault"], person, form.code.data or "")
            kind = access_log.SIGNED_IN if passed else access_log.SIGN_IN_FAILED
            access_log.add(store, person.id, kind, "second_factor")
        if passed:
            security.sign_in(person)
            return interrupted_forms.go_on(next_page)
        problem = gettext("This code is not right, or was used already. Wait for the next one.")
    kept = request.form.get(interrupted_forms.KEPT, "")
    html = render_template("people/account/code.html", form=form, problem=problem, kept=kept)
    return html, 200 if problem is None else 403


@bp.post("/logout")
def logout() -> ResponseReturnValue:
    """
    End the session. The page that follows also deletes the offline data on the phone.

    Clear-Site-Data names the cache only: "storage" would delete visits that are not handed over yet.
    """
    security.sign_out()
    answer = make_response(redirect(url_for("account.login", left=1)))
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


@bp.route("/password", methods=["GET", "POST"])
def password() -> ResponseReturnValue:
    """Change the password; required after sign-in with a one-time password."""
    form, problem = forms.PasswordForm(), None
    person = page.user()
    forced = person.must_change_password
    if form.validate_on_submit():
        try:
            old, new = form.old.data or "", form.new.data or ""
            accounts.confirm(page.sessions(), person, old, request.remote_addr or "")
            password_hash = accounts.hash_new_password(person, old, new)
            with page.sessions().begin() as store:
                accounts.set_password(store, person, password_hash)
        except errors.Refused as error:
            problem = page.refusal_text(error)
        else:
            # A new password ends all sessions of the user, this one too.
            _sign_in_again(person)
            page.flash_success(gettext("The new password is set. Other sessions of yours have ended."))
            return redirect(url_for("start.index"))
    return render_template(
        "people/account/password.html",
        form=form,
        problem=problem,
        forced=forced,
        min_password=accounts.MIN_PASSWORD,
    )


def _sign_in_again(person: User) -> None:
    with page.sessions()() as store:
        security.sign_in(store.get_one(User, person.id))


@bp.route("/me/second-factor", methods=["GET", "POST"], endpoint="second_factor")
@throttling.limit_code
def set_up_second_factor() -> ResponseReturnValue:
    """
    Set up the second factor, or replace it: scan, confirm with a code, keep the recovery codes.

    Both need the password: with an open session alone, the user could be locked out.
    """
    import segno

    vault, person = current_app.extensions["vault"], page.user()
    form, problem = forms.CodeForm(), None
    if form.validate_on_submit() and "totp" in session:
        secret = vault.unseal(bytes.fromhex(session["totp"])).decode()
        try:
            accounts.confirm(page.sessions(), person, request.form.get("old", ""), request.remote_addr or "")
            with page.sessions().begin() as store:
                codes = second_factor.set_up(store, vault, person, secret, form.code.data or "")
        except errors.Refused as error:
            problem = page.refusal_text(error)
        else:
            _sign_in_again(person)
            return render_template("people/account/recovery.html", codes=codes)
    else:
        secret = second_factor.new_secret()
        # Sealed, because the cookie can still be read on the user's computer much later.
        session["totp"] = vault.seal(secret.encode()).hex()
    qr_code = segno.make(second_factor.provisioning_uri(person, secret), error="m", micro=False)
    return render_template(
        "people/account/second_factor.html",
        form=form,
        problem=problem,
        secret=" ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
        qr_code=qr_code.svg_data_uri(scale=5, border=2, light="#fff"),
        forced=security.lacks_second_factor(person),
    )


@bp.get("/me")
def me() -> ResponseReturnValue:
    """The user's own account and tokens."""
    person = page.user()
    with page.sessions()() as store:
        codes_left = second_factor.count_recovery_codes(store, person) if person.totp_sealed else 0
        own_tokens = tokens.list_tokens(store, person)
        own_sessions = user_sessions.list_own(store, person, security.session_limits())
    return render_template(
        "people/account/me.html",
        codes_left=codes_left,
        tokens=own_tokens,
        sessions=own_sessions,
        own_session_id=security.own_session_id(),
        scopes=tokens.allowed_scopes(person),
        token_days=TOKEN_DAYS,
    )


@bp.post("/me/tokens")
def make_token() -> ResponseReturnValue:
    """Create an API token; it is shown once."""
    name, days = request.form.get("name", "")[:200], request.form.get("days", 0, type=int)
    try:
        accounts.confirm(page.sessions(), page.user(), request.form.get("password", ""), request.remote_addr or "")
        with page.sessions().begin() as store:
            token, text = tokens.create(store, page.user(), name, request.form.getlist("scopes"), days)
    except errors.Refused as error:
        page.flash_warning(page.refusal_text(error))
        return redirect(url_for("account.me"))
    return render_template("people/account/token.html", token=token, text=text)


@bp.post("/me/tokens/<public_id>/revoke")
def revoke_token(public_id: str) -> ResponseReturnValue:
    """Revoke one of the user's own tokens."""
    with page.sessions().begin() as store:
        tokens.revoke(store, page.user(), public_id)
    page.flash_success(gettext("The token no longer works."))
    return redirect(url_for("account.me"))


@bp.post("/me/sessions/<public_id>/end")
def end_session(public_id: str) -> ResponseReturnValue:
    """End one of the user's own sessions."""
    with page.sessions().begin() as store:
        user_sessions.end(store, page.user(), public_id)
    page.flash_success(gettext("The session has ended."))
    return redirect(url_for("account.me"))


@bp.post("/language")
@security.public
def language() -> ResponseReturnValue:
    """Change the language for this session and go back."""
    i18n.remember(request.form.get("language", ""))
    return redirect(page.local_address(request.form.get("next")) or url_for("start.index"))
