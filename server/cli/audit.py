"""The log's commands and privacy's: verify-log, sign-head, log-key, export-proof, retention, forget-name."""

import json
import sys
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext

from server.services.errors import NotFound, Refused

# Why the log is broken, in words for the person at the keyboard.
WORDS = {
    "missing": "there is no such entry any more, though the log tells of it",
    "changed": "it, or its hash, is not what was written",
    "personal_changed": "its personal fields are not what was written",
    "personal_gone": "its personal fields are gone, and no entry says that they were forgotten",
    "personal_extra": "there are personal fields for it that it does not know",
    "head_changed": "the signed head of this entry is not what was signed",
    "head_differs": "another hash was signed for it: the log was computed anew",
    "head_gone": "its signed head is gone",
    "tip_differs": "it is not the one that was added last",
    "unreadable": "the database cannot read it, its file is damaged there",
    "foreign_key": "its head is signed with another key than this installation's; older keys of yours go with --key",
    "unknown": "the head you kept tells another hash: the log was computed anew",
}

REFUSED = {
    "log_key_bad": "the file of ANSIM_LOG_KEY should hold 64 hex digits and be readable",
    "timestamp_failed": "the time stamp authority of ANSIM_TIMESTAMP_URL gave no usable answer; nothing was signed",
    "nothing_logged": "the log tells nothing about it",
}


def init(app) -> None:
    """Add the commands to the application."""
    for command in (verify_log, sign_head, log_key, export_proof, retention, forget_name):
        app.cli.add_command(command)


def signing_key():
    """The key that signs heads, of this application. Raises Refused: log_key_bad."""
    from server.services.audit import heads as log_heads

    return log_heads.open_key(current_app.extensions["vault"], current_app.extensions["settings"].log_key)


def stamper():
    """What asks the time stamp authority of the settings; None if none is set."""
    from server.services.audit import heads as log_heads

    url = current_app.extensions["settings"].timestamp_url
    return (lambda signed: log_heads.timestamp(url, signed)) if url else None


@click.command("verify-log")
@click.option(
    "--heads",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Heads that somebody kept (/log/heads.json): the log has to fit them too.",
)
@click.option("--key", "older", multiple=True, help="Another public key that heads may be signed with (64 hex digits).")
@with_appcontext
def verify_log(heads, older):
    """Go through the whole log; names the first entry that is not as it was written."""
    from server.models.outside import CHAIN_BROKEN
    from server.services.audit import heads as log_heads
    from server.services.audit import verification
    from server.services.outside import notifications

    def shown(count):
        if sys.stderr.isatty():
            click.echo(f"\r{count:,} entries", nl=False, err=True)

    keys = {key.strip().lower() for key in older}
    try:
        keys.add(log_heads.public_key(signing_key()))
    except Refused:  # the key's file is for another account: then any key does, unless some are given
        keys = keys or None
    seen = _kept_heads(heads) if heads else []
    with current_app.extensions["sessions"]() as session:
        report = verification.check(session, shown, keys, seen)
    if sys.stderr.isatty():
        click.echo("\r", nl=False, err=True)
    if report.problem:
        with current_app.extensions["sessions"].begin() as session:
            notifications.enqueue(session, CHAIN_BROKEN, None, "log", entry=report.problem.n)
        sys.exit(f"error: the log is broken at entry {report.problem.n}: {WORDS[report.problem.what]}")
    counts = f"{report.entries} entries, {report.personal} with personal fields, {report.heads} signed heads"
    click.echo(f"the log is whole: {counts}; newest hash {report.hash}")


def _kept_heads(path):
    """[{"n", "hash"}] of a file as /log/heads.json gives it."""
    try:
        rows = json.loads(path.read_text("utf-8"))["heads"]
        return [{"n": int(row["n"]), "hash": str(row["hash"])} for row in rows]
    except (ValueError, KeyError, TypeError):
        sys.exit(f"error: {path} holds no heads; save /log/heads.json as it is")


@click.command("sign-head")
@with_appcontext
def sign_head():
    """Sign the log as it is now (once a day, by a timer); does nothing if nothing has happened since the last time."""
    from server.services.audit import heads as log_heads

    try:
        key, stamp = signing_key(), stamper()
        with current_app.extensions["sessions"].begin() as session:
            head = log_heads.sign(session, key, stamp)
    except Refused as refused:
        _refuse(refused)
    if head is None:
        click.echo("nothing new to sign")
    else:
        click.echo(f"signed entry {head.n}, hash {head.hash}" + (", with a time stamp" if head.token else ""))


@click.command("log-key")
@with_appcontext
def log_key():
    """Print the public key that checks the log's heads: give it to those who will check, by another way."""
    from server.services.audit import heads as log_heads

    try:
        click.echo(log_heads.public_key(signing_key()))
    except Refused as refused:
        _refuse(refused)


@click.command("export-proof")
@click.argument("inspection", required=False)
@click.option("--all", "everything", is_flag=True, help="The whole log instead of one inspection.")
@click.option("--without-names", is_flag=True, help="Leave the personal fields out.")
@with_appcontext
def export_proof(inspection, everything, without_names):
    """Print the proof of an inspection (its public id); tools/verify_proof.py checks it."""
    from server.services.audit import canonical, proofs
    from server.services.inspecting import inspections

    if bool(inspection) == everything:
        sys.exit("error: give an inspection's id, or --all")
    try:
        key, stamp = signing_key(), stamper()
        with current_app.extensions["sessions"].begin() as session:
            subjects = []
            if inspection:
                subjects = proofs.subjects_of(session, inspections.inspection(session, inspection))
            proof = proofs.of_subjects(session, subjects, key, not without_names, stamp)
    except NotFound:
        sys.exit(f"error: there is no inspection {inspection}; its id stands in the address of its page")
    except Refused as refused:
        _refuse(refused)
    click.echo(canonical.text(proof))


@click.command("retention")
@click.option("--dry-run", is_flag=True, help="Only count.")
@with_appcontext
def retention(dry_run):
    """Delete what is older than the settings allow (once a day, by a timer)."""
    from server.services.upkeep import retention as rules

    settings = current_app.extensions["settings"]
    for done in rules.run(current_app.extensions["sessions"], settings, dry_run):
        click.echo(f"{done.rule:16} {done.rows:9} {'would go' if dry_run else 'gone'}")


@click.command("forget-name")
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Only count.")
@with_appcontext
def forget_name(name, dry_run):
    """Erase the name of somebody without an account, where it is written exactly so."""
    from server.services.people import data_subjects

    if dry_run:
        with current_app.extensions["sessions"]() as session:
            rows, entries = (len(found) for found in data_subjects.named(session, name))
    else:
        with current_app.extensions["sessions"].begin() as session:
            rows, entries = data_subjects.forget_name(session, name)
    click.echo(f"{rows} times in inspections, {entries} entries of the log: {'found' if dry_run else 'erased'}")


def _refuse(refused):
    sys.exit(f"error: {REFUSED[refused.code]}")
