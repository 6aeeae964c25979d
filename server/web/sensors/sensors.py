"""Sensors: the list, and one sensor with its state, self-test, place and key."""

import re
from typing import Any

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from server import clock, ids, security
from server.services import errors, freshness
from server.services.intake import completeness
from server.services.people import accounts
from server.services.places import restrooms
from server.services.sensors import claims, command_queue, enrolment, fleet, operations
from server.web import page
from server.web.sensors import presenters, setting_fields
from server.wording import selftest as selftest_words

bp = Blueprint("sensors", __name__)

COMMANDS_SHOWN = 8
GAPS_SHOWN = 5
SHOWN_AGAIN_S = 60
ADDRESS = re.compile("[0-9a-f]{12}")


@bp.get("/sensors")
def index() -> ResponseReturnValue:
    """Sensors by name; ?state= one of fleet.STATES, ?search= words, ?after= a cursor for the next page."""
    with page.sessions()() as session:
        counts = fleet.count_states(session, page.user(), clock.now_s(), _silent_after_s())
        return render_template("sensors/index.html", counts=counts, **_list(session))


@bp.get("/live/sensors")
def news() -> ResponseReturnValue:
    """The list alone, or 204 if nothing has changed since the mark ?since=."""
    with page.sessions()() as session:
        if request.args.get("since") == _mark(session):
            return Response(status=204)
        return render_template("sensors/_fleet.html", **_list(session))


def _list(session):
    state, search = request.args.get("state"), request.args.get("search", "").strip()[:100]
    filters: dict[str, Any] = {"state": state if state in fleet.STATES else None, "search": search or None}
    after, silent_after_s = request.args.get("after"), _silent_after_s()
    found = fleet.list_sensors(
        session,
        page.user(),
        state=filters["state"] or "",
        search=search,
        now_s=clock.now_s(),
        silent_after_s=silent_after_s,
        cursor=after,
        limit=page.PER_PAGE,
        by_name=True,
    )
    return {
        "rows": [presenters.summary(sensor, silent_after_s) for sensor in found.rows],
        "health": fleet.load_health(session, found.rows),
        "since": _mark(session),
        "filters": {**filters, "after": after or None},
        "older": found.next and url_for("sensors.index", **filters, after=found.next),
    }


def _mark(session):
    # A sensor turns silent by time alone, which has to show although no message came.
    return f"{freshness.sensors_mark(session)}.{clock.now_s() // SHOWN_AGAIN_S}"


@bp.get("/sensors/<name>")
def show(name: str) -> ResponseReturnValue:
    """One sensor: health, newest self-test, counters, commands, place and key."""
    now_s = clock.now_s()
    with page.sessions()() as session:
        sensor = fleet.load(session, page.user(), name)
        selftest = fleet.load_selftest(session, sensor)
        return render_template(
            "sensors/show.html",
            summary=presenters.summary(sensor, _silent_after_s()),
            info=sensor.info or {},
            selftest=selftest,
            selftest_rows=selftest_words.describe_checks(selftest.checks) if selftest else [],
            counters=fleet.load_counters(session, sensor),
            gaps=completeness.gaps(session, sensor.id)[:GAPS_SHOWN],
            clock_error_s=fleet.load_clock_error_s(session, sensor),
            commands=[
                (row, command_queue.valid_for_s(row, now_s))
                for row in command_queue.recent(session, sensor, COMMANDS_SHOWN)
            ],
        )


@bp.post("/sensors/<name>/selftest")
@security.needs(accounts.INSPECT)
def selftest(name: str) -> ResponseReturnValue:
    """Start a self-test; with an address it also checks that the sensor detects another sensor's test signal."""
    given = request.form.get("emitter", "").strip().lower().replace("-", "").replace(":", "")
    if given and not ADDRESS.fullmatch(given):
        page.flash_warning(gettext("An address has 12 digits from 0 to 9 and a to f, such as 24:6f:28:aa:bb:01."))
        return redirect(url_for("sensors.show", name=name))
    emitter = ":".join(given[at : at + 2] for at in range(0, 12, 2)) if given else ""
    with page.sessions().begin() as session:
        sensor = fleet.load(session, page.user(), name, accounts.INSPECT)
        operations.test_itself(session, page.user(), sensor, emitter)
    page.flash_success(gettext("The sensor will test itself when it hears this; the result appears here."))
    return redirect(url_for("sensors.show", name=name))


@bp.post("/sensors/<name>/restart")
@security.needs(accounts.MANAGE)
def restart(name: str) -> ResponseReturnValue:
    """Send a sensor the command to restart."""
    with page.sessions().begin() as session:
        sensor = fleet.load(session, page.user(), name, accounts.MANAGE)
        operations.restart(session, page.user(), sensor)
    page.flash_success(gettext("The sensor will restart when it hears this."))
    return redirect(url_for("sensors.show", name=name))


@bp.post("/sensors/<name>/dwell")
@security.needs(accounts.INSPECT)
def dwell(name: str) -> ResponseReturnValue:
    """Let a sensor stay on one channel for some seconds."""
    channel, seconds = request.form.get("channel", 0, type=int), request.form.get("seconds", 0, type=int)
    return _operate(
        name,
        accounts.INSPECT,
        lambda session, sensor: operations.dwell(session, page.user(), sensor, channel, seconds),
        gettext("The sensor will stay on channel %(channel)s when it hears this.", channel=channel),
    )


@bp.post("/sensors/<name>/test-signal")
@security.needs(accounts.INSPECT)
def test_signal(name: str) -> ResponseReturnValue:
    """Let a sensor send its test signal."""
    return _operate(
        name,
        accounts.INSPECT,
        lambda session, sensor: operations.send_test_signal(session, page.user(), sensor),
        gettext("The sensor will send its test signal for ten minutes when it hears this."),
    )


@bp.post("/sensors/<name>/settings")
@security.needs(accounts.MANAGE)
def settings(name: str) -> ResponseReturnValue:
    """Change settings of a sensor; a field that is left empty stays as it is."""
    changes = setting_fields.read(request.form)
    return _operate(
        name,
        accounts.MANAGE,
        lambda session, sensor: operations.change_settings(session, page.user(), sensor, changes),
        gettext("The sensor will try these settings. If it cannot connect with them, it takes them back."),
    )


@bp.post("/sensors/<name>/tables")
@security.needs(accounts.MANAGE)
def tables(name: str) -> ResponseReturnValue:
    """Send this server's signature tables to a sensor."""
    vault = current_app.extensions["vault"]
    return _operate(
        name,
        accounts.MANAGE,
        lambda session, sensor: operations.send_tables(session, vault, page.user(), sensor),
        gettext("The signature tables are on their way. The sensor uses those that are newer than its own."),
    )


@bp.post("/sensors/<name>/wipe")
@security.needs(accounts.MANAGE)
def wipe(name: str) -> ResponseReturnValue:
    """Let a sensor erase its key, settings and reports."""

    def erase(session, sensor):
        if request.form.get("really") != "yes":
            raise errors.Refused("erase_unconfirmed")
        operations.wipe(session, page.user(), sensor)

    return _operate(name, accounts.MANAGE, erase, gettext("The sensor will erase itself when it hears this."))


def _operate(name, right, operation, success):
    """Run an operation on a sensor, say how it went, and return to the sensor's page."""
    try:
        with page.sessions().begin() as session:
            operation(session, fleet.load(session, page.user(), name, right))
    except errors.Refused as error:
        page.flash_warning(page.refusal_text(error))
    else:
        page.flash_success(success)
    return redirect(url_for("sensors.show", name=name))


@bp.post("/sensors/<name>/place")
@security.needs(accounts.MANAGE)
def place(name: str) -> ResponseReturnValue:
    """Fix a sensor in a restroom, named by the code on its door; no code: it is carried."""
    code = ids.clean(request.form.get("restroom", "").rpartition("/")[2])
    with page.sessions()() as session:
        fleet.load(session, page.user(), name, accounts.MANAGE)  # else 404, not the message about a wrong code
    try:
        with page.sessions().begin() as session:
            sensor = fleet.load(session, page.user(), name, accounts.MANAGE)
            room = restrooms.load(session, page.user(), code, accounts.MANAGE) if code else None
            enrolment.place(session, sensor, room, page.user())
    except errors.NotFound:
        page.flash_warning(gettext("No restroom has this code. It is on the door sign, under the QR code."))
    except errors.Refused as error:
        page.flash_warning(page.refusal_text(error))
    else:
        page.flash_success(gettext("The place of the sensor is noted."))
    return redirect(url_for("sensors.show", name=name))


@bp.post("/sensors/<name>/revoke")
@security.needs(accounts.MANAGE)
def revoke(name: str) -> ResponseReturnValue:
    """Revoke a sensor permanently."""
    if request.form.get("really") != "yes":
        page.flash_warning(gettext("Nothing was done: tick the box to withdraw the sensor."))
        return redirect(url_for("sensors.show", name=name))
    with page.sessions().begin() as session:
        enrolment.revoke(session, fleet.load(session, page.user(), name, accounts.MANAGE), page.user())
    page.flash_success(gettext("The sensor is withdrawn: nothing is taken from it any more."))
    return redirect(url_for("sensors.show", name=name))


@bp.post("/sensors/<name>/claim")
@security.needs(accounts.MANAGE)
def rekey(name: str) -> ResponseReturnValue:
    """Show a claim code that gives this sensor another key."""
    try:
        with page.sessions().begin() as session:
            sensor = fleet.load(session, page.user(), name, accounts.MANAGE)
            return _show_code(claims.make(session, page.user(), sensor), sensor)
    except errors.Refused as error:
        page.flash_warning(page.refusal_text(error))
        return redirect(url_for("sensors.show", name=name))


@bp.post("/sensors/claims")
@security.needs(accounts.MANAGE)
def claim() -> ResponseReturnValue:
    """Show a claim code for a new sensor."""
    with page.sessions().begin() as session:
        return _show_code(claims.make(session, page.user()), None)


def _show_code(code, sensor):
    page.note_done()
    # In the answer to the form itself: an address with the code in it would stay in histories and logs.
    server = page.public_base()
    minutes = claims.LIFETIME_S // 60
    answer = render_template("sensors/claim.html", code=code, sensor=sensor, server=server, minutes=minutes)
    return answer, 200, {"Cache-Control": "no-store"}


def _silent_after_s():
    return current_app.extensions["settings"].silent_after_s
