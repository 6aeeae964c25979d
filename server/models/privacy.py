"""Who looked at what, and what the signs at the doors say."""

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Id, Text, TimeS, Word, key_of


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


class SiteNotice(Base):
    """What a facility's sign adds to the general text. The newest row of a facility counts."""

    __tablename__ = "site_notice"

    id: Mapped[Id]
    facility_id: Mapped[int] = key_of("facility.id")
    text: Mapped[Text]
    text_en: Mapped[Text]
    at_s: Mapped[TimeS]
    by_id: Mapped[int | None] = key_of("user.id")
