"""Photos: taking them, and the copies that pages show."""

from flask import Blueprint, abort, current_app, redirect, request, send_file, url_for
from flask_babel import gettext

from server import security
from server.models.photos import EYE, FINDING, HOLE
from server.services import errors
from server.services.inspecting import photos
from server.services.people import accounts
from server.web import page, reach

bp = Blueprint("photos", __name__)

SUFFIXES = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}


def folder():
    """Where this installation's photos lie."""
    return photos.folder(current_app.extensions["settings"])


def sent() -> bytes:
    """The bytes of the photo that came with the form, b"" for none."""
    file = request.files.get("photo")
    return file.read(photos.MOST_BYTES + 1) if file else b""


def _note():
    return request.form.get("note", "").strip()[:200]


@bp.post("/inspections/<inspection>/photos")
@security.needs(accounts.INSPECT)
def of_inspection(inspection):
    """Add a photo to a running inspection."""
    back = url_for("inspections.show", public_id=inspection, _anchor="photos")

    def take(session):
        one = reach.inspection(session, inspection, accounts.INSPECT)
        where = one.restroom.facility_id
        photos.take(session, folder(), sent(), page.user(), EYE, where, _note(), inspection=one)

    return _taken(take, back)


@bp.post("/holes/<hole>/photos")
@security.needs(accounts.INSPECT)
def of_hole(hole):
    """Add a photo to a hole."""

    def take(session):
        one = reach.hole(session, hole, accounts.INSPECT)
        photos.take(session, folder(), sent(), page.user(), HOLE, one.restroom.facility_id, _note(), hole=one)

    return _taken(take, url_for("holes.show", hole=hole))


@bp.post("/findings/<finding>/photos")
@security.needs(accounts.DISPOSE)
def of_finding(finding):
    """Add a photo to a finding."""

    def take(session):
        one = reach.finding(session, finding, accounts.DISPOSE)
        if one.restroom is None:
            abort(404)
        photos.take(session, folder(), sent(), page.user(), FINDING, one.restroom.facility_id, _note(), finding=one)

    return _taken(take, url_for("findings.show", public_id=finding, _anchor="photos"))


def _taken(take, back):
    try:
        with page.sessions().begin() as session:
            take(session)
    except errors.Refused as error:
        page.flash_error(page.refusal_text(error))
    else:
        page.flash_success(gettext("The photo has been kept."))
    return redirect(back)


@bp.get("/photos/<photo>.jpg")
def served(photo):
    """A photo as pages show it, without the camera's notes; ?small=1 for a small one."""
    with page.sessions()() as session:
        one = reach.photo(session, photo)
        path = photos.served(folder(), one, small=bool(request.args.get("small")))
    return send_file(path, mimetype="image/jpeg")


@bp.get("/photos/<photo>/original")
@security.needs(accounts.MANAGE)
def original(photo):
    """The file as it was received, with everything the camera wrote into it: evidence, so for managers only."""
    with page.sessions()() as session:
        one = reach.photo(session, photo, accounts.MANAGE)
        path = photos.original(folder(), one)
        name = f"{one.public_id}.{SUFFIXES[one.media_type]}"
    return send_file(path, mimetype="application/octet-stream", as_attachment=True, download_name=name)
