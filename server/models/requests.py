"""Inspections that visitors ask for by the code on the door."""

from sqlalchemy.orm import Mapped, relationship

from server.models.base import Base, Count, Id, TimeS, key_of
from server.models.places import Restroom


class InspectionRequest(Base):
    """
    A wish for an inspection of a restroom, by anybody who stood there. Nothing is kept of who asked.

    Whoever asks while one is open is counted in it: first_s and last_s are the first and the newest asking.
    """

    __tablename__ = "inspection_request"

    id: Mapped[Id]
    restroom_id: Mapped[int] = key_of("restroom.id")
    first_s: Mapped[TimeS]
    last_s: Mapped[TimeS]
    count: Mapped[Count]
    answered_s: Mapped[int | None]  # when an inspection of the restroom was completed after it
    inspection_id: Mapped[int | None] = key_of("inspection.id")  # that inspection

    restroom: Mapped[Restroom] = relationship()
