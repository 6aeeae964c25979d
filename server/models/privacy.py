"""Who looked at what."""

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Id, TimeS, Word, key_of


class AccessEvent(Base):
    """Somebody saw or exported a record that is personal or about a finding."""

    __tablename__ = "access_event"
    __table_args__ = (Index("ix_access_event_subject", "subject", "id"),)

    id: Mapped[Id]
    at_s: Mapped[TimeS] = mapped_column(index=True)
    user_id: Mapped[int | None] = key_of("user.id")
    token_id: Mapped[int | None] = key_of("token.id")
    kind: Mapped[Word]  # one of services.access_log.KINDS
    subject: Mapped[str] = mapped_column(String(64))  # public id of the record, or what was exported
