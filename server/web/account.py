"""Signing in and out, the password, and the language."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext

from server import i18n, security
from server.models.people import User
from server.services import errors, people
from server.web import forms, page

bp = Blueprint("account", __name__)


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
        if person:
            security.sign_in(person)
            return redirect(onward)
        problem = gettext("The name or the password is not right.")
    return render_template("account/login.html", form=form, problem=problem), 200 if problem is None else 403


def _authenticate(login, password):
    # The failed try is counted too, so the transaction must end well in both cases.
    with page.store().begin() as session:
        try:
            return people.authenticate(session, login, password)
        except people.BadLogin:
            return None


@bp.post("/logout")
def logout():
    """End the session."""
    security.sign_out()
    return redirect(url_for("account.login"))


@bp.route("/password", methods=["GET", "POST"])
def password():
    """Change one's own password; whoever came with a one-time password must."""
    form, problem = forms.PasswordForm(), None
    person = page.user()
    forced = person.must_change_password
    if form.validate_on_submit():
        try:
            with page.store().begin() as session:
                people.change_password(session, person, form.old.data, form.new.data)
        except errors.Refused as error:
            problem = page.refused(error)
        else:
            # A new password ends every session of this person, this one too.
            with page.store()() as session:
                security.sign_in(session.get(User, person.id))
            page.said(gettext("The new password is set. Other sessions of yours have ended."))
            return redirect(url_for("places.index"))
    least = people.LEAST_PASSWORD
    return render_template("account/password.html", form=form, problem=problem, forced=forced, least=least)


@bp.get("/me")
def me():
    """Who is signed in."""
    return render_template("account/me.html")


@bp.post("/language")
@security.public
def language():
    """Change the language for this session and go back."""
    i18n.remember(request.form.get("language", ""))
    return redirect(page.local_address(request.form.get("next")) or url_for("places.index"))
