"""API of inspections, from their start to their correction."""

from collections.abc import Callable

from apiflask import APIBlueprint
from flask import Response
from sqlalchemy.orm import Session

from server.api import PREFIX, audit, authentication, responses, schemas
from server.models.inspections import Inspection
from server.models.people import User
from server.services.audit import log, proofs
from server.services.inspecting import checklists, inspections
from server.services.people import access_log, accounts
from server.services.places import restrooms
from server.services.sensors import fleet

bp = APIBlueprint("inspections", __name__, url_prefix=PREFIX)


@bp.get("/inspections")
@bp.input(schemas.InspectionQuery, location="query")
@bp.output(schemas.InspectionPage)
@authentication.needs(accounts.SEE)
def index(query_data: schemas.InspectionQuery) -> dict:
    """Inspections, oldest first."""
    filters = query_data.model_dump()
    filters["result"] = filters["result"] or ""
    with authentication.sessions()() as session:
        rows = inspections.list_inspections(session, authentication.user(), **filters)
        return responses.page_out(rows, row_out)


@bp.post("/inspections")
@bp.input(schemas.Start)
@bp.output(schemas.InspectionOut, status_code=201)
@authentication.needs(accounts.INSPECT)
def start(json_data: schemas.Start) -> Response:
    """Start an inspection; its sensors are commanded to start."""

    def work(session: Session) -> responses.Work:
        room = restrooms.load(session, authentication.user(), json_data.restroom, accounts.INSPECT)
        names = dict.fromkeys(json_data.sensors)
        sensors = [fleet.load(session, authentication.user(), name, accounts.INSPECT) for name in names]
        people = [person.model_dump() for person in json_data.people]
        inspection = inspections.start(session, room, authentication.user(), sensors, people)
        return _inspection_out(session, inspection.public_id), 201, f"{PREFIX}/inspections/{inspection.public_id}"

    return responses.once(authentication.user(), work)


@bp.get("/inspections/<public_id>")
@bp.output(schemas.InspectionOut)
@authentication.needs(accounts.SEE)
def show(public_id: str) -> schemas.InspectionOut:
    """One inspection with its steps, results and findings. The access is recorded."""
    with authentication.sessions()() as session:
        answer = _inspection_out(session, public_id)
    access_log.record(authentication.sessions(), authentication.user(), access_log.SAW_INSPECTION, answer.id)
    return answer


@bp.get("/inspections/<public_id>/checklist")
@bp.output(schemas.ChecklistOut)
@authentication.needs(accounts.SEE)
def checklist(public_id: str) -> schemas.ChecklistOut:
    """The checklist of the eye step by place, with the answers so far."""
    with authentication.sessions()() as session:
        return _checklist_out(session, inspections.load(session, authentication.user(), public_id))


@bp.post("/inspections/<public_id>/answers")
@bp.input(schemas.AnswersIn)
@bp.output(schemas.ChecklistOut, status_code=201)
@authentication.needs(accounts.INSPECT)
def answer(public_id: str, json_data: schemas.AnswersIn) -> Response:
    """Answer points of the checklist at one place."""

    def work(session: Session) -> responses.Work:
        inspection = inspections.load(session, authentication.user(), public_id, accounts.INSPECT)
        answers = {key: checklists.Answer(row.answer, row.note, row.seen) for key, row in json_data.answers.items()}
        checklists.answer(session, inspection, authentication.user(), json_data.stall, answers)
        return _checklist_out(session, inspection), 201, ""

    return responses.once(authentication.user(), work)


@bp.post("/inspections/<public_id>/steps")
@bp.input(schemas.StepIn)
@bp.output(schemas.InspectionOut, status_code=201)
@authentication.needs(accounts.INSPECT)
def step(public_id: str, json_data: schemas.StepIn) -> Response:
    """Record the outcome of one method."""

    def work(session: Session) -> responses.Work:
        inspection = inspections.load(session, authentication.user(), public_id, accounts.INSPECT)
        given = json_data
        inspections.record_step(
            session, inspection, given.method, given.outcome, authentication.user(), given.note, given.seen
        )
        return _inspection_out(session, public_id), 201, ""

    return responses.once(authentication.user(), work)


@bp.post("/inspections/<public_id>/finish")
@bp.input(schemas.ResultIn)
@bp.output(schemas.InspectionOut, status_code=201)
@authentication.needs(accounts.INSPECT)
def finish(public_id: str, json_data: schemas.ResultIn) -> Response:
    """Record the result; it ends the inspection."""
    return _record_result(public_id, json_data, inspections.finish)


@bp.post("/inspections/<public_id>/corrections")
@bp.input(schemas.ResultIn)
@bp.output(schemas.InspectionOut, status_code=201)
@authentication.needs(accounts.INSPECT)
def correct(public_id: str, json_data: schemas.ResultIn) -> Response:
    """Add a result that replaces the one before."""
    return _record_result(public_id, json_data, inspections.correct)


@bp.get("/inspections/<public_id>/log")
@bp.output(schemas.LogPage)
@authentication.needs(accounts.SEE)
def entries(public_id: str) -> dict:
    """The log's entries about an inspection and its findings, oldest first; not paged."""
    with authentication.sessions()() as session:
        inspection = inspections.load(session, authentication.user(), public_id)
        rows = []
        for subject in proofs.list_subjects(session, inspection):
            rows += log.list_from(session, subject=subject, limit=1000).rows
        return {"items": [audit.entry_out(row) for row in sorted(rows, key=lambda row: row.n)], "next": None}


def row_out(inspection: Inspection) -> dict:
    """An inspection in a list."""
    newest = inspection.results[-1] if inspection.results else None
    return {
        "id": inspection.public_id,
        "restroom": inspection.restroom.public_id,
        "facility": inspection.restroom.facility.public_id,
        "started_s": inspection.started_s,
        "finished_s": inspection.finished_s,
        "result": inspection.standing_result,
        "methods": list(newest.methods) if newest else [],
        "corrected": len(inspection.results) > 1,
        "provisional": newest is not None and newest.is_provisional,
    }


def _record_result(public_id: str, result: schemas.ResultIn, record: Callable) -> Response:
    def work(session: Session) -> responses.Work:
        inspection = inspections.load(session, authentication.user(), public_id, accounts.INSPECT)
        record(session, inspection, authentication.user(), result.result, reason=result.reason, note=result.note)
        return _inspection_out(session, public_id), 201, ""

    return responses.once(authentication.user(), work)


def _inspection_out(session: Session, public_id: str) -> schemas.InspectionOut:
    session.expire_all()  # so that what was just added is read with the rest
    inspection = inspections.load(session, authentication.user(), public_id)
    return schemas.InspectionOut(
        **row_out(inspection),
        people=[{"name": person.name, "agency": person.agency} for person in inspection.people],
        sensors=[used.sensor.name for used in inspection.sensors],
        steps=[
            schemas.StepOut(
                id=step.id,
                method=step.method,
                outcome=step.outcome,
                note=step.note,
                at_s=step.at_s,
                received_s=step.received_s or step.at_s,
                by=_name(step.by),
            )
            for step in inspection.steps
        ],
        results=[
            schemas.ResultOut(
                result=result.result,
                methods=result.methods,
                reason=result.reason,
                note=result.note,
                coverage=result.coverage,
                final_coverage=result.final_coverage,
                at_s=result.at_s,
                by=_name(result.by),
            )
            for result in inspection.results
        ],
        findings=[finding.public_id for finding in inspections.list_findings(session, inspection)],
    )


def _checklist_out(session: Session, inspection: Inspection) -> schemas.ChecklistOut:
    progress = checklists.load_progress(session, inspection)
    parts = [
        schemas.PartOut(
            stall=part.stall,
            lines=[
                schemas.AnswerOut(
                    item=line.item["key"],
                    text=line.item["text"],
                    answer=line.answer,
                    note=line.note,
                    newest=line.newest_id,
                    contested=[
                        schemas.GivenOut(answer=row.answer, note=row.note, at_s=row.at_s, by=_name(row.by))
                        for row in line.contested
                    ],
                )
                for line in part.lines
            ],
        )
        for part in progress.parts
    ]
    return schemas.ChecklistOut(version=progress.checklist.version if progress.checklist else None, parts=parts)


def _name(user: User | None) -> str | None:
    return user.name if user else None
