"""Holes, and the photos of inspections, findings and holes."""

import io
from collections.abc import Callable

from apiflask import APIBlueprint
from flask import Response, current_app, send_file
from sqlalchemy.orm import Session

from server.api import PREFIX, authentication, responses, schemas
from server.models.photos import Hole, Photo
from server.services import errors
from server.services.findings import findings
from server.services.inspecting import holes, inspections, photos
from server.services.people import access_log, accounts

bp = APIBlueprint("holes", __name__, url_prefix=PREFIX)

_JPEG = {"description": "A JPEG", "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}


@bp.get("/holes")
@bp.input(schemas.HoleQuery, location="query")
@bp.output(schemas.HolePage)
@authentication.needs(accounts.SEE)
def index(query_data: schemas.HoleQuery) -> dict:
    """Holes that a lens could look through, newest first."""
    with authentication.sessions()() as session:
        page = holes.list_holes(
            session,
            authentication.user(),
            state=query_data.state,
            cursor=query_data.cursor or None,
            limit=query_data.limit,
        )
        return responses.page_out(page, hole_out)


@bp.get("/holes/<public_id>")
@bp.output(schemas.HoleOut)
@authentication.needs(accounts.SEE)
def show(public_id: str) -> dict:
    """One hole."""
    with authentication.sessions()() as session:
        return hole_out(holes.load(session, authentication.user(), public_id))


def _photo_list(load: Callable, column: str) -> Callable[[str], dict]:
    def view(public_id: str) -> dict:
        with authentication.sessions()() as session:
            owner = load(session, authentication.user(), public_id)
            return {"items": [photo_out(photo) for photo in photos.list_photos(session, **{column: owner.id})]}

    return view


for _path, _load, _column, _text in (
    ("inspections", inspections.load, "inspection_id", "The photos of an inspection."),
    ("findings", findings.load, "finding_id", "The photos of a finding."),
    ("holes", holes.load, "hole_id", "The photos of a hole."),
):
    _view = _photo_list(_load, _column)
    _view.__name__, _view.__doc__ = f"photos_of_{_path}", _text
    _view = bp.output(schemas.PhotosOut)(authentication.needs(accounts.SEE)(_view))
    bp.get(f"/{_path}/<public_id>/photos")(_view)


@bp.get("/photos/<public_id>")
@bp.input(schemas.PhotoQuery, location="query")
@bp.doc(responses={200: _JPEG})
@authentication.needs(accounts.SEE)
def photo(public_id: str, query_data: schemas.PhotoQuery) -> Response:
    """A photo without EXIF, as a JPEG of at most 1,600 pixels a side; `small`: 360. The access is recorded."""
    with authentication.sessions()() as session:
        data = _read(session, photos.load(session, authentication.user(), public_id), query_data.small)
    access_log.record(authentication.sessions(), authentication.user(), access_log.EXPORTED, f"photo {public_id}")
    return send_file(io.BytesIO(data), mimetype="image/jpeg")


def _read(session: Session, photo: Photo, small: bool) -> bytes:
    try:
        return photos.read_served(session, photos.folder(current_app.extensions["settings"]), photo, small)
    except errors.Refused as error:
        raise responses.Problem(410, error.code) from None


def hole_out(hole: Hole) -> dict:
    """Return a hole's JSON."""
    return {
        "id": hole.public_id,
        "restroom": hole.restroom.public_id,
        "facility": hole.restroom.facility.public_id,
        **{name: getattr(hole, name) for name in ("stall", "place", "found_s", "sticker_s", "ticket", "closed_s")},
    }


def photo_out(photo: Photo) -> dict:
    """Return a photo's JSON. `sha256` is of the file as received, as in the log."""
    columns = ("sha256", "size_bytes", "media_type", "width", "height", "kind", "note", "received_s")
    return {"id": photo.public_id, **{name: getattr(photo, name) for name in columns}}
