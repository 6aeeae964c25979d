"""Photos: add them, and serve the copies that pages show."""

import io
from collections.abc import Callable
from pathlib import Path

from flask import Blueprint, abort, current_app, redirect, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy.orm import Session

from server import security
from server.models.photos import EYE, FINDING, HOLE
from server.services import errors
from server.services.findings import findings
from server.services.inspecting import holes, inspections, photos
from server.services.people import accounts
from server.web import page

bp = Blueprint("photos", __name__)

SUFFIXES = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "image/heic": "heic",
    "image/avif": "avif",
}


def folder() -> Path:
    """Return the folder of this installation's photos."""
    return photos.folder(current_app.extensions["settings"])


def read_photo(name: str = "photo") -> photos.Received | None:
    """
    Return a photo in the form, None for none. Call it outside of a transaction.

    Raises Refused, see photos.receive().
    """
    file = request.files.get(name)
    data = file.read(photos.MOST_BYTES + 1) if file else b""
    return photos.receive(data) if data else None


@bp.post("/inspections/<inspection>/photos")
@security.needs(accounts.INSPECT)
def of_inspection(inspection: str) -> ResponseReturnValue:
    """Add a photo to a running inspection."""

    def load(session):
        row = inspections.load(session, page.user(), inspection, accounts.INSPECT)
        return row.restroom.facility_id, {"inspection": row}

    return _add(load, EYE, url_for("inspections.show", public_id=inspection, _anchor="photos"))


@bp.post("/holes/<hole>/photos")
@security.needs(accounts.INSPECT)
def of_hole(hole: str) -> ResponseReturnValue:
    """Add a photo to a hole."""

    def load(session):
        row = holes.load(session, page.user(), hole, accounts.INSPECT)
        return row.restroom.facility_id, {"hole": row}

    return _add(load, HOLE, url_for("holes.show", hole=hole))


@bp.post("/findings/<finding>/photos")
@security.needs(accounts.DISPOSE)
def of_finding(finding: str) -> ResponseReturnValue:
    """Add a photo to a finding."""

    def load(session):
        row = findings.load(session, page.user(), finding, accounts.DISPOSE)
        if row.restroom is None:
            abort(404)
        return row.restroom.facility_id, {"finding": row}

    return _add(load, FINDING, url_for("findings.show", public_id=finding, _anchor="photos"))


def _note() -> str:
    return page.form_text("note", 200)


def _add(load: Callable[[Session], tuple[int, dict]], kind: str, back: str):
    """Add the photo of the form. load: returns the facility's row number and what the photo is of."""
    # Before the photo is read: a foreign object is answered like an unknown one, and costs no decoding.
    with page.sessions()() as session:
        load(session)
    try:
        received = read_photo()
        if received is None:
            raise errors.Refused("photo_empty")
        with page.sessions().begin() as session:
            facility_id, subject = load(session)
            photos.add(session, folder(), received, page.user(), kind, facility_id, _note(), **subject)
    except errors.Refused as error:
        page.flash_error(page.refusal_text(error))
    else:
        page.flash_success(gettext("The photo has been kept."))
    return redirect(back)


@bp.get("/photos/<photo>.jpg")
def served(photo: str) -> ResponseReturnValue:
    """A photo as pages show it, without EXIF; ?small=1 for a small one."""
    with page.sessions()() as session:
        row = photos.load(session, page.user(), photo)
        data = _unchanged(photos.read_served, session, folder(), row, bool(request.args.get("small")))
    return send_file(io.BytesIO(data), mimetype="image/jpeg")


@bp.get("/photos/<photo>/original")
@security.needs(accounts.MANAGE)
def original(photo: str) -> ResponseReturnValue:
    """The file as received, EXIF included: evidence, so for managers only."""
    with page.sessions()() as session:
        row = photos.load(session, page.user(), photo, accounts.MANAGE)
        data = _unchanged(photos.read_original, session, folder(), row)
        name = f"{row.public_id}.{SUFFIXES[row.media_type]}"
    return send_file(io.BytesIO(data), mimetype="application/octet-stream", as_attachment=True, download_name=name)


def _unchanged(read: Callable[..., bytes], *arguments) -> bytes:
    try:
        return read(*arguments)
    except errors.Refused:
        abort(410)
