"""
Photos of empty rooms: the original as it came, with its SHA-256, and copies without the camera's notes.

    taken = photos.take(session, photos.folder(settings), data, user, photos_model.HOLE, hole=hole)
    photos.served(folder, taken, small=True)          # path of a JPEG that may leave the server

An original may hold a place and a person's device in its EXIF, so pages get a copy that was drawn anew. Originals
lie under <data>/photos/original, named by their digest; the same photo twice is one file and two rows.
"""

import hashlib
import io
import os
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from server import clock
from server.models.inspections import Inspection
from server.models.photos import BEFORE, PHOTO_KINDS, Photo
from server.services.audit import log
from server.services.errors import NotFound, Refused

MOST_BYTES = 12 << 20
MOST_PIXELS = 60_000_000  # phones have up to 50 million; what unpacks to more is no photo
SERVED_PIXELS = 1600  # the longer side of the copies
SMALL_PIXELS = 360
TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
MOST_A_RECORD = 40


def folder(settings) -> Path:
    """Where photos lie."""
    return settings.data / "photos"


def take(
    session: Session,
    place: Path,
    data: bytes,
    user,
    kind: str,
    facility_id: int,
    note: str = "",
    inspection=None,
    hole=None,
    finding=None,
    action=None,
) -> Photo:
    """
    Keep a photo that belongs to exactly the things given; return its row.

    data  the file as it was received
    kind  one of models.photos.PHOTO_KINDS
    Raises Refused: photo_empty, photo_too_large(most), photo_type_bad, photo_broken, photo_too_many(most), finished.
    """
    if kind not in PHOTO_KINDS:
        raise ValueError(f"{kind!r} is none of {', '.join(PHOTO_KINDS)}")
    if inspection is not None:
        inspection = session.get(Inspection, inspection.id, with_for_update=True, populate_existing=True)
        if inspection.result is not None:
            raise Refused("finished")
    owners = {"inspection_id": inspection, "hole_id": hole, "finding_id": finding, "action_id": action}
    owners = {name: owner.id if owner is not None else None for name, owner in owners.items()}
    there = select(Photo.id).filter_by(**{name: number for name, number in owners.items() if number is not None})
    if len(session.scalars(there.limit(MOST_A_RECORD)).all()) >= MOST_A_RECORD:
        raise Refused("photo_too_many", most=MOST_A_RECORD)
    digest = hashlib.sha256(data).hexdigest()
    media_type, width, height = _keep(place, digest, data)
    added = Photo(
        sha256=digest,
        size_bytes=len(data),
        media_type=media_type,
        width=width,
        height=height,
        kind=kind,
        note=note.strip()[:200],
        facility_id=facility_id,
        received_s=clock.now_s(),
        by_id=user.id if user else None,
        **owners,
    )
    session.add(added)
    session.flush()
    body = {"sha256": digest, "bytes": len(data), "kind": kind}
    subject = next((one.public_id for one in (inspection, hole, finding, action) if one is not None), "")
    if subject:
        body["of"] = subject
    log.add(session, "photo.taken", added.public_id, body, user, {"note": added.note} if added.note else None)
    return added


def photo(session: Session, public_id: str) -> Photo:
    """Return a photo's row. Raises NotFound."""
    found = session.scalar(select(Photo).where(Photo.public_id == public_id))
    if found is None:
        raise NotFound("photo")
    return found


def photos_of(session: Session, **owner) -> list[Photo]:
    """The photos of one record, oldest first: photos_of(session, inspection_id=7). A list of numbers is allowed."""
    ((name, value),) = owner.items()
    column = getattr(Photo, name)
    wanted = select(Photo).where(column.in_(value) if isinstance(value, list) else column == value)
    return list(session.scalars(wanted.where(Photo.removed_s.is_(None)).order_by(Photo.id)))


def original(place: Path, one: Photo) -> Path:
    """The file as it was received. Raises NotFound if its bytes are gone."""
    return _there(_original_path(place, one.sha256))


def served(place: Path, one: Photo, small: bool = False) -> Path:
    """The copy that may leave the server, drawn again if it is missing. Raises NotFound if the bytes are gone."""
    path = _served_path(place, one.sha256, small)
    if one.removed_s is not None:
        raise NotFound("photo")
    if not path.exists():
        _draw_copies(place, one.sha256, _open(original(place, one).read_bytes()))
    return path


def intact(place: Path, one: Photo) -> bool:
    """True if the original is still what was received."""
    return hashlib.sha256(original(place, one).read_bytes()).hexdigest() == one.sha256


def remove(session: Session, place: Path, ones, why: str = "retention") -> int:
    """Delete the bytes of photos and say so in the log; the rows and digests stay. Returns how many."""
    ones = [one for one in ones if one.removed_s is None]
    if not ones:
        return 0
    now_s, numbers = clock.now_s(), [one.id for one in ones]
    session.execute(update(Photo).where(Photo.id.in_(numbers)).values(removed_s=now_s, note=""))
    digests = {one.sha256 for one in ones}
    kept = set(session.scalars(select(Photo.sha256).where(Photo.sha256.in_(digests), Photo.removed_s.is_(None))))
    for one in ones:
        log.add(session, "photo.removed", one.public_id, {"sha256": one.sha256, "why": why})
    for digest in digests - kept:
        for path in (
            _original_path(place, digest),
            _served_path(place, digest, False),
            _served_path(place, digest, True),
        ):
            path.unlink(missing_ok=True)
    return len(ones)


def before_and_after(photos: list[Photo]) -> dict:
    """{action row: ([before], [after])} of the photos of actions."""
    pairs = {}
    for one in photos:
        pairs.setdefault(one.action_id, ([], []))[0 if one.kind == BEFORE else 1].append(one)
    return pairs


def _keep(place, digest, data):
    """Check the bytes, write the original and the copies; return (media type, width, height)."""
    if not data:
        raise Refused("photo_empty")
    if len(data) > MOST_BYTES:
        raise Refused("photo_too_large", most=MOST_BYTES >> 20)
    image = _open(data)
    facts = TYPES[image.format], image.width, image.height
    _draw_copies(place, digest, image)
    _write(_original_path(place, digest), data)
    return facts


def _open(data):
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(io.BytesIO(data), formats=list(TYPES))
        if image.width * image.height > MOST_PIXELS:
            raise Refused("photo_too_large", most=MOST_BYTES >> 20)
        image.load()
    except UnidentifiedImageError:
        raise Refused("photo_type_bad") from None
    except Image.DecompressionBombError:
        raise Refused("photo_too_large", most=MOST_BYTES >> 20) from None
    except (OSError, ValueError, SyntaxError):  # cut off, or not what its beginning says
        raise Refused("photo_broken") from None
    return image


def _draw_copies(place, digest, image):
    from PIL import Image, ImageOps

    # Turned as the camera was held, then drawn on a new picture: what is not a pixel stays behind.
    turned = ImageOps.exif_transpose(image).convert("RGB")
    for small, most in ((False, SERVED_PIXELS), (True, SMALL_PIXELS)):
        turned.thumbnail((most, most), Image.Resampling.LANCZOS)
        plain = Image.new("RGB", turned.size)
        plain.paste(turned)
        drawn = io.BytesIO()
        plain.save(drawn, "JPEG", quality=82, optimize=True)
        _write(_served_path(place, digest, small), drawn.getvalue())


def _write(path, data):
    """Write a file whole or not at all, for this user only."""
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _there(path):
    if not path.exists():
        raise NotFound("photo")
    return path


def _original_path(place, digest):
    return place / "original" / digest[:2] / digest


def _served_path(place, digest, small):
    return place / ("small" if small else "served") / digest[:2] / f"{digest}.jpg"
