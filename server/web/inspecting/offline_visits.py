"""
Inspecting without a network: the page a phone keeps, what it takes along, and what it hands over.

A phone of somebody who inspects registers the worker, which keeps the one page and its files, and shows that page when
another cannot be fetched, such as the one behind the code on a door in a basement. What is taken along are restrooms and
lists; what is written down stays on the phone until it is handed over, and is then wiped from it.
"""

import hashlib

from flask import Blueprint, current_app, jsonify, make_response, render_template, request, url_for
from flask_babel import get_locale, gettext
from pydantic import BaseModel, ConfigDict, Field

from ansim import VERSION
from server import clock, i18n, security
from server.services import errors
from server.services.inspecting import offline_visits
from server.services.people import accounts
from server.web import page
from server.wording import vocabulary

bp = Blueprint("offline", __name__)

STYLES = ("base", "layout", "components", "forms", "inspecting", "pages", "work")
SCRIPTS = ("offline/store.js", "offline/visit.js")
MOST_STALLS = 200


@bp.get("/offline")
@security.public
def shell():
    """The page a phone keeps. It holds nothing of anybody; in the language of who fetched it."""
    return render_template("inspecting/offline/shell.html", styles=STYLES, scripts=SCRIPTS)


@bp.get("/worker.js")
@security.public
def worker():
    """The service worker; its text changes when a file it keeps does, and browsers then fetch the files again."""
    asset = current_app.jinja_env.globals["asset"]
    files = [asset("favicon.svg"), *(asset(f"css/{name}.css") for name in STYLES), *(asset(name) for name in SCRIPTS)]
    source = current_app.jinja_env.loader.get_source(current_app.jinja_env, "inspecting/offline/shell.html")[0]
    digest = hashlib.sha256("\n".join([VERSION, source, *files]).encode()).hexdigest()[:12]
    answer = make_response(render_template("inspecting/offline/worker.js", files=files, digest=digest))
    answer.headers["Content-Type"] = "text/javascript; charset=utf-8"
    answer.headers["Cache-Control"] = "no-cache"
    return answer


@bp.get("/offline/kit")
@security.needs(accounts.INSPECT)
def kit():
    """
    What a phone takes along, as JSON; ?also= public ids of restrooms, by commas, of the page it looks at.

    {"user", "rooms": [{"id", "name", "about", "stalls", "list"}], "lists": {id: [{"key", "where", "text"}]},
     "standard": the list of rooms that are not here}
    """
    also = request.args.get("also", "").split(",")
    with page.sessions().begin() as session:  # a new program's list is written down when it is first asked for
        found = offline_visits.kit(session, page.user(), also)
        used = {one.public_id: one for one in (found.standard, *found.lists.values())}
        rooms = [
            {
                "id": room.public_id,
                "name": i18n.local_name(room),
                "about": f"{i18n.local_name(room.facility)} · {vocabulary.BLOCKS[room.block]}",
                "stalls": room.stalls,
                "list": found.lists[room.facility_id].public_id,
            }
            for room in found.rooms
        ]
        lists = {public_id: _items(one) for public_id, one in used.items()}
        return jsonify(user=page.user().public_id, rooms=rooms, lists=lists, standard=found.standard.public_id)


def _items(checklist):
    korean = get_locale().language == "ko"
    return [
        {
            "key": item["key"],
            "where": item["where"],
            "text": item["text"] if korean else item["text_en"] or item["text"],
        }
        for item in checklist.items
    ]


class VisitForm(BaseModel):
    """A visit as a phone hands it over; times are seconds of its own clock, `sent_s` is what it shows now."""

    model_config = ConfigDict(extra="forbid")

    key: str = Field(max_length=36)
    user: str = Field(max_length=40)
    room: str = Field(max_length=40)
    began_s: int = Field(ge=0, le=1 << 40)
    ended_s: int = Field(ge=0, le=1 << 40)
    sent_s: int = Field(ge=0, le=1 << 40)
    answers: dict[int, dict[str, tuple[str, str]]] = Field(default_factory=dict, max_length=MOST_STALLS + 1)
    lens: str = ""
    lens_note: str = Field("", max_length=1000)
    note: str = Field("", max_length=1000)


@bp.post("/offline/visits")
@security.needs(accounts.INSPECT)
def hand_over():
    """Take a visit over: 200 {"href"} of its inspection, or 4xx {"why"}; the phone then keeps it and says why."""
    sent = request.get_data(cache=False)
    try:
        if b"\\u0000" in sent:  # no database stores it
            raise ValueError
        form = VisitForm.model_validate_json(sent)
    except ValueError:  # ValidationError is one
        return _not_taken(400, gettext("What this phone sent cannot be read. Please write it down again."))
    if form.user != page.user().public_id:
        return _not_taken(409, gettext("Somebody else wrote this on this phone. It waits until they sign in here."))
    now_s = clock.now_s()
    ahead_s = form.sent_s - now_s  # a phone's clock may be wrong; how long ago it was is not
    visit = offline_visits.Visit(
        form.key,
        form.room,
        form.began_s - ahead_s,
        form.ended_s - ahead_s,
        form.answers,
        form.lens,
        form.lens_note,
        form.note,
    )
    try:
        with page.sessions().begin() as session:
            one = offline_visits.take(session, page.user(), visit, now_s)
            href = url_for("inspections.show", public_id=one.public_id)
    except errors.Refused as error:
        return _not_taken(409, page.refusal_text(error))
    except errors.NotFound:
        return _not_taken(404, gettext("There is no such restroom, or it is not one of yours."))
    except ValueError:
        return _not_taken(400, gettext("What this phone sent cannot be read. Please write it down again."))
    return jsonify(href=href)


def _not_taken(status, why):
    return jsonify(why=why), status
