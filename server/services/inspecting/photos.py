"""
Photos of empty rooms: the original as received, with its SHA-256, and copies without EXIF.

    received = photos.receive(data)                        # decodes; call it outside of a transaction
    photo = photos.add(session, photos.folder(settings), received, user, HOLE, facility_id, hole=hole)
    photos.read_served(session, folder, photo, small=True)  # bytes of a JPEG that may leave the server

The EXIF of an original may name a place and a person's device, so pages get a re-encoded copy. Originals are stored in
<data>/photos/original, named by their digest; the same photo twice is one file and two rows. The log holds the digests
of the original and of its copies, and nothing is served whose bytes have another digest.
"""

import hashlib
import io
import json
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from server import clock, db
from server.config import Settings
from server.models.audit import LogEntry
from server.models.campaigns import CampaignAction
from server.models.findings import Finding
from server.models.inspections import Inspection
from server.models.photos import BEFORE, PHOTO_KINDS, Hole, Photo
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.people import access, accounts
from server.services.people.accounts import Actor

diagnostics = structlog.get_logger()

TAKEN = "photo.taken"  # kind of log entry
MOST_BYTES = 12 << 20
MOST_PIXELS = 60_000_000  # phones have up to 50 million; a file that unpacks to more is no photo
SERVED_PIXELS = 1600  # the longer side of the copies
SMALL_PIXELS = 360
MOST_WHOLE_PIXELS = 50_000_000  # of formats that are decoded at full size: 4 bytes a pixel
TYPES = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",  # a JPEG with further pictures behind the first
    "PNG": "image/png",
    "WEBP": "image/webp",
    "HEIF": "image/heic",
    "AVIF": "image/avif",
}
MOST_A_RECORD = 40

_decoding = threading.BoundedSemaphore(1)  # one picture at a time in a process, however many are sent at once


class Received(NamedTuple):
    """
    A photo that can be kept.

    data            as received
    served, small   its copies, JPEG
    """

    data: bytes
    media_type: str
    width: int
    height: int
    served: bytes
    small: bytes


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


def receive(data: bytes) -> Received:
    """
    Check and decode a photo. It takes time and memory, so call it before the transaction.

    Raises Refused: photo_empty, photo_too_large(most), photo_type_bad, photo_broken.
    """
    if not data:
        raise Refused("photo_empty")
    if len(data) > MOST_BYTES:
        raise Refused("photo_too_large", most=MOST_BYTES >> 20)
    with _decoding:
        return Received(data, *_decode(data))


def add(
    session: Session,
    folder: Path,
    received: Received | bytes,
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

    received  of receive(), or the bytes for it
    kind      one of models.photos.PHOTO_KINDS
    Raises Refused: photo_too_many(most), finished; and what receive() raises.
    """
    if isinstance(received, bytes):
        received = receive(received)
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
    digest = _digest(received.data)
    for path, content in (
        (_copy(folder, digest, False), received.served),
        (_copy(folder, digest, True), received.small),
        (_original(folder, digest), received.data),
    ):
        _write(path, content)
    photo = Photo(
        sha256=digest,
        size_bytes=len(received.data),
        media_type=received.media_type,
        width=received.width,
        height=received.height,
        kind=kind,
        note=note.strip()[:200],
        facility_id=facility_id,
        received_s=clock.now_s(),
        by_id=user.id,
        **owner_ids,
    )
    session.add(photo)
    session.flush()
    body = {"sha256": digest, "bytes": len(received.data), "kind": kind}
    body |= {"served": _digest(received.served), "small": _digest(received.small)}
    owner_id = next((owner.public_id for owner in (inspection, hole, finding, action) if owner is not None), "")
    if owner_id:
        body["of"] = owner_id
    log.add(session, TAKEN, photo.public_id, body, user, {"note": photo.note} if photo.note else None)
    return photo


def read_original(session: Session, folder: Path, photo: Photo) -> bytes:
    """
    Return the file as received.

    Raises NotFound if it has been deleted, Refused("photo_changed") if it is not what the log says.
    """
    logged = logged_digests(session, photo)
    path = _original(folder, photo.sha256)
    if photo.removed_s is not None or not path.exists():
        raise NotFound("photo")
    data = path.read_bytes()
    if not photo.sha256 == logged["sha256"] == _digest(data):
        diagnostics.error("photo.changed", photo=photo.public_id)
        raise Refused("photo_changed")
    return data


def read_served(session: Session, folder: Path, photo: Photo, small: bool = False) -> bytes:
    """
    Return the copy that may leave the server, a JPEG; made again if it is missing or changed.

    Raises NotFound if the photo has been deleted, Refused("photo_changed") if the original is not what the log says.
    """
    if photo.removed_s is not None:
        raise NotFound("photo")
    name = "small" if small else "served"
    path = _copy(folder, photo.sha256, small)
    logged = logged_digests(session, photo)
    original = None if small else read_original(session, folder, photo)
    if photo.sha256 == logged["sha256"] and path.exists() and _digest(data := path.read_bytes()) == logged.get(name):
        return data
    made = receive(original or read_original(session, folder, photo))
    data = made.small if small else made.served
    path.unlink(missing_ok=True)
    _write(path, data)
    return data


def logged_digests(session: Session, photo: Photo) -> dict[str, Any]:
    """Return {"sha256", "served", "small"} of a photo by its log entry. Raises Refused("photo_changed") without one."""
    query = select(LogEntry.body).where(LogEntry.subject == photo.public_id, LogEntry.kind == TAKEN)
    body = session.scalar(query.order_by(LogEntry.n).limit(1))
    if body is None:
        raise Refused("photo_changed")
    return json.loads(body)


def find_changed(session: Session, folder: Path, photos: Iterable[Photo]) -> list[Photo]:
    """Return the photos whose original is missing or is not what the log says."""
    changed = []
    for photo in photos:
        try:
            if photo.removed_s is None:
                read_original(session, folder, photo)
        except (NotFound, Refused):
            changed.append(photo)
    return changed


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


def _digest(data):
    return hashlib.sha256(data).hexdigest()


def _decode(data):
    """Return (media type, width, height, served copy, small copy)."""
    import pillow_heif
    from PIL import Image, ImageOps, UnidentifiedImageError

    pillow_heif.register_heif_opener()
    try:
        openers = [name for name in TYPES if name != "MPO"]  # which is found by the opener of JPEG
        image = Image.open(io.BytesIO(data), formats=openers)
        media_type, width, height = TYPES[image.format or ""], image.width, image.height
        # A JPEG is decoded at 1/2, 1/4 or 1/8 of its size. A progressive one needs room for all of it even so.
        is_scaled = media_type == "image/jpeg" and not image.info.get("progressive")
        if width * height > (MOST_PIXELS if is_scaled else MOST_WHOLE_PIXELS):
            raise Refused("photo_too_large", most=MOST_BYTES >> 20)
        image.draft("RGB", (SERVED_PIXELS, SERVED_PIXELS))
        image.load()
        copies = _copies(Image, ImageOps, image)
    except UnidentifiedImageError:
        raise Refused("photo_type_bad") from None
    except Image.DecompressionBombError:
        raise Refused("photo_too_large", most=MOST_BYTES >> 20) from None
    except Refused:
        raise
    except Exception:  # cut off, or not what its beginning says; decoders raise whatever they meet
        raise Refused("photo_broken") from None
    return media_type, width, height, *copies


def _copies(module, operations, image):
    """Return the two copies of a picture as JPEG. The picture is made smaller in place before anything else."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        image = image.point(lambda value: value / 256).convert("L")
    if image.mode in ("1", "P", "PA"):
        image = image.convert("RGBA" if image.mode == "PA" or "transparency" in image.info else "RGB")
    copies = []
    for pixels in (SERVED_PIXELS, SMALL_PIXELS):
        image.thumbnail((pixels, pixels), module.Resampling.LANCZOS)
        # Rotated as the camera was held, then pasted into a new image, so that only pixels are copied.
        rotated = operations.exif_transpose(image).convert("RGB")
        plain = module.new("RGB", rotated.size)
        plain.paste(rotated)
        buffer = io.BytesIO()
        plain.save(buffer, "JPEG", quality=82, optimize=True)
        copies.append(buffer.getvalue())
    return copies


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
