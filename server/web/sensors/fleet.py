"""Sensors: which there are, how they are, their self-test, place and key, and new versions for them."""

import re

from flask import Blueprint, Response, current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext

from ansim import messages
from server import clock, ids, security
from server.services import errors, freshness
from server.services.people import accounts
from server.services.places import restrooms
from server.services.sensors import claims, commands, enrolment
from server.services.sensors import fleet as fleet_service
from server.web import page
from server.web.sensors import presenters
from server.wording import selftest as selftest_words

bp = Blueprint("sensors", __name__)

COMMANDS_SHOWN = 8
GAPS_SHOWN = 5
SELFTEST_LIFETIME_S = 10 * 60
SHOWN_AGAIN_S = 60
ADDRESS = re.compile("[0-9a-f]{12}")


@bp.get("/sensors")
def index():
    """Sensors with what they last said; ?state= one of fleet.STATES, ?search= words, ?after= a name for the next page."""
    with page.sessions()() as session:
        now_s = clock.now_s()
        counts = fleet_service.counts(session, page.user(), now_s, _silent_after_s())
        return render_template("sensors/index.html", counts=counts, **_fleet(session))


@bp.get("/live/sensors")
def fleet():
    """The list alone, or 204 if nothing has changed since the mark ?since=."""
    with page.sessions()() as session:
        if request.args.get("since") == _mark(session):
            return Response(status=204)
        return render_template("sensors/_fleet.html", **_fleet(session))


def _fleet(session):
    state, search = request.args.get("state"), request.args.get("search", "").strip()[:100]
    asked = {"state": state if state in fleet_service.STATES else None, "search": search or None}
    after, silent_after_s = request.args.get("after", "")[:40], _silent_after_s()
    found = fleet_service.page(
        *(session, page.user(), clock.now_s(), silent_after_s, asked["state"] or "", search, after, page.PER_PAGE + 1)
    )
    found, more = found[: page.PER_PAGE], len(found) > page.PER_PAGE
    return {
        "rows": [presenters.summary(one, silent_after_s) for one in found],
        "health": fleet_service.health(session, found),
        "since": _mark(session),
        "asked": {**asked, "after": after or None},
        "older": url_for("sensors.index", **asked, after=found[-1].name) if more else None,
    }


def _mark(session):
    # A sensor turns silent by time alone, and that should show without anything having come.
    return f"{freshness.sensors_mark(session)}.{clock.now_s() // SHOWN_AGAIN_S}"


@bp.get("/sensors/<name>")
def show(name):
    """One sensor: health, last self-test, messages, commands, place and key."""
    now_s = clock.now_s()
    with page.sessions()() as session:
        one = enrolment.sensor(session, name, page.user())
        tested = enrolment.last_selftest(session, one)
        return render_template(
            "sensors/show.html",
            one=presenters.summary(one, _silent_after_s()),
            info=one.info or {},
            selftest=tested,
            selftest_rows=selftest_words.rows(tested.checks) if tested else [],
            tallies=enrolment.tallies(session, one),
            gaps=enrolment.gaps(session, one)[:GAPS_SHOWN],
            clock_error_s=enrolment.clock_error_s(session, one),
            commands=[(row, commands.waits_s(row, now_s)) for row in commands.recent(session, one, COMMANDS_SHOWN)],
        )


@bp.post("/sensors/<name>/selftest")
@security.needs(accounts.INSPECT)
def selftest(name):
    """Ask a sensor to test itself, and to find the test signal of another one if its address is given."""
    given = request.form.get("emitter", "").strip().lower().replace("-", "").replace(":", "")
    if given and not ADDRESS.fullmatch(given):
        flash(gettext("An address has 12 digits from 0 to 9 and a to f, such as 24:6f:28:aa:bb:01."), "warn")
        return redirect(url_for("sensors.show", name=name))
    args = {"emitter": ":".join(given[at : at + 2] for at in range(0, 12, 2))} if given else {}
    with page.sessions().begin() as session:
        one = enrolment.sensor(session, name, page.user(), accounts.INSPECT)
        commands.send(session, one, messages.RUN_SELFTEST, args, page.user(), SELFTEST_LIFETIME_S)
    page.flash_success(gettext("The sensor will test itself when it hears this; the result appears here."))
    return redirect(url_for("sensors.show", name=name))


@bp.post("/sensors/<name>/restart")
@security.needs(accounts.MANAGE)
def restart(name):
    """Ask a sensor to start anew."""
    with page.sessions().begin() as session:
        one = enrolment.sensor(session, name, page.user(), accounts.MANAGE)
        commands.send(session, one, messages.RESTART, {}, page.user(), SELFTEST_LIFETIME_S)
    page.flash_success(gettext("The sensor will restart when it hears this."))
    return redirect(url_for("sensors.show", name=name))


@bp.post("/sensors/<name>/place")
@security.needs(accounts.MANAGE)
def place(name):
    """Fix a sensor in a restroom, named by the code on its door; no code: it is carried."""
    code = ids.clean(request.form.get("restroom", "").rpartition("/")[2])
    with page.sessions()() as session:
        enrolment.sensor(session, name, page.user(), accounts.MANAGE)  # a sensor of somebody else's is no wrong code
    try:
        with page.sessions().begin() as session:
            one = enrolment.sensor(session, name, page.user(), accounts.MANAGE)
            room = restrooms.load(session, page.user(), code, accounts.MANAGE) if code else None
            enrolment.place(session, one, room, page.user())
    except errors.NotFound:
        flash(gettext("No restroom has this code. It is on the door sign, under the QR code."), "warn")
    except errors.Refused as error:
        flash(page.refusal_text(error), "warn")
    else:
        page.flash_success(gettext("The place of the sensor is noted."))
    return redirect(url_for("sensors.show", name=name))


@bp.post("/sensors/<name>/revoke")
@security.needs(accounts.MANAGE)
def revoke(name):
    """Cut a sensor off for good."""
    if request.form.get("really") != "yes":
        flash(gettext("Nothing was done: tick the box to withdraw the sensor."), "warn")
        return redirect(url_for("sensors.show", name=name))
    with page.sessions().begin() as session:
        enrolment.revoke(session, enrolment.sensor(session, name, page.user(), accounts.MANAGE), page.user())
    page.flash_success(gettext("The sensor is withdrawn: nothing is taken from it any more."))
    return redirect(url_for("sensors.show", name=name))


@bp.post("/sensors/<name>/claim")
@security.needs(accounts.MANAGE)
def rekey(name):
    """Show a claim code that gives this sensor another key."""
    try:
        with page.sessions().begin() as session:
            one = enrolment.sensor(session, name, page.user(), accounts.MANAGE)
            return _show_code(claims.make(session, page.user(), one), one)
    except errors.Refused as error:
        flash(page.refusal_text(error), "warn")
        return redirect(url_for("sensors.show", name=name))


@bp.post("/sensors/claims")
@security.needs(accounts.MANAGE)
def claim():
    """Show a claim code for a new sensor."""
    with page.sessions().begin() as session:
        return _show_code(claims.make(session, page.user()), None)


def _show_code(code, one):
    # In the answer to the form itself: an address with the code in it would stay in histories and logs.
    server = current_app.extensions["settings"].public_url or request.host_url.rstrip("/")
    minutes = claims.LIFETIME_S // 60
    answer = render_template("sensors/claim.html", code=code, sensor=one, server=server, minutes=minutes)
    return answer, 200, {"Cache-Control": "no-store"}


def _silent_after_s():
    return current_app.extensions["settings"].silent_after_s
