"""Commands of notifications and exports: notify, export, backup, restore."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from server import clock

_FILE = click.Path(dir_okay=False, path_type=Path)


def init(app: Flask) -> None:
    """Add the commands to the application."""
    for command in (notify, export, backup, restore):
        app.cli.add_command(command)


@click.command("notify")
@with_appcontext
def notify():
    """Send notifications and reminders of overdue inspections, until interrupted."""
    from server import notify as process

    process.main()


@click.command("export")
@click.argument("file", type=_FILE)
@with_appcontext
def export(file):
    """Write all data as JSON Lines, without secrets and hardware addresses (docs/reports.md)."""
    from server.services.people import access_log
    from server.services.reporting import json_lines

    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        sys.exit(f"error: cannot write {file}: {error.strerror}")
    with os.fdopen(handle, "wb") as out, _progress("exporting") as progress:
        counts = json_lines.write(current_app.extensions["sessions"].engine, out, progress=progress)
    with current_app.extensions["sessions"].begin() as session:
        access_log.add(session, None, access_log.EXPORTED, "everything")
    click.echo(f"{sum(counts.values())} rows of {len(counts)} tables are in {file}; it contains names: keep it safe")


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--with-secret",
    is_flag=True,
    help="Include the file that decrypts the sensors' keys: the backup is then as secret.",
)
@click.option("--keep", type=click.IntRange(min=1), help="FILE is a folder: remove all but the newest KEEP backups.")
@with_appcontext
def backup(file, with_secret, keep):
    """
    Write the whole installation to FILE (tar.gz) while it runs.

    If FILE is a folder, the backup gets a name of its own there.
    """
    from server.services.upkeep import backup as backups

    folder = file if file.is_dir() else None
    if keep and not folder:
        sys.exit(f"error: {file} is not a folder; --keep needs the folder of the backups")
    if folder:
        file = backups.dated(folder, clock.now_s())
    try:
        with _progress("backing up") as progress:
            result = backups.make(current_app.extensions["settings"], file.absolute(), with_secret, progress)
    except backups.CannotBackUp as error:
        sys.exit(f"error: {error}")
    secret = (
        "with the secret" if result.secret else "without the secret: keep the file `secret` of ANSIM_DATA elsewhere"
    )
    click.echo(f"{file}: {result.bytes / 1e6:.1f} MB, {result.photos} photo files, {secret}")
    for old in backups.remove_old(folder, keep) if folder and keep else []:
        click.echo(f"removed {old.name}")


@click.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="SQLite: move an existing installation aside (it is kept).")
@with_appcontext
def restore(file, replace):
    """Restore a file of `backup`. Stop the broker, ingest, notify and web processes first."""
    from server.services.upkeep import backup as backups

    # This process has the old database open; on SQLite its file is about to be replaced.
    current_app.extensions["sessions"].engine.dispose()
    try:
        with _progress("restoring") as progress:
            result = backups.restore(current_app.extensions["settings"], file.absolute(), replace, progress)
    except backups.CannotBackUp as error:
        sys.exit(f"error: {error}")
    if result.problem:
        sys.exit(
            f"error: restored, but the log is broken at entry {result.problem.n}; run `flask verify-log` for details"
        )
    click.echo(f"restored, with {result.photos} photo files; the log is whole")
    if result.keys is False:
        sys.exit("error: the secret here does not decrypt the sensors' keys; put the old file `secret` into ANSIM_DATA")


@contextlib.contextmanager
def _progress(what: str) -> Iterator[Callable[[int], None]]:
    """Show a count of rows on a terminal; yields the function that takes the count."""
    show = sys.stderr.isatty()

    def show_rows(rows: int) -> None:
        if show:
            click.echo(f"\r{what}: {rows:,} rows", nl=False, err=True)

    yield show_rows
    if show:
        click.echo("\r", nl=False, err=True)
