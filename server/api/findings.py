"""Findings and their dispositions."""

from apiflask import APIBlueprint
from flask import Response
from sqlalchemy.orm import Session

from server.api import PREFIX, authentication, responses, schemas
from server.models.findings import Finding
from server.services.findings import dispositions, findings
from server.services.people import access_log, accounts

bp = APIBlueprint("findings", __name__, url_prefix=PREFIX)

_COLUMNS = (
    *(
        "status",
        "level",
        "alarmed_s",
        "likely",
        "lasted_s",
        "detector",
        "created_s",
        "changed_s",
        "happened_s",
        "first_at_s",
        "last_at_s",
        "score",
        "score_max",
    ),
    *("rssi_dbm", "channel", "disposition"),
)


@bp.get("/findings")
@bp.input(schemas.FindingQuery, location="query")
@bp.output(schemas.FindingPage)
@authentication.needs(accounts.SEE)
def index(query_data: schemas.FindingQuery) -> dict:
    """Findings, oldest first. The API never returns hardware addresses."""
    filters = query_data.model_dump()
    filters["status"] = filters["status"] or ""
    filters["level"] = filters["level"] or ""
    with authentication.sessions()() as session:
        page = findings.list_findings(session, authentication.user(), **filters)
        return responses.page_out(page, row_out)


@bp.get("/findings/<public_id>")
@bp.output(schemas.FindingOut)
@authentication.needs(accounts.SEE)
def show(public_id: str) -> schemas.FindingOut:
    """One finding with its evidence and dispositions. The access is recorded."""
    with authentication.sessions()() as session:
        answer = _finding_out(session, findings.load(session, authentication.user(), public_id))
    access_log.record(authentication.sessions(), authentication.user(), access_log.SAW_FINDING, answer.id)
    return answer


@bp.post("/findings/<public_id>/dispositions")
@bp.input(schemas.DispositionIn)
@bp.output(schemas.FindingOut, status_code=201)
@authentication.needs(accounts.DISPOSE)
def dispose(public_id: str, json_data: schemas.DispositionIn) -> Response:
    """Record a disposition of a finding."""

    def work(session: Session) -> responses.Work:
        user = authentication.user()
        finding = findings.load(session, user, public_id, accounts.DISPOSE)
        police = json_data.police.model_dump() if json_data.police else None
        dispositions.dispose(session, finding, user, json_data.kind, json_data.reason, police)
        session.expire_all()
        return _finding_out(session, findings.load(session, user, public_id, accounts.DISPOSE)), 201, ""

    return responses.once(authentication.user(), work)


def row_out(finding: Finding) -> dict:
    """Return the JSON of a finding in a list."""
    return {
        "id": finding.public_id,
        "sensor": finding.sensor.name,
        "restroom": finding.restroom.public_id if finding.restroom else None,
        "inspection": finding.inspection.public_id if finding.inspection else None,
        **{name: getattr(finding, name) for name in _COLUMNS},
    }


def _finding_out(session: Session, finding: Finding) -> schemas.FindingOut:
    detail = findings.load_detail(session, authentication.user(), finding)
    return schemas.FindingOut(
        **row_out(finding),
        evidence=[list(row) for row in detail.evidence],
        considered=[list(row) for row in detail.considered],
        dispositions=[
            schemas.DispositionOut(
                kind=row.kind,
                reason=row.reason,
                police=row.police,
                at_s=row.at_s,
                by=row.by.name if row.by else None,
            )
            for row in detail.dispositions
        ],
    )
