"""Sensors."""

from apiflask import APIBlueprint
from flask import current_app

from server import clock
from server.api import PREFIX, authentication, responses, schemas
from server.models.sensors import Sensor
from server.services.people import accounts
from server.services.sensors import fleet

bp = APIBlueprint("sensors", __name__, url_prefix=PREFIX)


@bp.get("/sensors")
@bp.input(schemas.Page, location="query")
@bp.output(schemas.SensorPage)
@authentication.needs(accounts.SEE)
def index(query_data: schemas.Page) -> dict:
    """Sensors: those fixed in the person's places, and carried ones."""
    with authentication.sessions()() as session:
        page = fleet.list_sensors(session, authentication.user(), cursor=query_data.cursor, limit=query_data.limit)
        return responses.page_out(page, sensor_out)


@bp.get("/sensors/<name>")
@bp.output(schemas.SensorOut)
@authentication.needs(accounts.SEE)
def show(name: str) -> dict:
    """One sensor."""
    with authentication.sessions()() as session:
        return sensor_out(fleet.load(session, authentication.user(), name))


def sensor_out(sensor: Sensor) -> dict:
    """Return a sensor's JSON."""
    info = sensor.info or {}
    silent_after_s = current_app.extensions["settings"].silent_after_s
    return {
        "name": sensor.name,
        "label": sensor.label,
        "status": fleet.state_of(sensor, clock.now_s(), silent_after_s),
        "restroom": sensor.restroom.public_id if sensor.restroom else None,
        "last_seen_s": sensor.last_seen_s,
        "version": info.get("version", ""),
        "board": info.get("board", ""),
        "battery_percent": info.get("battery_percent"),
        "capabilities": info.get("capabilities", []),
        "enrolled_s": sensor.enrolled_s,
        "revoked_s": sensor.revoked_s,
    }
