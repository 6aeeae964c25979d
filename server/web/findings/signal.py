"""A finding's transmitter, live: following its signal to the source, and the movement test."""

import json

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from ansim import messages
from server import clock, security
from server.models.findings import Finding
from server.models.sensors import Command, Sensor
from server.services import errors
from server.services.findings import findings
from server.services.people import access_log, accounts
from server.services.sensors import command_queue, operations
from server.web import page
from server.wording import movement_test, sensor_refusals

bp = Blueprint("signal", __name__)

POLL_MS = 700  # 0.35 s on average until a level is on the screen, and 300 requests a second from 200 phones


@bp.get("/findings/<public_id>/follow")
@security.needs(accounts.INSPECT)
def follow(public_id: str) -> ResponseReturnValue:
    """The level of the transmitter, as large as the screen."""
    return _page(public_id, "findings/follow.html", "signal.levels")


@bp.post("/findings/<public_id>/follow")
@security.needs(accounts.INSPECT)
def start_following(public_id: str) -> ResponseReturnValue:
    """Let a sensor follow the transmitter for ten minutes; field `sensor` is its name, `stop` ends it."""
    operation = operations.stop_following if "stop" in request.form else operations.follow
    return _start(public_id, operation, "signal.follow")


@bp.get("/live/findings/<public_id>/levels")
@security.needs(accounts.INSPECT)
def levels(public_id: str) -> ResponseReturnValue:
    """
    Levels heard after ?since= (ms), as JSON.

    now_ms   the server's time
    points   [[heard_ms, dBm, smoothed dBm, uncertainty dB, trend], ...], oldest first
    command  {"state", "text", "sensor"} of the newest command to follow, or null
    """
    with page.sessions()() as session:
        finding = findings.load_row(session, page.user(), public_id, accounts.INSPECT)
        points = operations.load_levels(session, finding, _since_ms())
        return _uncached(
            now_ms=clock.now_ms(),
            points=[[row.received_ms, row.rssi_dbm, row.smoothed_dbm, row.sigma_db, row.trend] for row in points],
            command=_describe(command_queue.load_newest(session, finding, messages.LOCATE)),
        )


@bp.get("/findings/<public_id>/movement")
@security.needs(accounts.INSPECT)
def movement(public_id: str) -> ResponseReturnValue:
    """The movement test: what to do in each slot, then the result."""
    return _page(public_id, "findings/movement.html", "signal.movement_state")


@bp.post("/findings/<public_id>/movement")
@security.needs(accounts.INSPECT)
def start_movement(public_id: str) -> ResponseReturnValue:
    """Start a movement test; field `sensor` is the sensor's name."""
    return _start(public_id, operations.test_movement, "signal.movement")


@bp.get("/live/findings/<public_id>/movement")
@security.needs(accounts.INSPECT)
def movement_state(public_id: str) -> ResponseReturnValue:
    """
    How far the newest movement test is, as JSON.

    command     {"state", "text", "sensor"}, or null
    elapsed_ms  since the sensor's acknowledgement, from which the slots count; null before it
    slots       [[start_ms, length_ms, 1 movement | 0 stillness], ...]
    result      the result in words, or null
    """
    with page.sessions()() as session:
        finding = findings.load_row(session, page.user(), public_id, accounts.INSPECT)
        command = command_queue.load_newest(session, finding, messages.SLOTS)
        began_ms = command.acknowledged_ms if command and command.ok else None
        result = operations.load_result(session, finding, began_ms // 1000) if began_ms else None
        return _uncached(
            command=_describe(command),
            elapsed_ms=None if began_ms is None else clock.now_ms() - began_ms,
            slots=command.args["slots"] if command else [],
            result=movement_test.sentence(result.p_ppm, result.heard_permille) if result else None,
        )


def _since_ms():
    since = request.args.get("since", "")
    return int(since) if since.isdecimal() and len(since) <= 15 else 0


def _page(public_id, template, live_endpoint):
    with page.sessions()() as session:
        finding = findings.load(session, page.user(), public_id, accounts.INSPECT)
        page.record_access(access_log.SAW_FINDING, finding.public_id)
        refusal = operations.why_not_follow(finding)
        return render_template(
            template,
            finding=finding,
            sensors=operations.list_sensors(session, page.user(), finding),
            problem=page.refusal_text(refusal) if refusal else None,
            live=url_for(live_endpoint, public_id=finding.public_id),
            poll_ms=POLL_MS,
            words=json.dumps(_words(), ensure_ascii=False),
        )


def _words():
    """Return the words that scripts show, by key."""
    return {
        "warmer": gettext("Nearer"),
        "colder": gettext("Farther"),
        "same": gettext("No change"),
        "lost": gettext("Lost"),
        "none": gettext("Nothing heard yet"),
        "last": gettext("Last heard %(seconds)s s ago"),
        "move": gettext("Move"),
        "still": gettext("Stand still"),
        "ready": gettext("Get ready"),
        "next": gettext("%(seconds)s s left"),
        "wait": gettext("Waiting for the result"),
        "offline": gettext("No connection to the server. The page tries again."),
    }


def _start(public_id, operation, endpoint):
    try:
        with page.sessions().begin() as session:
            finding = findings.load(session, page.user(), public_id, accounts.INSPECT)
            operation(session, page.user(), finding, _chosen_sensor(session, finding))
    except errors.Refused as error:
        page.flash_warning(page.refusal_text(error))
    return redirect(url_for(endpoint, public_id=public_id))


def _chosen_sensor(session, finding: Finding) -> Sensor:
    """Return the sensor that the form names, else the first that can do it. Raises NotFound."""
    sensors = operations.list_sensors(session, page.user(), finding)
    name = request.form.get("sensor")
    chosen = [sensor for sensor in sensors if name in (None, "", sensor.name)]
    if not chosen:
        raise errors.NotFound("sensor")
    return chosen[0]


def _describe(command: Command | None) -> dict | None:
    """Return the state of a command for the page."""
    if command is None:
        return None
    state = command_queue.status(command)
    reason = sensor_refusals.sensor_refusal(command.error)
    text = {
        command_queue.WAITING: gettext(
            "Waiting for the sensor to connect. A sensor with Wi-Fi connects about once a minute."
        ),
        command_queue.SENT: gettext("Sent, waiting for the sensor's answer."),
        command_queue.DONE: gettext("The sensor is listening."),
        command_queue.REFUSED: gettext("The sensor refused: %(reason)s", reason=reason),
        command_queue.EXPIRED: gettext("The sensor did not answer."),
    }[state]
    return {"state": state, "text": text, "sensor": command.sensor.label or command.sensor.name}


def _uncached(**values) -> Response:
    answer = jsonify(**values)
    answer.headers["Cache-Control"] = "no-store"
    return answer
