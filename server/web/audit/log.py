"""The log: all of it, what it tells of one inspection, proofs of it, and its signed heads for everybody."""

import json
from collections import namedtuple

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext

from server import security
from server.cli import audit
from server.services import errors
from server.services.audit import canonical, log, proofs
from server.services.audit import heads as log_heads
from server.services.people import access_log, accounts
from server.web import page, reach
from server.wording import audit as wording

bp = Blueprint("log", __name__)

HEADS_SHOWN = 60

# entry    LogEntry
# title    what happened, in words
# details  [(name, value as text), ...]
# by       who did it; "" for the system, or when it is forgotten
Line = namedtuple("Line", ("entry", "title", "details", "by"))


@bp.get("/log")
@security.needs(accounts.ADMINISTER, everywhere=True)
def index():
    """The whole log, newest first; ?kind= the beginning of a kind, ?subject= a public id, ?before= an entry's number."""
    kind, subject = request.args.get("kind", "")[:64], request.args.get("subject", "").strip()[:64]
    before = page.row_number(request.args.get("before"))
    with page.sessions()() as session:
        rows = log.entries(session, [subject] if subject else None, kind, before, page.PER_PAGE + 1)
    page.record_access(access_log.SAW_LOG, subject or "log")
    rows, more = rows[: page.PER_PAGE], len(rows) > page.PER_PAGE
    older = url_for("log.index", kind=kind or None, subject=subject or None, before=rows[-1][0].n) if more else None
    groups = wording.GROUPS
    lines = [_line(*row) for row in rows]
    return render_template("audit/index.html", lines=lines, kind=kind, subject=subject, groups=groups, older=older)


@bp.get("/inspections/<public_id>/log")
def inspection(public_id):
    """What the log tells of one inspection and its findings, oldest first."""
    with page.sessions()() as session:
        one = reach.inspection(session, public_id)
        rows = log.entries(session, proofs.subjects_of(session, one), limit=500)
        page.record_access(access_log.SAW_INSPECTION, one.public_id)
        lines = [_line(*row) for row in reversed(rows)]
        return render_template("audit/inspection.html", inspection=one, lines=lines)


@bp.post("/inspections/<public_id>/proof")
@security.needs(accounts.INSPECT)
def proof(public_id):
    """The proof of an inspection, as a file for outsiders; signs the log if the newest entry is not signed yet."""
    with_names = request.form.get("names") == "yes"
    try:
        key, stamp = audit.signing_key(), audit.stamper()
        with page.sessions().begin() as session:
            one = reach.inspection(session, public_id, accounts.INSPECT)
            made = proofs.of_inspection(session, one, key, with_names, stamp)
            access_log.add(session, page.user().id, access_log.EXPORTED, "proof " + one.public_id)
    except errors.Refused as error:
        page.flash_warning(page.refusal_text(error))
        return redirect(url_for("log.inspection", public_id=public_id))
    name = f"ansim-proof-{one.public_id}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(canonical.text(made) + "\n", mimetype="application/json", headers=headers)


@bp.get("/log/heads")
@security.public
def heads():
    """The log's signed heads and the key that checks them: so that many people have seen them."""
    shown, public = _heads()
    return render_template("audit/heads.html", heads=shown, key=public, plain_page=True)


@bp.get("/log/heads.json")
@security.public
def heads_json():
    """The same for programs, with the time stamps."""
    shown, public = _heads()
    rows = [
        {
            "n": head.n,
            "at_s": head.at_s,
            "hash": head.hash,
            "key": head.key,
            "signature": head.signature,
            "timestamp": head.token.hex() if head.token else None,
        }
        for head in shown
    ]
    return jsonify({"key": public, "heads": rows})


def _heads():
    with page.sessions()() as session:
        shown = log_heads.heads(session, HEADS_SHOWN)
    try:
        return shown, log_heads.public_key(audit.signing_key())
    except errors.Refused:  # only the timer's account may read the key
        return shown, shown[0].key if shown else ""


def _line(entry, personal):
    details = [(name, _shown(value)) for name, value in json.loads(entry.body).items()]
    personal = dict(personal or {})
    by = personal.pop("by", {}).get("name", "")
    details += [(name, _shown(value)) for name, value in personal.items()]
    forgotten = entry.personal is not None and not by and not personal
    details += [("", gettext("The personal fields are forgotten."))] * forgotten
    return Line(entry, wording.title(entry.kind), details, by)


def _shown(value):
    text = value if isinstance(value, str) else canonical.text(value)
    return text if len(text) <= 300 else text[:300] + " …"
