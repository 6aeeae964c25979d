"""Commands of the server: `flask --app server <command>`."""

import sys
from typing import NoReturn

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from server.services.errors import Refused


def init(app: Flask) -> None:
    """Add all commands to the application."""
    from server.cli import accounts, audit, brokers, outside
    from server.cli.places import import_restrooms, remind

    for command in (import_restrooms, remind, db_upgrade, ingest, broker, enrol_sensor, revoke_sensor, demo):
        app.cli.add_command(command)
    for module in (accounts, audit, brokers, outside):
        module.init(app)


def _extension(name: str):
    return current_app.extensions[name]


def _refuse(text: object) -> NoReturn:
    sys.exit(f"error: {text}")


@click.command("db-upgrade")
@with_appcontext
def db_upgrade():
    """Upgrade the database; does nothing if it is up to date."""
    from server import migrations

    try:
        upgraded = migrations.upgrade(_extension("settings"))
    except migrations.WrongForm as error:
        _refuse(error)
    click.echo("database upgraded" if upgraded else "database is up to date")


@click.command("ingest")
@with_appcontext
def ingest():
    """Store the messages of sensors, until interrupted."""
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


@click.command("enrol-sensor")
@click.argument("name")
@click.option("--label", default="", help="Its name on pages.")
@click.option("--key-file", type=click.Path(dir_okay=False), required=True, help="File to write the key to (hex).")
@with_appcontext
def enrol_sensor(name, label, key_file):
    """Enrol a sensor; its key is written to a file that only you can read, never to the screen."""
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
    """Revoke a sensor's key for good."""
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
    """Add invented sample restrooms and demo sensors; skips those that exist."""
    from server import demo as sample

    with _extension("sessions").begin() as session:
        enrolled = sample.fill(session, _extension("vault"), sensors)
    click.echo(f"sample restrooms are there; demo sensors: {', '.join(name for name, _ in enrolled)}")
