"""The log: all entries, the entries of an inspection, proofs, and the public signed heads."""

import json
from typing import NamedTuple

from flask import Blueprint, Response, current_app, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from server import security
from server.models.audit import LogEntry, LogHead
from server.services import errors
from server.services.audit import canonical, log, proofs, signing_key
from server.services.audit import heads as log_heads
from server.services.inspecting import inspections
from server.services.people import access_log, accounts
from server.web import page
from server.wording import audit as wording

bp = Blueprint("log", __name__)

HEADS_SHOWN = 60


class Line(NamedTuple):
    """
    title    the kind of the entry, translated
    details  [(field name, value as text), ...]
    by       name of the acting user; "" for the system, or if it is forgotten
    """

    entry: LogEntry
    title: str
    details: list[tuple[str, str]]
    by: str


@bp.get("/log")
@security.needs(accounts.ADMINISTER, everywhere=True)
def index() -> ResponseReturnValue:
    """The whole log, newest first; ?kind= beginning of a kind, ?subject= a public id, ?before= an entry's number."""
    kind, subject = request.args.get("kind", "")[:64], request.args.get("subject", "").strip()[:64]
    before = page.row_number(request.args.get("before"))
    with page.sessions()() as session:
        records = log.list_entries(session, [subject] if subject else None, kind, before, page.PER_PAGE)
    page.record_access(access_log.SAW_LOG, subject or "log")
    older = None
    if records.next:
        before = records.rows[-1].entry.n
        older = url_for("log.index", kind=kind or None, subject=subject or None, before=before)
    lines = [_line(record) for record in records.rows]
    return render_template(
        "audit/index.html", lines=lines, kind=kind, subject=subject, groups=wording.GROUPS, older=older
    )


@bp.get("/inspections/<public_id>/log")
def inspection(public_id: str) -> ResponseReturnValue:
    """The log's entries about an inspection and its findings, oldest first."""
    with page.sessions()() as session:
        inspection = inspections.load(session, page.user(), public_id)
        records = log.list_entries(session, proofs.list_subjects(session, inspection), limit=500).rows
        page.record_access(access_log.SAW_INSPECTION, inspection.public_id)
        lines = [_line(record) for record in reversed(records)]
        return render_template("audit/inspection.html", inspection=inspection, lines=lines)


@bp.post("/inspections/<public_id>/proof")
@security.needs(accounts.INSPECT)
def proof(public_id: str) -> ResponseReturnValue:
    """The proof of an inspection as a file; signs the log if the newest entry is not signed yet."""
    with_names = request.form.get("names") == "yes"
    settings = current_app.extensions["settings"]
    try:
        key = signing_key.load(current_app.extensions["vault"], settings.log_key)
        stamp = signing_key.time_stamper(settings.timestamp_url)
        with page.sessions().begin() as session:
            inspection = inspections.load(session, page.user(), public_id, accounts.INSPECT)
            document = proofs.prove_inspection(session, inspection, key, with_names, stamp)
            access_log.add(session, page.user().id, access_log.EXPORTED, "proof " + inspection.public_id)
    except errors.Refused as error:
        page.flash_warning(page.refusal_text(error))
        return redirect(url_for("log.inspection", public_id=public_id))
    name = f"ansim-proof-{inspection.public_id}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(canonical.text(document) + "\n", mimetype="application/json", headers=headers)


@bp.get("/log/heads")
@security.public
def heads() -> ResponseReturnValue:
    """The signed heads and their public key, for everybody, so that many people keep copies."""
    newest, public_key = _heads()
    return render_template("audit/heads.html", heads=newest, key=public_key, plain_page=True)


@bp.get("/log/verify")
@security.public
def verify() -> ResponseReturnValue:
    """A page that checks a proof in the browser, for everybody; the server takes no part in it."""
    titles = {kind: str(title) for kind, title in wording.KINDS.items()}
    parts = {part: str(text) for part, text in wording.PROOF_PARTS.items()}
    return render_template("audit/verify.html", titles=titles, parts=parts, plain_page=True)


@bp.get("/log/heads.json")
@security.public
def heads_json() -> ResponseReturnValue:
    """The signed heads as JSON, with the time stamps."""
    newest, public_key = _heads()
    rows = [
        {
            "n": head.n,
            "at_s": head.at_s,
            "hash": head.hash,
            "key": head.key,
            "signature": head.signature,
            "timestamp": head.token.hex() if head.token else None,
        }
        for head in newest
    ]
    return jsonify({"key": public_key, "heads": rows})


def _heads() -> tuple[list[LogHead], str]:
    with page.sessions()() as session:
        newest = log_heads.list_heads(session, HEADS_SHOWN)
    try:
        key = signing_key.load(current_app.extensions["vault"], current_app.extensions["settings"].log_key)
        return newest, log_heads.public_key(key)
    except errors.Refused:  # only the account of the timer may read the key's file
        return newest, newest[0].key if newest else ""


def _line(record: log.Record) -> Line:
    entry = record.entry
    details = [(name, _as_text(value)) for name, value in json.loads(entry.body).items()]
    personal = dict(record.personal or {})
    by = personal.pop("by", {}).get("name", "")
    details += [(name, _as_text(value)) for name, value in personal.items()]
    if entry.personal is not None and not by and not personal:
        details.append(("", gettext("The personal fields are forgotten.")))
    return Line(entry, wording.title(entry.kind), details, by)


def _as_text(value: object) -> str:
    text = value if isinstance(value, str) else canonical.text(value)
    return text if len(text) <= 300 else text[:300] + " …"
