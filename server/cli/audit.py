"""Commands of the log and of privacy: verify-log, sign-head, log-key, export-proof, retention, forget-name."""

import json
import sys
from pathlib import Path
from typing import NoReturn

import click
from flask import current_app
from flask.cli import with_appcontext

from server.services.errors import NotFound, Refused

# verification.Problem.what -> what is wrong with the entry
PROBLEMS = {
    "missing": "the entry is missing, though the log has evidence of it",
    "changed": "the entry or its hash was changed",
    "personal_changed": "its personal fields were changed",
    "personal_gone": "its personal fields are missing, and no entry says that they were forgotten",
    "personal_extra": "it has personal fields that it does not know of",
    "head_changed": "its signed head was changed",
    "head_differs": "another hash was signed for it: the log was recomputed",
    "head_gone": "its signed head is missing",
    "tip_differs": "it is not the last entry that was added",
    "unreadable": "the database cannot read it: its file is damaged there",
    "foreign_key": "its head is signed with another key than this installation's; add your own older keys with --key",
    "time_back": "it is older than the entry before it",
    "time_beyond": "it is younger than the head that covers it, or than now",
    "erased_later": "it says that entries were forgotten that did not exist yet",
    "erased_there": "its personal fields are there, though the log says that they were forgotten",
    "trigger_gone": "the database does not refuse changes to the log any more; its triggers are missing",
    "unknown": "a head that you kept has another hash: the log was recomputed",
}

MOST_DIFFERENCES = 50  # printed

REFUSALS = {
    "log_key_bad": "the file of ANSIM_LOG_KEY should hold 64 hex digits and be readable",
    "timestamp_failed": "the time stamp authority of ANSIM_TIMESTAMP_URL gave no usable answer; nothing was signed",
    "witness_failed": "the witness file of the log's heads (ANSIM_WITNESS) cannot be read or written, or git refused",
    "nothing_logged": "the log has no entry about it",
}


def init(app) -> None:
    """Add the commands to the application."""
    for command in (verify_log, sign_head, log_key, export_proof, retention, forget_name):
        app.cli.add_command(command)


@click.command("verify-log")
@click.option(
    "--heads",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A kept copy of /log/heads.json that the log has to match too.",
)
@click.option("--key", "older_keys", multiple=True, help="Another public key allowed for heads (64 hex digits).")
@with_appcontext
def verify_log(heads, older_keys):
    """Verify the whole log, name the first broken entry; compare inspections, findings, rooms and photos with it."""
    from server.models.outside import CHAIN_BROKEN
    from server.services.audit import heads as log_heads
    from server.services.audit import tampered_rows, verification, witness
    from server.services.inspecting import photos
    from server.services.outside import notifications

    def show_progress(count: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{count:,} entries", nl=False, err=True)

    keys = {key.strip().lower() for key in older_keys}
    try:
        keys.add(log_heads.public_key(_signing_key()))
    except Refused:  # this account may not read the key's file: allow any key, unless some are given
        keys = keys or None
    known_heads = _read_heads(heads) if heads else []
    settings = current_app.extensions["settings"]
    try:
        known_heads += witness.read(settings.witness_path()) if settings.witness_path() else []
    except Refused as refused:
        _refuse(refused)
    with current_app.extensions["sessions"]() as session:
        result = verification.verify(session, show_progress, keys, known_heads)
        differences = [] if result.problem else list(tampered_rows.find_differences(session, photos.folder(settings)))
    if sys.stderr.isatty():
        click.echo("\r", nl=False, err=True)
    if result.problem:
        with current_app.extensions["sessions"].begin() as session:
            notifications.enqueue(session, CHAIN_BROKEN, None, "log", entry=result.problem.n)
        sys.exit(f"error: the log is broken at entry {result.problem.n}: {PROBLEMS[result.problem.what]}")
    if differences:
        for difference in differences[:MOST_DIFFERENCES]:
            said = f"entry {difference.n} says otherwise" if difference.n else "no entry says what it says"
            click.echo(f"{difference.kind} {difference.subject}: {said}", err=True)
        with current_app.extensions["sessions"].begin() as session:
            notifications.enqueue(session, CHAIN_BROKEN, None, "log", entry=differences[0].n)
        sys.exit(f"error: {len(differences)} rows differ from the log, which is whole itself")
    counts = f"{result.entries} entries, {result.personal} with personal fields, {result.heads} signed heads"
    click.echo(f"the log is whole: {counts}; newest hash {result.hash}")


def _read_heads(path: Path) -> list[dict]:
    """Return [{"n", "hash"}] of a file that is a copy of /log/heads.json."""
    try:
        rows = json.loads(path.read_text("utf-8"))["heads"]
        return [{"n": int(row["n"]), "hash": str(row["hash"])} for row in rows]
    except (ValueError, KeyError, TypeError):
        sys.exit(f"error: {path} holds no heads; save /log/heads.json unchanged")


@click.command("sign-head")
@with_appcontext
def sign_head():
    """Sign the newest entry (once a day, by a timer); does nothing if there is no new one."""
    from server.services.audit import heads as log_heads
    from server.services.audit import witness

    path = current_app.extensions["settings"].witness_path()
    try:
        key, stamp = _signing_key(), _time_stamper()
        with current_app.extensions["sessions"].begin() as session:
            head = log_heads.sign(session, key, stamp)
        if path:
            with current_app.extensions["sessions"]() as session:
                witness.publish(session, path)
    except Refused as refused:
        _refuse(refused)
    if head is None:
        click.echo("nothing new to sign")
    else:
        click.echo(f"signed entry {head.n}, hash {head.hash}" + (", with a time stamp" if head.token else ""))


@click.command("log-key")
@with_appcontext
def log_key():
    """Print the public key of the log's heads. Give it to verifiers over another channel."""
    from server.services.audit import heads as log_heads

    try:
        click.echo(log_heads.public_key(_signing_key()))
    except Refused as refused:
        _refuse(refused)


@click.command("export-proof")
@click.argument("inspection", required=False)
@click.option("--all", "everything", is_flag=True, help="The whole log instead of one inspection.")
@click.option("--without-names", is_flag=True, help="Leave the personal fields out.")
@with_appcontext
def export_proof(inspection, everything, without_names):
    """Print the proof of an inspection (its public id); tools/verify_proof.py verifies it."""
    from server.services.audit import canonical, proofs
    from server.services.inspecting import inspections
    from server.services.people import accounts

    if bool(inspection) == everything:
        sys.exit("error: give an inspection's id, or --all")
    try:
        key, stamp = _signing_key(), _time_stamper()
        with current_app.extensions["sessions"].begin() as session:
            subjects = []
            if inspection:
                subjects = proofs.list_subjects(session, inspections.load(session, accounts.SYSTEM, inspection))
            proof = proofs.prove_subjects(session, subjects, key, not without_names, stamp)
    except NotFound:
        sys.exit(f"error: there is no inspection {inspection}; its id is part of its page's address")
    except Refused as refused:
        _refuse(refused)
    click.echo(canonical.text(proof))


@click.command("retention")
@click.option("--dry-run", is_flag=True, help="Only count.")
@with_appcontext
def retention(dry_run):
    """Delete what is older than the settings allow (once a day, by a timer)."""
    from server.services.upkeep import retention

    settings = current_app.extensions["settings"]
    for result in retention.run(current_app.extensions["sessions"], settings, dry_run):
        click.echo(f"{result.rule:16} {result.rows:9} {'would go' if dry_run else 'gone'}")


@click.command("forget-name")
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Only count.")
@with_appcontext
def forget_name(name, dry_run):
    """Erase a name, written exactly so, of a person without an account."""
    from server.services.people import data_subjects

    if dry_run:
        with current_app.extensions["sessions"]() as session:
            rows, entries = (len(numbers) for numbers in data_subjects.find_name(session, name))
    else:
        with current_app.extensions["sessions"].begin() as session:
            rows, entries = data_subjects.forget_name(session, name)
    click.echo(f"{rows} times in inspections, {entries} entries of the log: {'found' if dry_run else 'erased'}")


def _signing_key():
    from server.services.audit import signing_key

    return signing_key.load(current_app.extensions["vault"], current_app.extensions["settings"].log_key)


def _time_stamper():
    from server.services.audit import signing_key

    return signing_key.time_stamper(current_app.extensions["settings"].timestamp_url)


def _refuse(refused: Refused) -> NoReturn:
    sys.exit(f"error: {REFUSALS[refused.code]}")
