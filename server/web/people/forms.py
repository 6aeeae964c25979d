"""Forms of sign-in, passwords, codes and invitations."""

from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import EqualTo, Length

from server.services.people.accounts import MAX_PASSWORD, MIN_PASSWORD
from server.web.forms import REQUIRED, at_most
from server.web.forms import lazy_text as _


def _password_rules() -> list:
    return [
        REQUIRED,
        Length(min=MIN_PASSWORD, message=_("Please use at least %(min)d characters.")),
        at_most(MAX_PASSWORD),
    ]


class LoginForm(FlaskForm):
    login = StringField(_("Sign-in name"), [REQUIRED, at_most(100)])
    password = PasswordField(_("Password"), [REQUIRED, at_most(1000)])


class PasswordForm(FlaskForm):
    old = PasswordField(_("Current password"), [REQUIRED])
    new = PasswordField(_("New password"), _password_rules())
    again = PasswordField(_("New password once more"), [REQUIRED, EqualTo("new", _("The two are not the same."))])


class CodeForm(FlaskForm):
    code = StringField(_("Code"), [REQUIRED, at_most(40)])


class InvitationForm(FlaskForm):
    code = StringField(_("Invitation code"), [REQUIRED, at_most(60)])
    name = StringField(_("Your name"), [REQUIRED, at_most(200)])
    login = StringField(_("Sign-in name"), [REQUIRED, at_most(100)])
    new = PasswordField(_("Password"), _password_rules())
    again = PasswordField(_("Password once more"), [REQUIRED, EqualTo("new", _("The two are not the same."))])
