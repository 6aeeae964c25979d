"""Sensors."""

from apiflask import APIBlueprint
from flask import current_app

from server import clock
from server.api import PREFIX, authentication, responses, schemas
from server.services import listings
from server.services.people import accounts
from server.services.sensors import enrolment

bp = APIBlueprint("sensors", __name__, url_prefix=PREFIX)


@bp.get("/sensors")
@bp.input(schemas.Page, location="query")
@bp.output(schemas.SensorPage)
@authentication.needs(accounts.SEE)
def index(query_data):
    """Sensors: those fixed in the person's places, and carried ones."""
    after = responses.cursor(query_data.cursor)
    with authentication.sessions()() as session:
        rows = listings.sensors(session, authentication.user(), after, query_data.limit)
        return responses.page(rows, query_data.limit, sensor_out)


@bp.get("/sensors/<name>")
@bp.output(schemas.SensorOut)
@authentication.needs(accounts.SEE)
def show(name):
    """One sensor."""
    with authentication.sessions()() as session:
        return sensor_out(enrolment.sensor(session, name, authentication.user()))


def sensor_out(one) -> dict:
    """A sensor as it goes out."""
    info = one.info or {}
    silent_after_s = current_app.extensions["settings"].silent_after_s
    return {
        "name": one.name,
        "label": one.label,
        "status": enrolment.status(one, clock.now_s(), silent_after_s),
        "restroom": one.restroom.public_id if one.restroom else None,
        "last_seen_s": one.last_seen_s,
        "version": info.get("version", ""),
        "board": info.get("board", ""),
        "battery_percent": info.get("battery_percent"),
        "capabilities": info.get("capabilities", []),
        "enrolled_s": one.enrolled_s,
        "revoked_s": one.revoked_s,
    }
