"""Sensors: which there are, how they are, and their self-test."""

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from flask_babel import gettext

from ansim import report
from server import clock, security
from server.services import changes, commands, people, sensors
from server.web import facts, page

bp = Blueprint("sensors", __name__)

COMMANDS_SHOWN = 8
SELFTEST_LIFETIME_S = 10 * 60
SHOWN_AGAIN_S = 60


@bp.get("/sensors")
def index():
    """All sensors with what they last said about themselves."""
    with page.store()() as session:
        return render_template("sensors/index.html", **_fleet(session))


@bp.get("/live/sensors")
def fleet():
    """The list alone, or 204 if nothing has changed since the mark ?since=."""
    with page.store()() as session:
        if request.args.get("since") == _mark(session):
            return Response(status=204)
        return render_template("sensors/_fleet.html", **_fleet(session))


def _fleet(session):
    rows = [facts.sensor(one, _silent_after_s()) for one in sensors.list_sensors(session)]
    return {"rows": rows, "since": _mark(session)}


def _mark(session):
    # A sensor turns silent by time alone, and that should show without anything having come.
    return f"{changes.sensors_mark(session)}.{clock.now_s() // SHOWN_AGAIN_S}"


@bp.get("/sensors/<name>")
def show(name):
    """One sensor: health, last self-test, messages, commands."""
    with page.store()() as session:
        one = sensors.sensor(session, name)
        return render_template(
            "sensors/show.html",
            one=facts.sensor(one, _silent_after_s()),
            info=one.info or {},
            selftest=sensors.last_selftest(session, one),
            tallies=sensors.tallies(session, one),
            commands=commands.recent(session, one, COMMANDS_SHOWN),
        )


@bp.post("/sensors/<name>/selftest")
@security.needs(people.INSPECT)
def selftest(name):
    """Ask a sensor to test itself."""
    with page.store().begin() as session:
        one = sensors.sensor(session, name)
        commands.send(session, one, report.RUN_SELFTEST, {}, page.user(), SELFTEST_LIFETIME_S)
    page.said(gettext("The sensor will test itself when it hears this; the result appears here."))
    return redirect(url_for("sensors.show", name=name))


def _silent_after_s():
    return current_app.extensions["settings"].silent_after_s
