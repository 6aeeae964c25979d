"""Signing in and out, the password, the second factor, one's own tokens, and the language."""

from flask import Blueprint, current_app, redirect, render_template, request, session, url_for
from flask_babel import gettext

from server import i18n, security
from server.models.people import User
from server.services import errors
from server.services.people import access_log, accounts, second_factor, tokens
from server.web import page
from server.web.people import forms

bp = Blueprint("account", __name__)

TOKEN_DAYS = (30, 90, 365)


@bp.route("/login", methods=["GET", "POST"])
@security.public
@security.limit_login
def login():
    """Sign in; ?next= is the page that was asked for."""
    onward = page.local_address(request.args.get("next")) or url_for("places.index")
    if page.user().is_authenticated and request.method == "GET":
        return redirect(onward)
    form, problem = forms.LoginForm(), None
    if form.validate_on_submit():
        person = _authenticate(form.login.data, form.password.data)
        if person and person.totp_sealed:
            security.sign_in_halfway(person)
            return redirect(url_for("account.code", next=page.local_address(request.args.get("next"))))
        if person:
            security.sign_in(person)
            return redirect(onward)
        problem = gettext("The name or the password is not right.")
    return render_template("people/account/login.html", form=form, problem=problem), 200 if problem is None else 403


def _authenticate(login, password):
    # The failed try is counted too, so the transaction must end well in both cases.
    with page.sessions().begin() as store:
        try:
            person = accounts.authenticate(store, login, password)
        except accounts.BadLogin as bad:
            if bad.user_id is not None:
                access_log.add(store, bad.user_id, access_log.SIGN_IN_FAILED, "password")
            return None
        if not person.totp_sealed:
            access_log.add(store, person.id, access_log.SIGNED_IN, "password")
        return person


@bp.route("/login/code", methods=["GET", "POST"])
@security.public
@security.limit_code
def code():
    """The second step of signing in: the code from the app, or a recovery code."""
    onward = page.local_address(request.args.get("next")) or url_for("places.index")
    form, problem = forms.CodeForm(), None
    with page.sessions()() as store:
        person = security.halfway(store)
    if person is None or not person.totp_sealed:
        return redirect(url_for("account.login", next=page.local_address(request.args.get("next"))))
    if form.validate_on_submit():
        with page.sessions().begin() as store:
            passed = second_factor.passes(store, current_app.extensions["vault"], person, form.code.data)
            kind = access_log.SIGNED_IN if passed else access_log.SIGN_IN_FAILED
            access_log.add(store, person.id, kind, "second_factor")
        if passed:
            security.sign_in(person)
            return redirect(onward)
        problem = gettext("This code is not right, or was used already. Wait for the next one.")
    return render_template("people/account/code.html", form=form, problem=problem), 200 if problem is None else 403


@bp.post("/logout")
def logout():
    """End the session. The page that follows also makes the phone forget what it took along."""
    security.sign_out()
    return redirect(url_for("account.login", left=1))


@bp.route("/password", methods=["GET", "POST"])
def password():
    """Change one's own password; whoever came with a one-time password must."""
    form, problem = forms.PasswordForm(), None
    person = page.user()
    forced = person.must_change_password
    if form.validate_on_submit():
        try:
            with page.sessions().begin() as store:
                accounts.change_password(store, person, form.old.data, form.new.data)
        except errors.Refused as error:
            problem = page.refusal_text(error)
        else:
            # A new password ends every session of this person, this one too.
            _sign_in_again(person)
            page.flash_success(gettext("The new password is set. Other sessions of yours have ended."))
            return redirect(url_for("places.index"))
    least = accounts.LEAST_PASSWORD
    return render_template("people/account/password.html", form=form, problem=problem, forced=forced, least=least)


def _sign_in_again(person):
    with page.sessions()() as store:
        security.sign_in(store.get(User, person.id))


@bp.route("/me/second-factor", methods=["GET", "POST"], endpoint="second_factor")
@security.limit_code
def set_up_second_factor():
    """
    Set up the second factor, or another one: scan, confirm with a code, keep the recovery codes.

    Another one wants the password too: whoever finds an open session could otherwise lock its person out.
    """
    import segno

    vault, person = current_app.extensions["vault"], page.user()
    form, problem = forms.CodeForm(), None
    if form.validate_on_submit() and "secret" in session:
        secret = vault.unseal(bytes.fromhex(session["secret"])).decode()
        try:
            if person.totp_sealed:
                accounts.check_present(person, request.form.get("old", ""))
            with page.sessions().begin() as store:
                codes = second_factor.set_up(store, vault, person, secret, form.code.data)
        except errors.Refused as error:
            problem = page.refusal_text(error)
        else:
            _sign_in_again(person)
            return render_template("people/account/recovery.html", codes=codes)
    else:
        secret = second_factor.new_secret()
        # Sealed, because the cookie can be read on the person's computer long after.
        session["secret"] = vault.seal(secret.encode()).hex()
    drawn = segno.make(second_factor.address(person, secret), error="m", micro=False)
    return render_template(
        "people/account/second_factor.html",
        form=form,
        problem=problem,
        secret=" ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
        code=drawn.svg_data_uri(scale=5, border=2, light="#fff"),
        forced=security.lacks_second_factor(person),
    )


@bp.get("/me")
def me():
    """Who is signed in, and their tokens."""
    person = page.user()
    with page.sessions()() as store:
        left = second_factor.codes_left(store, person) if person.totp_sealed else 0
        mine = tokens.of(store, person)
    return render_template(
        "people/account/me.html", codes_left=left, tokens=mine, scopes=_scopes(person), days=TOKEN_DAYS
    )


def _scopes(person):
    return [scope for scope in tokens.SCOPES if accounts.may(person, scope)]


@bp.post("/me/tokens")
def make_token():
    """Make a token for a program; it is shown once."""
    name, days = request.form.get("name", "")[:200], request.form.get("days", 0, type=int)
    try:
        with page.sessions().begin() as store:
            token, shown = tokens.make(store, page.user(), name, request.form.getlist("scopes"), days)
    except errors.Refused as error:
        page.flash_warning(page.refusal_text(error))
        return redirect(url_for("account.me"))
    return render_template("people/account/token.html", token=token, shown=shown)


@bp.post("/me/tokens/<public_id>/revoke")
def revoke_token(public_id):
    """End one of one's own tokens."""
    with page.sessions().begin() as store:
        tokens.revoke(store, page.user(), public_id)
    page.flash_success(gettext("The token no longer works."))
    return redirect(url_for("account.me"))


@bp.post("/language")
@security.public
def language():
    """Change the language for this session and go back."""
    i18n.remember(request.form.get("language", ""))
    return redirect(page.local_address(request.form.get("next")) or url_for("places.index"))
