"""Facilities and restrooms."""

from apiflask import APIBlueprint
from flask import g

from server.api import PREFIX, authentication, responses, schemas
from server.services import listings
from server.services.people import access as rights
from server.services.people import accounts
from server.services.places import editing
from server.services.places import restrooms as places

bp = APIBlueprint("places", __name__, url_prefix=PREFIX)


@bp.get("/me")
@bp.output(schemas.MeOut)
@authentication.needs(accounts.SEE)
def me():
    """Whose token this is, and what it may do."""
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
def facilities(query_data):
    """Facilities."""
    after = responses.cursor(query_data.cursor)
    with authentication.sessions()() as session:
        rows = listings.facilities(
            session, authentication.user(), query_data.search, query_data.organisation, after, query_data.limit
        )
        return responses.page(rows, query_data.limit, facility_out)


@bp.get("/facilities/<public_id>")
@bp.output(schemas.FacilityOut)
@authentication.needs(accounts.SEE)
def facility(public_id):
    """One facility."""
    with authentication.sessions()() as session:
        found = editing.facility(session, public_id)
        rights.check(session, authentication.user(), accounts.SEE, found.id)
        return facility_out(found)


@bp.get("/restrooms")
@bp.input(schemas.RestroomQuery, location="query")
@bp.output(schemas.RestroomPage)
@authentication.needs(accounts.SEE)
def restrooms(query_data):
    """Restrooms; `due_before_s` = now gives the overdue ones."""
    asked = query_data.model_dump(exclude={"cursor"})
    asked["block"] = asked["block"] or ""
    after = responses.cursor(query_data.cursor)
    with authentication.sessions()() as session:
        rows = listings.restrooms(session, authentication.user(), after=after, **asked)
        return responses.page(rows, query_data.limit, restroom_out)


@bp.get("/restrooms/<public_id>")
@bp.output(schemas.RestroomOut)
@authentication.needs(accounts.SEE)
def restroom(public_id):
    """One restroom."""
    with authentication.sessions()() as session:
        found = places.restroom(session, public_id)
        rights.check(session, authentication.user(), accounts.SEE, found.facility_id)
        return restroom_out(found)


def facility_out(one) -> dict:
    """A facility as it goes out."""
    owner = one.organisation
    return {
        "id": one.public_id,
        "name": one.name,
        "name_en": one.name_en,
        "address": one.address,
        "organisation": {"id": owner.public_id, "name": owner.name, "name_en": owner.name_en},
    }


_SAME = (
    *("name", "name_en", "block", "floor", "stalls", "address", "latitude", "longitude", "opening_hours", "owner"),
    *("created_s", "retired_s", "last_inspected_s", "last_result", "due_s", "due_method"),
)


def restroom_out(one) -> dict:
    """A restroom as it goes out."""
    return {
        "id": one.public_id,
        "facility": one.facility.public_id,
        "facility_name": one.facility.name,
        **{name: getattr(one, name) for name in _SAME},
        "external_ids": [[known.source, known.value] for known in one.external_ids],
        "running": one.running_inspection_id is not None,
    }
