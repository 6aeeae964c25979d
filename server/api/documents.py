"""Exports of inspections and findings, certificates and proofs."""

from collections.abc import Callable, Iterator
from typing import Any

from apiflask import APIBlueprint
from flask import Response, current_app
from pydantic import BaseModel

from server import clock
from server.api import PREFIX, authentication, findings, inspecting, schemas
from server.models.people import User
from server.services import paging
from server.services.audit import canonical, proofs, signing_key
from server.services.findings import findings as findings_service
from server.services.inspecting import certificates, inspections, photos
from server.services.people import access_log, accounts
from server.services.reporting import exports

bp = APIBlueprint("documents", __name__, url_prefix=PREFIX)

_FILE = {
    "description": "CSV (UTF-8 with a byte order mark) or JSON Lines",
    "content": {
        "text/csv": {"schema": {"type": "string"}},
        "application/jsonl": {"schema": {"type": "string"}},
    },
}
_PROOF = {"description": "A proof, see docs/log.md", "content": {"application/json": {"schema": {"type": "object"}}}}


@bp.get("/exports/inspections")
@bp.input(schemas.ExportQuery, location="query")
@bp.doc(responses={200: _FILE})
@authentication.needs(accounts.SEE)
def export_inspections(query_data: schemas.ExportQuery) -> Response:
    """All inspections that happened in [since_s, until_s), with their results as they stand. The export is recorded."""
    return _export("inspections", schemas.InspectionRow, inspections.list_inspections, inspecting.row_out, query_data)


@bp.get("/exports/findings")
@bp.input(schemas.ExportQuery, location="query")
@bp.doc(responses={200: _FILE})
@authentication.needs(accounts.SEE)
def export_findings(query_data: schemas.ExportQuery) -> Response:
    """All findings that happened in [since_s, until_s), with their dispositions. The export is recorded."""
    return _export("findings", schemas.FindingRow, findings_service.list_findings, findings.row_out, query_data)


def _export(
    name: str,
    model: type[BaseModel],
    list_rows: Callable[..., paging.Page],
    row_out: Callable[[Any], dict],
    query: schemas.ExportQuery,
) -> Response:
    user, sessions = authentication.user(), authentication.sessions()
    access_log.record(sessions, user, access_log.EXPORTED, name)
    filters = {"facility": query.facility, "since_s": query.since_s, "until_s": query.until_s}

    def read(user: User) -> Iterator[dict]:
        # One session a page: an export that a slow client reads must not hold a transaction open.
        def page(cursor: str | None) -> paging.Page[dict]:
            with sessions() as session:
                found = list_rows(session, user, **filters, cursor=cursor, limit=exports.BATCH)
                return paging.Page([row_out(row) for row in found.rows], found.next)

        return exports.all_rows(page)

    rows = read(user)
    is_csv = query.format == exports.CSV
    content = exports.csv_lines(model.model_fields, rows) if is_csv else exports.json_lines(rows)
    answer = Response(content, content_type=exports.MEDIA_TYPES[query.format])
    file = f"ansim-{name}-{clock.now_s()}.{query.format}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{file}"'
    return answer


@bp.get("/inspections/<public_id>/certificate")
@bp.output(schemas.CertificateOut)
@authentication.needs(accounts.SEE)
def certificate(public_id: str) -> schemas.CertificateOut:
    """What the certificate of a finished inspection says, with its signatures and its place in the log."""
    folder = photos.folder(current_app.extensions["settings"])
    with authentication.sessions()() as session:
        inspection = inspections.load(session, authentication.user(), public_id)
        answer = _certificate_out(certificates.build(session, inspection, folder))
    access_log.record(authentication.sessions(), authentication.user(), access_log.EXPORTED, public_id)
    return answer


@bp.get("/inspections/<public_id>/proof")
@bp.input(schemas.ProofQuery, location="query")
@bp.doc(responses={200: _PROOF})
@authentication.needs(accounts.INSPECT)
def proof(public_id: str, query_data: schemas.ProofQuery) -> Response:
    """The proof that an inspection's entries are in the signed log. Signs the log if its newest entry is not signed."""
    settings, user = current_app.extensions["settings"], authentication.user()
    key = signing_key.load(current_app.extensions["vault"], settings.log_key)
    stamp = signing_key.time_stamper(settings.timestamp_url)
    with authentication.sessions().begin() as session:
        inspection = inspections.load(session, user, public_id, accounts.INSPECT)
        document = proofs.prove_inspection(session, inspection, key, query_data.names, stamp)
        access_log.add(session, user.id, access_log.EXPORTED, "proof " + inspection.public_id)
    return Response(canonical.text(document) + "\n", mimetype="application/json")


def _certificate_out(made: certificates.Certificate) -> schemas.CertificateOut:
    head = made.head
    return schemas.CertificateOut(
        inspection=schemas.InspectionRow(**inspecting.row_out(made.inspection)),
        corrects=made.corrects,
        not_done=made.not_done,
        coverage=made.result.standing_coverage,
        signatures=[
            schemas.SignatureOut(name=row.name, kind=row.kind, at_s=row.at_s, hash=row.hash) for row in made.signatures
        ],
        record_hash=made.record_hash,
        record_unchanged=made.is_same,
        log_entry=schemas.EntryRef(n=made.entry.n, hash=made.entry.hash) if made.entry else None,
        head=schemas.HeadOut(n=head.n, at_s=head.at_s, hash=head.hash, key=head.key, signature=head.signature)
        if head
        else None,
        photos=len(made.photos),
        photos_changed=made.changed,
        late_findings=[row.finding.public_id for row in made.late],
        superseded_s=next((row.at_s for row in made.late if row.blocking), None),
    )
