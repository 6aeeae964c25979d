"""
Photos of empty rooms: the original as received, with its SHA-256, and copies without EXIF.

    photo = photos.add(session, photos.folder(settings), data, user, HOLE, facility_id, hole=hole)
    photos.served_path(folder, photo, small=True)          # path of a JPEG that may leave the server

The EXIF of an original may name a place and a person's device, so pages get a re-encoded copy. Originals are stored in
<data>/photos/original, named by their digest; the same photo twice is one file and two rows.
"""

import hashlib
import io
import os
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from server import clock, db
from server.config import Settings
from server.models.campaigns import CampaignAction
from server.models.findings import Finding
from server.models.inspections import Inspection
from server.models.photos import BEFORE, PHOTO_KINDS, Hole, Photo
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.people import access, accounts
from server.services.people.accounts import Actor

MOST_BYTES = 12 << 20
MOST_PIXELS = 60_000_000  # phones have up to 50 million; a file that unpacks to more is no photo
SERVED_PIXELS = 1600  # the longer side of the copies
SMALL_PIXELS = 360
TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
MOST_A_RECORD = 40


def folder(settings: Settings) -> Path:
    """Return the folder of an installation's photos."""
    return settings.data / "photos"


def load(session: Session, user: Actor, public_id: str, right: str = accounts.SEE) -> Photo:
    """Return a photo's row. Raises NotFound, also without the right at its facility."""
    photo = session.scalar(select(Photo).where(Photo.public_id == public_id))
    if photo is None or not access.may(session, user, right, photo.facility_id):
        raise NotFound("photo")
    return photo


def list_photos(session: Session, **owner: int | list[int]) -> list[Photo]:
    """Return the photos of one record, oldest first: list_photos(session, inspection_id=7); or of several: [7, 8]."""
    ((name, value),) = owner.items()
    column = getattr(Photo, name)
    query = select(Photo).where(column.in_(value) if isinstance(value, list) else column == value)
    return list(session.scalars(query.where(Photo.removed_s.is_(None)).order_by(Photo.id)))


def add(
    session: Session,
    folder: Path,
    data: bytes,
    user: Actor,
    kind: str,
    facility_id: int,
    note: str = "",
    inspection: Inspection | None = None,
    hole: Hole | None = None,
    finding: Finding | None = None,
    action: CampaignAction | None = None,
) -> Photo:
    """
    Store a photo of an inspection, hole, finding or campaign action; return its row.

    data  the file as received
    kind  one of models.photos.PHOTO_KINDS
    Raises Refused: photo_empty, photo_too_large(most), photo_type_bad, photo_broken, photo_too_many(most), finished.
    """
    if kind not in PHOTO_KINDS:
        raise ValueError(f"{kind!r} is none of {', '.join(PHOTO_KINDS)}")
    if inspection is not None:
        inspection = db.lock_row(session, inspection)
        if inspection.result is not None:
            raise Refused("finished")
    owners = {"inspection_id": inspection, "hole_id": hole, "finding_id": finding, "action_id": action}
    owner_ids = {name: owner.id if owner is not None else None for name, owner in owners.items()}
    earlier = select(Photo.id).filter_by(**{name: number for name, number in owner_ids.items() if number is not None})
    if len(session.scalars(earlier.limit(MOST_A_RECORD)).all()) >= MOST_A_RECORD:
        raise Refused("photo_too_many", most=MOST_A_RECORD)
    digest = hashlib.sha256(data).hexdigest()
    media_type, width, height = _store(folder, digest, data)
    photo = Photo(
        sha256=digest,
        size_bytes=len(data),
        media_type=media_type,
        width=width,
        height=height,
        kind=kind,
        note=note.strip()[:200],
        facility_id=facility_id,
        received_s=clock.now_s(),
        by_id=user.id,
        **owner_ids,
    )
    session.add(photo)
    session.flush()
    body = {"sha256": digest, "bytes": len(data), "kind": kind}
    owner_id = next((owner.public_id for owner in (inspection, hole, finding, action) if owner is not None), "")
    if owner_id:
        body["of"] = owner_id
    log.add(session, "photo.taken", photo.public_id, body, user, {"note": photo.note} if photo.note else None)
    return photo


def original_path(folder: Path, photo: Photo) -> Path:
    """Return the path of the file as received. Raises NotFound if it has been deleted."""
    path = _original(folder, photo.sha256)
    if not path.exists():
        raise NotFound("photo")
    return path


def served_path(folder: Path, photo: Photo, small: bool = False) -> Path:
    """Return the path of the copy that may leave the server; make it if it is missing. Raises NotFound if deleted."""
    if photo.removed_s is not None:
        raise NotFound("photo")
    path = _copy(folder, photo.sha256, small)
    if not path.exists():
        _write_copies(folder, photo.sha256, _open(original_path(folder, photo).read_bytes()))
    return path


def is_intact(folder: Path, photo: Photo) -> bool:
    """True if the original is still what was received."""
    return hashlib.sha256(original_path(folder, photo).read_bytes()).hexdigest() == photo.sha256


def remove(session: Session, folder: Path, photos: Iterable[Photo], why: str = "retention") -> int:
    """Delete the files of photos and log it; the rows and digests stay. Returns how many."""
    photos = [photo for photo in photos if photo.removed_s is None]
    if not photos:
        return 0
    now_s, photo_ids = clock.now_s(), [photo.id for photo in photos]
    session.execute(update(Photo).where(Photo.id.in_(photo_ids)).values(removed_s=now_s, note=""))
    digests = {photo.sha256 for photo in photos}
    still_used = select(Photo.sha256).where(Photo.sha256.in_(digests), Photo.removed_s.is_(None))
    for photo in photos:
        log.add(session, "photo.removed", photo.public_id, {"sha256": photo.sha256, "why": why})
    for digest in digests - set(session.scalars(still_used)):
        for path in (_original(folder, digest), _copy(folder, digest, False), _copy(folder, digest, True)):
            path.unlink(missing_ok=True)
    return len(photos)


def before_and_after(photos: Iterable[Photo]) -> dict[int | None, tuple[list[Photo], list[Photo]]]:
    """Return {action row number: ([photos before], [photos after])}."""
    pairs: dict[int | None, tuple[list[Photo], list[Photo]]] = {}
    for photo in photos:
        pairs.setdefault(photo.action_id, ([], []))[0 if photo.kind == BEFORE else 1].append(photo)
    return pairs


def _store(folder, digest, data):
    """Check the bytes, write the original and the copies; return (media type, width, height)."""
    if not data:
        raise Refused("photo_empty")
    if len(data) > MOST_BYTES:
        raise Refused("photo_too_large", most=MOST_BYTES >> 20)
    image = _open(data)
    _write_copies(folder, digest, image)
    _write(_original(folder, digest), data)
    return TYPES[image.format or ""], image.width, image.height


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


def _write_copies(folder, digest, image):
    from PIL import Image, ImageOps

    # Rotated as the camera was held, then pasted into a new image, so that only pixels are copied.
    rotated = ImageOps.exif_transpose(image).convert("RGB")
    for small, pixels in ((False, SERVED_PIXELS), (True, SMALL_PIXELS)):
        rotated.thumbnail((pixels, pixels), Image.Resampling.LANCZOS)
        plain = Image.new("RGB", rotated.size)
        plain.paste(rotated)
        buffer = io.BytesIO()
        plain.save(buffer, "JPEG", quality=82, optimize=True)
        _write(_copy(folder, digest, small), buffer.getvalue())


def _write(path, data):
    """Write a file whole or not at all, readable by this user only."""
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _original(folder, digest):
    return folder / "original" / digest[:2] / digest


def _copy(folder, digest, small):
    return folder / ("small" if small else "served") / digest[:2] / f"{digest}.jpg"
