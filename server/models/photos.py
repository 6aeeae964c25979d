"""Photos, and holes from their discovery to their repair."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from server import ids
from server.models.base import Base, Count, Id, Name, PublicId, Text, TimeS, Word, key_of
from server.models.people import User
from server.models.places import Restroom

# What a photo shows.
EYE, HOLE, FINDING, BEFORE, AFTER = "eye", "hole", "finding", "before", "after"
PHOTO_KINDS = (EYE, HOLE, FINDING, BEFORE, AFTER)

# Events of a hole.
FOUND, STICKER, TICKET, CLOSED, REMARK = "found", "sticker", "ticket", "closed", "remark"
HOLE_EVENTS = (FOUND, STICKER, TICKET, CLOSED, REMARK)


class Photo(Base):
    """
    One photo of an empty room. The file is in the data folder, named by `sha256`.

    sha256  of the file as received, hex: the original stays unchanged, pages show a copy without EXIF (time, place,
            device)
    """

    __tablename__ = "photo"

    id: Mapped[Id]
    public_id: Mapped[PublicId] = mapped_column(default=lambda: ids.new(12))
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size_bytes: Mapped[Count]
    media_type: Mapped[Word]
    width: Mapped[int]
    height: Mapped[int]
    kind: Mapped[Word]  # one of PHOTO_KINDS
    note: Mapped[Name]
    facility_id: Mapped[int] = key_of("facility.id")
    inspection_id: Mapped[int | None] = key_of("inspection.id")
    hole_id: Mapped[int | None] = key_of("hole.id")
    finding_id: Mapped[int | None] = key_of("finding.id")
    action_id: Mapped[int | None] = key_of("campaign_action.id")
    received_s: Mapped[TimeS] = mapped_column(index=True)
    by_id: Mapped[int | None] = key_of("user.id")
    removed_s: Mapped[int | None]  # when retention deleted the file; the row and the digest stay


class Hole(Base):
    """A hole or gap that a lens could look through, from its discovery until it is closed."""

    __tablename__ = "hole"

    id: Mapped[Id]
    public_id: Mapped[PublicId] = mapped_column(default=lambda: ids.new(12))
    restroom_id: Mapped[int] = key_of("restroom.id")
    inspection_id: Mapped[int | None] = key_of("inspection.id")
    stall: Mapped[Count]  # 0: the room itself
    place: Mapped[Name]
    found_s: Mapped[TimeS]
    by_id: Mapped[int | None] = key_of("user.id")

    # Current values, from the events.
    sticker_s: Mapped[int | None]
    ticket: Mapped[Name]
    closed_s: Mapped[int | None] = mapped_column(index=True)

    restroom: Mapped[Restroom] = relationship()
    by: Mapped[User | None] = relationship()
    events: Mapped[list["HoleEvent"]] = relationship(order_by="HoleEvent.id", back_populates="hole")


class HoleEvent(Base):
    """One event of a hole."""

    __tablename__ = "hole_event"

    id: Mapped[Id]
    hole_id: Mapped[int] = key_of("hole.id")
    kind: Mapped[Word]  # one of HOLE_EVENTS
    text: Mapped[Text]
    at_s: Mapped[TimeS]
    by_id: Mapped[int | None] = key_of("user.id")

    hole: Mapped[Hole] = relationship(back_populates="events")
    by: Mapped[User | None] = relationship()
