"""The command broker-config: files for a broker of one's own."""

import subprocess
import sys
import time
from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

WATCH_EVERY_S = 5


def init(app: Flask) -> None:
    """Add the command to the application."""
    app.cli.add_command(broker_config)
    app.cli.add_command(broker_reader)


def _address(_context, _parameter, text):
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise click.BadParameter("should be ADDRESS:PORT, such as 0.0.0.0:8883")
    return host.strip("[]"), int(port)


@click.command("broker-config")
@click.argument("program", type=click.Choice(["mosquitto"]))
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--listen", default="0.0.0.0:8883", callback=_address, help="For sensors. Default: 0.0.0.0:8883.")
@click.option("--ingest", default="127.0.0.1:1883", callback=_address, help="For ingest. Default: 127.0.0.1:1883.")
@click.option("--as-folder", type=click.Path(path_type=Path), help="FOLDER as mosquitto sees it, as in a container.")
@click.option("--ca", "authority", help="Certificate of the authority, as mosquitto sees it.")
@click.option("--cert", "certificate", help="mosquitto's certificate, with --ca and --key.")
@click.option("--key", "key", help="Its key.")
@click.option("--no-tls", is_flag=True, help="Without TLS: for a laboratory, or behind a proxy that ends TLS.")
@click.option("--watch", is_flag=True, help="Keep running, and write again whenever a sensor comes or goes.")
@click.option("--reload", "reload_command", help="Command that makes mosquitto read its files again, after a change.")
@with_appcontext
def broker_config(
    program, folder, listen, ingest, as_folder, authority, certificate, key, no_tls, watch, reload_command
):
    """
    Write mosquitto's configuration, passwords and access list to FOLDER.

    Start mosquitto with FOLDER/mosquitto.conf. When a sensor was enrolled, revoked or given a new key, run the command
    again (or let --watch do it), and send mosquitto SIGHUP (--reload "systemctl reload mosquitto").
    """
    from ansim import topics
    from server.broker import mosquitto, topic_rules

    given = [authority, certificate, key]
    if any(given) and not all(given):
        sys.exit("error: --ca, --cert and --key go together")
    if not all(given) and not no_tls:
        sys.exit("error: sensors use TLS by default; give --ca, --cert and --key, or --no-tls")
    settings = current_app.extensions["settings"]
    tls = (authority, certificate, key) if all(given) else None
    place = mosquitto.Place((as_folder or folder).absolute(), listen, ingest, tls, 3 * settings.batch_messages)
    user = settings.mqtt_user or topic_rules.SERVICE
    while True:
        with current_app.extensions["sessions"]() as session:
            accounts = mosquitto.load_accounts(session, current_app.extensions["vault"], settings)
        try:
            has_changed = mosquitto.write(folder, mosquitto.make_files(accounts, user, place))
        except OSError as error:
            sys.exit(f"error: cannot write to {folder}: {error.strerror}")
        if has_changed:
            click.echo(f"{folder}: {len([name for name in accounts if topics.is_device(name)])} sensors")
            if reload_command:
                _reload(reload_command)
        if not watch:
            return
        time.sleep(WATCH_EVERY_S)


@click.command("broker-reader")
@with_appcontext
def broker_reader():
    """
    Print user name and password of the account for other programs, which reads sensors' state and health.

    Needs ANSIM_MQTT_READER=yes, also for the broker. The client id has to begin with the user name and "-".
    """
    from server.broker import topic_rules

    if not current_app.extensions["settings"].mqtt_reader:
        sys.exit("error: there is no such account; set ANSIM_MQTT_READER=yes for this command and for the broker")
    click.echo(f"user      {topic_rules.READER}")
    click.echo(f"password  {current_app.extensions['vault'].service_password(topic_rules.READER)}")


def _reload(command):
    status = subprocess.run(command, shell=True, check=False).returncode
    if status:
        click.echo(f"{command} ended with {status}; mosquitto has the earlier files", err=True)
