"""Commands of accounts: create-admin and reset-password."""

import sys

import click
from flask import Flask, current_app
from flask.cli import with_appcontext


def init(app: Flask) -> None:
    """Add the commands to the application."""
    for command in (create_admin, reset_password):
        app.cli.add_command(command)


@click.command("create-admin")
@with_appcontext
def create_admin():
    """Create the first administrator and print the one-time password."""
    from server.services.people import accounts

    with current_app.extensions["sessions"].begin() as session:
        admin = accounts.create_first_admin(session)
    if admin is None:
        sys.exit("error: there are users already; ask an administrator for an account")
    login, password = admin
    click.echo(f"login {login}, one-time password {password}")


@click.command("reset-password")
@click.argument("login")
@with_appcontext
def reset_password(login):
    """Set a one-time password for a user and print it; ends their sessions."""
    from sqlalchemy import select

    from server.models import User
    from server.services.people import accounts

    login = accounts.normalize_login(login)
    with current_app.extensions["sessions"].begin() as session:
        user = session.scalar(select(User).where(User.login == login))
        password = accounts.reset_password(session, user) if user else None
    if password is None:
        sys.exit(f"error: there is no user {login}")
    click.echo(f"login {login}, one-time password {password}")
