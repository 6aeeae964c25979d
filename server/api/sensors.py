"""Sensors and their commands."""

from apiflask import APIBlueprint
from flask import Response, current_app
from sqlalchemy.orm import Session

from ansim import messages
from server import clock
from server.api import PREFIX, authentication, responses, schemas
from server.models.sensors import Command, Sensor
from server.services.findings import findings
from server.services.people import accounts
from server.services.sensors import command_queue, fleet, operations

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


@bp.get("/sensors/<name>/commands")
@bp.output(schemas.CommandsOut)
@authentication.needs(accounts.SEE)
def list_commands(name: str) -> schemas.CommandsOut:
    """The newest 20 commands to a sensor, newest first, with its answers."""
    with authentication.sessions()() as session:
        sensor = fleet.load(session, authentication.user(), name)
        return schemas.CommandsOut(items=[command_out(command) for command in command_queue.recent(session, sensor)])


@bp.post("/sensors/<name>/commands")
@bp.input(schemas.CommandIn)
@bp.output(schemas.CommandOut, status_code=201)
@authentication.needs(accounts.INSPECT)
def send_command(name: str, json_data: schemas.CommandIn) -> Response:
    """Let a sensor follow a finding's signal, test for movement, dwell, test itself or send its test signal."""

    def work(session: Session) -> responses.Work:
        sensor = fleet.load(session, authentication.user(), name, accounts.INSPECT)
        return command_out(_send_radio_command(session, sensor, json_data)), 201, ""

    return responses.once(authentication.user(), work)


@bp.post("/sensors/<name>/maintenance")
@bp.input(schemas.MaintenanceIn)
@bp.output(schemas.CommandsOut, status_code=201)
@authentication.needs(accounts.MANAGE)
def maintain(name: str, json_data: schemas.MaintenanceIn) -> Response:
    """Change a sensor's settings, send it this server's signature tables, restart or erase it."""

    def work(session: Session) -> responses.Work:
        user = authentication.user()
        sensor = fleet.load(session, user, name, accounts.MANAGE)
        if json_data.name == "settings":
            sent = [operations.change_settings(session, user, sensor, json_data.changes)]
        elif json_data.name == "signatures":
            sent = operations.send_tables(session, current_app.extensions["vault"], user, sensor)
        elif json_data.name == "restart":
            sent = [operations.restart(session, user, sensor)]
        else:
            sent = [operations.wipe(session, user, sensor)]
        return schemas.CommandsOut(items=[command_out(command) for command in sent]), 201, ""

    return responses.once(authentication.user(), work)


def _send_radio_command(session: Session, sensor: Sensor, body: schemas.CommandIn) -> Command:
    user = authentication.user()
    if body.name == "dwell":
        return operations.dwell(session, user, sensor, body.channel or 0, body.seconds or 0)
    if body.name == "selftest":
        return operations.test_itself(session, user, sensor, body.emitter or "")
    if body.name == "test_signal":
        return operations.send_test_signal(session, user, sensor)
    finding = findings.load(session, user, body.finding, accounts.INSPECT)
    if body.name == "movement_test":
        return operations.test_movement(session, user, finding, sensor)
    if body.name == "stop_following":
        return operations.stop_following(session, user, finding, sensor)
    return operations.follow(session, user, finding, sensor, body.seconds or operations.FOLLOW_S)


def command_out(command: Command) -> schemas.CommandOut:
    """Return the JSON of a command; addresses are never in it."""
    return schemas.CommandOut(
        id=command.public_id,
        name=command.name,
        status=command_queue.status(command),
        error=command.error if command.ok is False else "",
        created_s=command.created_s,
        expires_s=command.expires_s,
        acknowledged_ms=command.acknowledged_ms,
        slots=command.args["slots"] if command.name == messages.SLOTS else [],
    )


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
