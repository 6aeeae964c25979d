"""
Inspecting without a network: the offline page, the kit a phone takes along, and the visits it hands over.

An inspector's phone registers the service worker, which caches the offline page and its files, and shows that page when
another cannot be fetched, such as the one behind the code on a door in a basement. The kit holds restrooms and
checklists; visits stay on the phone until they are handed over, and are then wiped from it.
"""

import hashlib

from flask import Blueprint, current_app, jsonify, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from pydantic import BaseModel, ConfigDict, Field

from ansim import VERSION
from server import clock, i18n, security
from server.services import errors
from server.services.inspecting import offline_visits
from server.services.people import accounts
from server.web import assets, page
from server.wording import vocabulary

bp = Blueprint("offline", __name__)

SCRIPTS = ("offline/store.js", "offline/visit.js")
MOST_STALLS = 200


@bp.get("/offline")
@security.public
def shell() -> ResponseReturnValue:
    """The offline page. It holds no personal data, and is in the language of the person who fetched it."""
    return render_template("inspecting/offline/shell.html", scripts=SCRIPTS)


@bp.get("/worker.js")
@security.public
def worker() -> ResponseReturnValue:
    """The service worker. Its text changes when a file it caches does, so that browsers fetch the files again."""
    env = current_app.jinja_env
    asset = env.globals["asset"]
    files = [asset(name) for name in ("favicon.svg", assets.STYLESHEET, *SCRIPTS)]
    source = env.loader.get_source(env, "inspecting/offline/shell.html")[0] if env.loader else ""
    digest = hashlib.sha256("\n".join([VERSION, source, *files]).encode()).hexdigest()[:12]
    answer = make_response(render_template("inspecting/offline/worker.js", files=files, digest=digest))
    answer.headers["Content-Type"] = "text/javascript; charset=utf-8"
    answer.headers["Cache-Control"] = "no-cache"
    return answer


@bp.get("/offline/kit")
@security.needs(accounts.INSPECT)
def kit() -> ResponseReturnValue:
    """
    The kit of a phone, as JSON; ?also= public ids of restrooms, separated by commas, of the page it shows.

    {"user", "rooms": [{"id", "name", "about", "stalls", "list"}], "lists": {id: [{"key", "where", "text"}]},
     "standard": the checklist of restrooms that are not in the kit}
    """
    also = request.args.get("also", "").split(",")
    with page.sessions().begin() as session:  # the built-in checklist of a new program is stored when first used
        kit = offline_visits.load_kit(session, page.user(), also)
        lists = {checklist.public_id: checklist for checklist in (kit.standard, *kit.lists.values())}
        rooms = [
            {
                "id": room.public_id,
                "name": i18n.local_name(room),
                "about": f"{i18n.local_name(room.facility)} · {vocabulary.BLOCKS[room.block]}",
                "stalls": room.stalls,
                "list": kit.lists[room.facility_id].public_id,
            }
            for room in kit.rooms
        ]
        return jsonify(
            user=page.user().public_id,
            rooms=rooms,
            lists={public_id: _items_out(checklist) for public_id, checklist in lists.items()},
            standard=kit.standard.public_id,
        )


def _items_out(checklist):
    is_korean = i18n.language() == "ko"
    return [
        {
            "key": item["key"],
            "where": item["where"],
            "text": item["text"] if is_korean else item["text_en"] or item["text"],
        }
        for item in checklist.items
    ]


class VisitForm(BaseModel):
    """A visit as a phone sends it. Times are seconds of its own clock; `sent_s` is the present one."""

    model_config = ConfigDict(extra="forbid")

    key: str = Field(max_length=36)
    user: str = Field(max_length=40)
    room: str = Field(max_length=40)
    began_s: int = Field(ge=0, le=1 << 40)
    ended_s: int = Field(ge=0, le=1 << 40)
    sent_s: int = Field(ge=0, le=1 << 40)
    # {stall: {key: [answer, note, when it was written]}}; phones of an older version send no time
    answers: dict[int, dict[str, tuple[str, str] | tuple[str, str, int]]] = Field(
        default_factory=dict, max_length=MOST_STALLS + 1
    )
    lens: str = ""
    lens_at_s: int = Field(0, ge=0, le=1 << 40)
    lens_note: str = Field("", max_length=1000)
    note: str = Field("", max_length=1000)


@bp.post("/offline/visits")
@security.needs(accounts.INSPECT)
def hand_over() -> ResponseReturnValue:
    """Store a visit: 200 {"href"} of its inspection, or 4xx {"why"}; the phone then keeps the visit and shows why."""
    body = request.get_data(cache=False)
    try:
        if b"\\u0000" in body:  # no database stores it
            raise ValueError
        form = VisitForm.model_validate_json(body)
    except ValueError:  # ValidationError is one
        return _refusal(400, gettext("What this phone sent cannot be read. Please write it down again."))
    if form.user != page.user().public_id:
        return _refusal(409, gettext("Somebody else wrote this on this phone. It waits until they sign in here."))
    now_s = clock.now_s()
    ahead_s = form.sent_s - now_s  # a phone's clock may be wrong, but its intervals are right
    visit = offline_visits.Visit(
        key=form.key,
        room=form.room,
        began_s=form.began_s - ahead_s,
        ended_s=form.ended_s - ahead_s,
        answers={stall: _read_answers(part, ahead_s) for stall, part in form.answers.items()},
        lens=form.lens,
        lens_note=form.lens_note,
        note=form.note,
        lens_at_s=max(0, form.lens_at_s - ahead_s) if form.lens_at_s else 0,
    )
    try:
        with page.sessions().begin() as session:
            inspection = offline_visits.store(session, page.user(), visit, now_s)
            href = url_for("inspections.show", public_id=inspection.public_id)
    except errors.Refused as error:
        return _refusal(409, page.refusal_text(error))
    except errors.NotFound:
        return _refusal(404, gettext("There is no such restroom, or it is not one of yours."))
    except ValueError:
        return _refusal(400, gettext("What this phone sent cannot be read. Please write it down again."))
    return jsonify(href=href)


def _read_answers(part, ahead_s):
    """Return {key: (answer, note, when it was written by the server's clock; 0: unknown)} of one place."""
    return {
        key: (word, note, max(0, at_s[0] - ahead_s) if at_s and 0 < at_s[0] <= 1 << 40 else 0)
        for key, (word, note, *at_s) in part.items()
    }


def _refusal(status, why):
    return jsonify(why=why), status
