"""Commands about places and plans: `flask --app server import-restrooms`, `remind`."""

import contextlib
import sys
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext

SHOWN = 20  # rows of each kind to print


@click.command("import-restrooms")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--apply", "write", is_flag=True, help="Write it; without, only say what would happen.")
@click.option("--map", "pairs", multiple=True, help="field=COLUMN: which column holds what; may be repeated.")
@click.option("--source", default="", help="The family of files whose keys it has; default: the layout's.")
@click.option(
    "--organisation", default="", help="Who answers for all places; default: the municipality in the address."
)
@click.option("--despite", is_flag=True, help="Go on although much would vanish or change.")
@click.option(
    "--doubles",
    type=click.Choice(["leave_out", "keep"]),
    default="leave_out",
    help="Rows that look identical: leave out all but the first, or keep each as a place of its own.",
)
@with_appcontext
def import_restrooms(file, write, pairs, source, organisation, despite, doubles):
    """Take over restrooms from open data or any table; shows what would happen, writes only with --apply."""
    from server.services.errors import Refused
    from server.services.places import imports
    from server.wording import imports as words
    from server.wording import refusal

    sessions = current_app.extensions["sessions"]
    with _in_english():
        try:
            options = imports.Options(source, _mapping(file, pairs), organisation, despite, doubles)
            with _progress(file, "reading") as progress, sessions() as session:
                preview = imports.make_preview(session, file, options, progress)
            _print(preview, words)
            if preview.stops:
                sys.exit("error: not imported; see above, or --despite if it is right so")
            if not write:
                click.echo("nothing has been written; with --apply it is")
            elif preview.changes_nothing:
                click.echo("nothing to write")
            else:
                with _progress(file, "writing") as progress:
                    imports.apply(sessions, file, preview, None, progress)
                click.echo("imported")
        except imports.UnknownLayout as unknown:
            sys.exit(
                f"error: {' '.join(words.problem_text(problem) for problem in unknown.problems)}\n\n"
                + imports.explain_mapping(unknown.columns, unknown.guessed)
            )
        except Refused as refused:
            sys.exit(f"error: {refusal(refused.code, refused.values)}")


@click.command("remind")
@with_appcontext
def remind():
    """Tell of what is overdue: once a building, again after a week. For a daily timer."""
    from server import clock
    from server.services.outside import notifications
    from server.services.places import reminders

    with current_app.extensions["sessions"].begin() as session:
        told = reminders.remind(session, clock.now_s(), notifications.enqueue)
    click.echo(f"told of {told} buildings")


def _mapping(file, pairs):
    """Return the mapping of --map; on a terminal, ask for what cannot be guessed."""
    from server.services.places import imports

    try:
        given = imports.parse_pairs(pairs)
    except ValueError as error:
        sys.exit(f"error: {error}")
    if given or not sys.stdin.isatty():
        return given
    try:
        imports.recognise_layout(file, imports.Options())
        return {}
    except imports.UnknownLayout as unknown:
        click.echo("Which column is what? Enter takes the guess; an empty answer without a guess leaves it out.")
        click.echo(f"Columns: {', '.join(unknown.columns)}")
        answers = {}
        for field in imports.MAIN_FIELDS:
            description, _ = imports.FIELDS[field]
            answers[field] = click.prompt(
                f"{field}: {description}", default=unknown.guessed.get(field, ""), show_default=True
            )
        return {field: column for field, column in answers.items() if column}


def _print(preview, words):
    click.echo(f"layout: {words.LAYOUTS[preview.layout]}; source: {preview.source}")
    click.echo(f"{preview.counts['rows']} rows, {preview.restrooms} restrooms")
    for kind, name in words.KINDS.items():
        count = preview.counts[kind]
        if not count:
            continue
        click.echo(f"{count:8} {name}")
        if kind == "same":
            continue
        for row in preview.rows(kind)[:SHOWN]:
            place = " · ".join(part for part in (row.key, row.name, row.address) if part)
            line = f"line {row.line}: " if row.line else ""
            click.echo(
                f"           {line}{place}{' – ' if place and row.detail else ''}{words.problems_text(row.detail)}"
            )
        if count > SHOWN:
            click.echo(f"           … and {count - SHOWN} more")
    if preview.counts["elsewhere"]:
        click.echo(f"{preview.counts['elsewhere']:8} known places of other municipalities stay as they are")
    for doubt, count in preview.doubts.items():
        click.echo(f"{count:8} × {words.PROBLEMS[doubt]}".replace("%(km)s", "many"))
    for name, cells in preview.unused.items():
        click.echo(f"not taken over: column {name} ({cells} cells)" if cells else f"not taken over: sheet {name}")
    for problem in preview.stops:
        click.echo(f"STOP: {words.problem_text(problem)}")


@contextlib.contextmanager
def _in_english():
    """Set the language of the wording tables to English, for the terminal."""
    with current_app.test_request_context(headers={"Accept-Language": "en"}):
        yield


@contextlib.contextmanager
def _progress(file, what):
    """A progress bar over a file's bytes, on a terminal; yields the function to call with the bytes done."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=file.stat().st_size)
        yield lambda done: bar.update(task, completed=done)
