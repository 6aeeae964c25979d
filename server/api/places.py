"""Facilities and restrooms."""

from apiflask import APIBlueprint
from flask import Response, g
from sqlalchemy.orm import Session

from server.api import PREFIX, authentication, responses, schemas
from server.models.places import Facility, Restroom
from server.services.people import accounts
from server.services.places import facilities as facilities_service
from server.services.places import organisations
from server.services.places import restrooms as restrooms_service

bp = APIBlueprint("places", __name__, url_prefix=PREFIX)


@bp.get("/me")
@bp.output(schemas.MeOut)
@authentication.needs(accounts.SEE)
def me() -> dict:
    """The user and the scopes of this token."""
    token = g.token
    return {
        "user": token.user.public_id,
        "role": token.user.role,
        "everywhere": token.user.everywhere,
        "scopes": token.scopes,
        "expires_s": token.expires_s,
    }


@bp.get("/facilities")
@bp.input(schemas.FacilityQuery, location="query")
@bp.output(schemas.FacilityPage)
@authentication.needs(accounts.SEE)
def facilities(query_data: schemas.FacilityQuery) -> dict:
    """Facilities."""
    with authentication.sessions()() as session:
        page = facilities_service.list_facilities(session, authentication.user(), **query_data.model_dump())
        return responses.page_out(page, facility_out)


@bp.get("/facilities/<public_id>")
@bp.output(schemas.FacilityOut)
@authentication.needs(accounts.SEE)
def facility(public_id: str) -> dict:
    """One facility."""
    with authentication.sessions()() as session:
        return facility_out(facilities_service.load(session, authentication.user(), public_id))


@bp.post("/facilities/<public_id>/move")
@bp.input(schemas.MoveIn)
@bp.output(schemas.FacilityOut, status_code=201)
@authentication.needs(accounts.ADMINISTER)
def move_facility(public_id: str, json_data: schemas.MoveIn) -> Response:
    """Move a facility with its restrooms to another organisation, from now on."""

    def work(session: Session) -> responses.Work:
        user = authentication.user()
        facility = facilities_service.load(session, user, public_id, accounts.ADMINISTER)
        to = organisations.load(session, user, json_data.organisation, accounts.ADMINISTER)
        facilities_service.move(session, user, facility, to)
        return schemas.FacilityOut(**facility_out(facility)), 201, ""

    return responses.once(authentication.user(), work)


@bp.get("/restrooms")
@bp.input(schemas.RestroomQuery, location="query")
@bp.output(schemas.RestroomPage)
@authentication.needs(accounts.SEE)
def restrooms(query_data: schemas.RestroomQuery) -> dict:
    """Restrooms; `due_before_s` = now gives the overdue ones."""
    filters = query_data.model_dump()
    filters["block"] = filters["block"] or ""
    with authentication.sessions()() as session:
        page = restrooms_service.list_restrooms(session, authentication.user(), **filters)
        return responses.page_out(page, restroom_out)


@bp.get("/restrooms/<public_id>")
@bp.output(schemas.RestroomOut)
@authentication.needs(accounts.SEE)
def restroom(public_id: str) -> dict:
    """One restroom."""
    with authentication.sessions()() as session:
        return restroom_out(restrooms_service.load(session, authentication.user(), public_id))


def facility_out(facility: Facility) -> dict:
    """Return a facility's JSON."""
    owner = facility.organisation
    return {
        "id": facility.public_id,
        "name": facility.name,
        "name_en": facility.name_en,
        "address": facility.address,
        "organisation": {"id": owner.public_id, "name": owner.name, "name_en": owner.name_en},
    }


_COLUMNS = (
    *("name", "name_en", "block", "floor", "stalls", "address", "latitude", "longitude", "opening_hours", "owner"),
    *("created_s", "retired_s", "last_inspected_s", "last_result", "due_s", "due_method"),
)


def restroom_out(restroom: Restroom) -> dict:
    """Return a restroom's JSON."""
    return {
        "id": restroom.public_id,
        "facility": restroom.facility.public_id,
        "facility_name": restroom.facility.name,
        **{name: getattr(restroom, name) for name in _COLUMNS},
        "external_ids": [[known.source, known.value] for known in restroom.external_ids],
        "running": restroom.running_inspection_id is not None,
    }
