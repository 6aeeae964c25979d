"""The commands: `flask --app server <command>`."""

import sys
from typing import NoReturn

import click
from flask import current_app
from flask.cli import with_appcontext

from server.services.errors import Refused


def init(app) -> None:
    """Add the commands to the application."""
    from server.cli.places import import_restrooms, remind

    app.cli.add_command(import_restrooms)
    app.cli.add_command(remind)
    for command in (db_upgrade, ingest, broker, create_admin, reset_password, enrol_sensor, revoke_sensor, demo):
        app.cli.add_command(command)


def _extension(name):
    return current_app.extensions[name]


def _refuse(text: str) -> NoReturn:
    sys.exit(f"error: {text}")


@click.command("db-upgrade")
@with_appcontext
def db_upgrade():
    """Bring the database to the newest form; does nothing if it is."""
    from server import migrations

    try:
        done = migrations.upgrade(_extension("settings"))
    except migrations.WrongForm as error:
        _refuse(error)
    click.echo("database upgraded" if done else "database is up to date")


@click.command("ingest")
@with_appcontext
def ingest():
    """Store what sensors report, until interrupted."""
    from server.ingest import main

    main.run(_extension("settings"))


@click.command("broker")
@with_appcontext
def broker():
    """Run the embedded MQTT broker, until interrupted."""
    from server.broker import main

    try:
        main.run(_extension("settings"))
    except main.CannotListen as error:
        _refuse(error)


@click.command("create-admin")
@with_appcontext
def create_admin():
    """Create the first administrator and print the one-time password."""
    from server.services.people import accounts

    with _extension("sessions").begin() as session:
        made = accounts.create_first_admin(session)
    if made is None:
        _refuse("there are people already; ask an administrator for an account")
    click.echo(f"login {made[0]}, one-time password {made[1]}")


@click.command("reset-password")
@click.argument("login")
@with_appcontext
def reset_password(login):
    """Give a person a new one-time password and print it; ends their sessions."""
    from sqlalchemy import select

    from server.models import User
    from server.services.people import accounts

    with _extension("sessions").begin() as session:
        user = session.scalar(select(User).where(User.login == accounts.normalize_login(login)))
        once = accounts.reset_password(session, user) if user else None
    if once is None:
        _refuse(f"nobody signs in as {login}")
    click.echo(f"login {accounts.normalize_login(login)}, one-time password {once}")


@click.command("enrol-sensor")
@click.argument("name")
@click.option("--label", default="", help="What people call it.")
@click.option("--key-file", type=click.Path(dir_okay=False), required=True, help="Where to write the key (hex).")
@with_appcontext
def enrol_sensor(name, label, key_file):
    """Enrol a sensor; its key goes into a file that only you can read, never on the screen."""
    import os

    from server.services.sensors import enrolment

    try:
        with _extension("sessions").begin() as session:
            _, key = enrolment.enrol(session, _extension("vault"), name, label)
            handle = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(key.hex() + "\n")
    except FileExistsError:
        _refuse(f"{key_file} exists; choose another --key-file")
    except Refused as refused:
        _refuse(f"{name} cannot be enrolled ({refused.code}); names are 1..32 of a-z, 0-9 and -, each used once")
    click.echo(f"{name} is enrolled; its key is in {key_file}")


@click.command("revoke-sensor")
@click.argument("name")
@with_appcontext
def revoke_sensor(name):
    """Cut a sensor off for good."""
    from server.services.errors import NotFound
    from server.services.people.accounts import SYSTEM
    from server.services.sensors import enrolment, fleet

    try:
        with _extension("sessions").begin() as session:
            enrolment.revoke(session, fleet.load(session, SYSTEM, name))
    except NotFound:
        _refuse(f"no sensor {name}; the sensors page lists them")
    click.echo(f"{name} is revoked")


@click.command("demo")
@click.option("--sensors", default=3, help="How many demo sensors to enrol.")
@with_appcontext
def demo(sensors):
    """Add invented sample restrooms and demo sensors; does nothing where they are already there."""
    from server import demo as sample

    with _extension("sessions").begin() as session:
        enrolled = sample.fill(session, _extension("vault"), sensors)
    click.echo(f"sample restrooms are there; demo sensors: {', '.join(name for name, _ in enrolled)}")
