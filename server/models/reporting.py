"""Reports as they were submitted."""

from sqlalchemy import String
from sqlalchemy import Text as LongText
from sqlalchemy.orm import Mapped, mapped_column, relationship

from server import ids
from server.models.base import Base, Id, PublicId, TimeS, key_of
from server.models.people import User


class FrozenReport(Base):
    """
    A half-year report as it was submitted.

    of       public id of its organisation, facility or restroom; "" for all places
    content  canonical JSON; see services/reporting/submitted_reports.py
    sha256   of the content, as the log has it
    """

    __tablename__ = "frozen_report"

    id: Mapped[Id]
    public_id: Mapped[PublicId] = mapped_column(default=ids.new)
    of: Mapped[str] = mapped_column(String(32), default="", server_default="")
    year: Mapped[int]
    half: Mapped[int]
    content: Mapped[str] = mapped_column(LongText)
    sha256: Mapped[str] = mapped_column(String(64))
    at_s: Mapped[TimeS]
    by_id: Mapped[int | None] = key_of("user.id")

    by: Mapped[User | None] = relationship()
