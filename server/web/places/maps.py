"""The map of restrooms: overdue ones and open findings at a glance."""

from urllib.parse import urlsplit

from flask import Blueprint, abort, current_app, jsonify, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from server import clock, i18n, response_headers
from server.services.places import maps
from server.web import page
from server.web.places import presenters
from server.wording import vocabulary

bp = Blueprint("maps", __name__)

EVERYWHERE = "-90,-180,90,180"
FINDINGS, OVERDUE, FINE = "findings", "overdue", "fine"  # states of a mark on the map; the first that applies


@bp.get("/map")
def index() -> ResponseReturnValue:
    """The map, at first showing all restrooms."""
    settings = current_app.extensions["settings"]
    with page.sessions()() as session:
        box = maps.extent(session, page.user())
    response = make_response(
        render_template("places/map.html", box=box, tiles=settings.map_tiles, credit=settings.map_credit)
    )
    if settings.map_tiles:
        response.headers["Content-Security-Policy"] = response_headers.content_security_policy(
            _origin(settings.map_tiles)
        )
    return response


@bp.get("/map/places")
def places() -> ResponseReturnValue:
    """
    The restrooms in view, as JSON: ?box=south,west,north,east in degrees; without it all of them.

    {"sentence", "spots": [{"at", "state", "rooms": [{"name", "about", "href", "state", "says"}]}],
     "groups": [{"at", "state", "rooms", "says", "box"}]}; one of the two lists is empty
    """
    box = _box(request.args.get("box") or EVERYWHERE)
    now_s = clock.now_s()
    with page.sessions()() as session:
        spots = maps.list_spots(session, page.user(), box)
        groups = maps.list_groups(session, page.user(), box, now_s) if spots is None else []
        marks = [_spot(spot, now_s) for spot in spots or ()]
    rooms = [room for spot in marks for room in spot["rooms"]]
    counts = (
        len(rooms) + sum(group.rooms for group in groups),
        sum(room["overdue"] for room in rooms) + sum(group.overdue for group in groups),
        sum(room["state"] == FINDINGS for room in rooms) + sum(group.findings for group in groups),
    )
    return jsonify(sentence=_sentence(*counts), spots=marks, groups=[_group(group) for group in groups])


def _spot(spot, now_s):
    rooms = [_room(room, has_findings, now_s) for room, has_findings in spot.rooms]
    states = {room["state"] for room in rooms}
    return {
        "at": [spot.latitude, spot.longitude],
        "state": next(state for state in (FINDINGS, OVERDUE, FINE) if state in states),
        "rooms": rooms,
    }


def _room(room, has_findings, now_s):
    due = presenters.due(room, now_s)
    state = FINDINGS if has_findings else OVERDUE if due.overdue else FINE
    return {
        "name": i18n.local_name(room),
        "about": f"{i18n.local_name(room.facility)} · {vocabulary.BLOCKS[room.block]}",
        "href": url_for("places.show", public_id=room.public_id),
        "state": state,
        "overdue": due.overdue,
        "says": gettext("Open findings") if has_findings else due.text,
    }


def _group(group):
    return {
        "at": [group.latitude, group.longitude],
        "state": FINDINGS if group.findings else OVERDUE if group.overdue else FINE,
        "rooms": group.rooms,
        "says": _sentence(group.rooms, group.overdue, group.findings),
        "box": group.box,
    }


def _sentence(rooms, overdue, findings):
    parts = [ngettext("%(num)s restroom", "%(num)s restrooms", rooms)]
    if overdue:
        parts.append(gettext("%(number)s overdue", number=overdue))
    if findings:
        parts.append(gettext("%(number)s with open findings", number=findings))
    return " · ".join(parts)


def _box(text):
    """Return the box of the request; answer 400 if it is not one."""
    try:
        south, west, north, east = (float(part) for part in text.split(","))
    except ValueError:
        abort(400)
    # Written so that "nan" is refused as well.
    if not (-90 <= south <= north <= 90 and -360 <= west <= east <= 360):
        abort(400)
    return maps.Box(south, west, north, east)


def _origin(tiles):
    parts = urlsplit(tiles.replace("{s}", "*"))
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
