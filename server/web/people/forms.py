"""Forms of signing in, passwords, codes and invitations."""

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import EqualTo, Length

from server.services.people.accounts import LEAST_PASSWORD, MOST_PASSWORD
from server.web import forms


class LoginForm(FlaskForm):
    login = StringField(_("Sign-in name"), [forms.REQUIRED, forms.at_most(100)])
    password = PasswordField(_("Password"), [forms.REQUIRED, forms.at_most(1000)])


class PasswordForm(FlaskForm):
    old = PasswordField(_("Present password"), [forms.REQUIRED])
    new = PasswordField(
        _("New password"),
        [
            forms.REQUIRED,
            Length(min=LEAST_PASSWORD, message=_("Please use at least %(min)d characters.")),
            forms.at_most(MOST_PASSWORD),
        ],
    )
    again = PasswordField(_("New password once more"), [forms.REQUIRED, EqualTo("new", _("The two are not the same."))])


class CodeForm(FlaskForm):
    code = StringField(_("Code"), [forms.REQUIRED, forms.at_most(40)])


class InvitationForm(FlaskForm):
    code = StringField(_("Invitation code"), [forms.REQUIRED, forms.at_most(60)])
    name = StringField(_("Your name"), [forms.REQUIRED, forms.at_most(200)])
    login = StringField(_("Sign-in name"), [forms.REQUIRED, forms.at_most(100)])
    new = PasswordField(
        _("Password"),
        [
            forms.REQUIRED,
            Length(min=LEAST_PASSWORD, message=_("Please use at least %(min)d characters.")),
            forms.at_most(MOST_PASSWORD),
        ],
    )
    again = PasswordField(_("Password once more"), [forms.REQUIRED, EqualTo("new", _("The two are not the same."))])
