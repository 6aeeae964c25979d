"""Inspections, from their start to their correction."""

import json

from apiflask import APIBlueprint

from server.api import PREFIX, authentication, responses, schemas
from server.services import listings
from server.services.audit import proofs
from server.services.inspecting import checklists, inspections
from server.services.people import access as rights
from server.services.people import access_log, accounts
from server.services.places import restrooms
from server.services.sensors import enrolment

bp = APIBlueprint("inspections", __name__, url_prefix=PREFIX)


@bp.get("/inspections")
@bp.input(schemas.InspectionQuery, location="query")
@bp.output(schemas.InspectionPage)
@authentication.needs(accounts.SEE)
def index(query_data):
    """Inspections, oldest first."""
    asked = query_data.model_dump(exclude={"cursor"})
    asked["result"] = asked["result"] or ""
    after = responses.cursor(query_data.cursor)
    with authentication.sessions()() as session:
        rows = listings.inspections(session, authentication.user(), after=after, **asked)
        return responses.page(rows, query_data.limit, row_out)


@bp.post("/inspections")
@bp.input(schemas.Start)
@bp.output(schemas.InspectionOut, status_code=201)
@authentication.needs(accounts.INSPECT)
def start(json_data):
    """Start an inspection; its sensors are told."""

    def work(session):
        room = restrooms.load(session, authentication.user(), json_data.restroom, accounts.INSPECT)
        names = dict.fromkeys(json_data.sensors)
        chosen = [enrolment.sensor(session, name, authentication.user(), accounts.INSPECT) for name in names]
        others = [one.model_dump() for one in json_data.people]
        begun = inspections.start(session, room, authentication.user(), chosen, others)
        return _shown(session, begun.public_id), 201, f"{PREFIX}/inspections/{begun.public_id}"

    return responses.once(authentication.user(), work)


@bp.get("/inspections/<public_id>")
@bp.output(schemas.InspectionOut)
@authentication.needs(accounts.SEE)
def show(public_id):
    """One inspection with its steps, results and findings. That it was looked at is written down."""
    with authentication.sessions()() as session:
        _mine(session, public_id, accounts.SEE)
        answer = _shown(session, public_id)
    access_log.record(authentication.sessions(), authentication.user(), access_log.SAW_INSPECTION, answer.id)
    return answer


@bp.get("/inspections/<public_id>/checklist")
@bp.output(schemas.ChecklistOut)
@authentication.needs(accounts.SEE)
def checklist(public_id):
    """What the eye step looks at, place by place, and what is answered so far."""
    with authentication.sessions()() as session:
        return _answers(session, _mine(session, public_id, accounts.SEE))


@bp.post("/inspections/<public_id>/answers")
@bp.input(schemas.AnswersIn)
@bp.output(schemas.ChecklistOut, status_code=201)
@authentication.needs(accounts.INSPECT)
def answer(public_id, json_data):
    """Answer points of the checklist at one place."""

    def work(session):
        one = _mine(session, public_id, accounts.INSPECT)
        given = {key: (row.answer, row.note) for key, row in json_data.answers.items()}
        checklists.answer(session, one, authentication.user(), json_data.stall, given)
        return _answers(session, one), 201, ""

    return responses.once(authentication.user(), work)


@bp.post("/inspections/<public_id>/steps")
@bp.input(schemas.StepIn)
@bp.output(schemas.InspectionOut, status_code=201)
@authentication.needs(accounts.INSPECT)
def step(public_id, json_data):
    """Record what one method came to."""

    def work(session):
        one = _mine(session, public_id, accounts.INSPECT)
        inspections.record_step(
            session, one, json_data.method, json_data.outcome, authentication.user(), note=json_data.note
        )
        return _shown(session, public_id), 201, ""

    return responses.once(authentication.user(), work)


@bp.post("/inspections/<public_id>/finish")
@bp.input(schemas.ResultIn)
@bp.output(schemas.InspectionOut, status_code=201)
@authentication.needs(accounts.INSPECT)
def finish(public_id, json_data):
    """Record the result; it ends the inspection."""
    return _conclude(public_id, json_data, inspections.finish)


@bp.post("/inspections/<public_id>/corrections")
@bp.input(schemas.ResultIn)
@bp.output(schemas.InspectionOut, status_code=201)
@authentication.needs(accounts.INSPECT)
def correct(public_id, json_data):
    """Add a result that counts instead of the one before."""
    return _conclude(public_id, json_data, inspections.correct)


@bp.get("/inspections/<public_id>/log")
@bp.output(schemas.LogPage)
@authentication.needs(accounts.SEE)
def entries(public_id):
    """What the log says about an inspection and its findings, oldest first; not cut into pages."""
    with authentication.sessions()() as session:
        one = _mine(session, public_id, accounts.SEE)
        rows = []
        for subject in proofs.list_subjects(session, one):
            rows += listings.log_entries(session, subject=subject, limit=1000)
        return {"items": [entry_out(row) for row in sorted(rows, key=lambda row: row.n)], "next": None}


def entry_out(one) -> dict:
    """An entry of the log as it goes out, without its personal fields."""
    columns = {name: getattr(one, name) for name in ("n", "at_s", "kind", "subject", "personal", "hash")}
    return {**columns, "body": json.loads(one.body)}


def row_out(one) -> dict:
    """An inspection in a list."""
    newest = one.results[-1] if one.results else None
    return {
        "id": one.public_id,
        "restroom": one.restroom.public_id,
        "facility": one.restroom.facility.public_id,
        "started_s": one.started_s,
        "finished_s": one.finished_s,
        "result": one.result,
        "methods": list(newest.methods) if newest else [],
        "corrected": len(one.results) > 1,
    }


def _conclude(public_id, given, decide):
    def work(session):
        one = _mine(session, public_id, accounts.INSPECT)
        decide(session, one, authentication.user(), given.result, reason=given.reason, note=given.note)
        return _shown(session, public_id), 201, ""

    return responses.once(authentication.user(), work)


def _mine(session, public_id, right):
    one = inspections.inspection(session, public_id)
    rights.check(session, authentication.user(), right, one.restroom.facility_id)
    return one


def _shown(session, public_id):
    session.expire_all()  # so that what was just added is read with the rest
    one = inspections.inspection(session, public_id)
    return schemas.InspectionOut(
        **row_out(one),
        people=[{"name": person.name, "agency": person.agency} for person in one.people],
        sensors=[used.sensor.name for used in one.sensors],
        steps=[{**_told(step), "method": step.method, "outcome": step.outcome} for step in one.steps],
        results=[
            {
                **_told(result),
                "result": result.result,
                "methods": result.methods,
                "reason": result.reason,
                "coverage": result.coverage,
            }
            for result in one.results
        ],
        findings=[finding.public_id for finding in inspections.findings_of(session, one)],
    )


def _answers(session, one):
    at = checklists.progress(session, one)
    parts = [
        {
            "stall": part.stall,
            "lines": [
                {"item": line.item["key"], "text": line.item["text"], "answer": line.answer, "note": line.note}
                for line in part.lines
            ],
        }
        for part in at.parts
    ]
    return schemas.ChecklistOut(version=at.checklist.version if at.checklist else None, parts=parts)


def _told(row):
    return {"note": row.note, "at_s": row.at_s, "by": row.by.name if row.by else None}
