"""Checklists of the eye step in versions, and the answers, stall by stall."""

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from server import ids
from server.models.base import Base, Count, Id, Json, PublicId, Text, TimeS, Word, key_of
from server.models.people import User

# Where an item is looked at: once in the room, in every stall, or both.
ROOM, STALL, BOTH = "room", "stall", "both"
WHERES = (ROOM, STALL, BOTH)

OK, SUSPICIOUS, NOT_APPLICABLE = "ok", "suspicious", "na"
ANSWERS = (OK, SUSPICIOUS, NOT_APPLICABLE)


class Checklist(Base):
    """
    One version of a checklist. Versions are added, never edited; an inspection keeps the one it started with.

    The scope is a facility, an organisation, or (both null) everywhere; the narrowest one that has a version decides.

    items  [{"key": "holes", "where": "both", "text": "구멍", "text_en": "Holes"}, ...]; a key never changes its meaning
    """

    __tablename__ = "checklist"
    __table_args__ = (Index("ix_checklist_scope", "organisation_id", "facility_id", "version"),)

    id: Mapped[Id]
    public_id: Mapped[PublicId] = mapped_column(default=ids.new)
    organisation_id: Mapped[int | None] = key_of("organisation.id", index=False)
    facility_id: Mapped[int | None] = key_of("facility.id")
    version: Mapped[Count]
    items: Mapped[Json]  # empty: this scope has no checklist of its own any more
    note: Mapped[Text]
    created_s: Mapped[TimeS]
    by_id: Mapped[int | None] = key_of("user.id")


class ChecklistAnswer(Base):
    """
    One answer of a person. The answers that count are in services.inspecting.revisions; the others stay.

    seen_id     row number of the newest answer to this item that the person saw when answering; 0: none
    at_s        when it was written, by the phone's corrected clock if it was written without a network
    received_s  when it was stored, if that was later
    """

    __tablename__ = "checklist_answer"

    id: Mapped[Id]
    inspection_id: Mapped[int] = key_of("inspection.id")
    item: Mapped[str] = mapped_column(String(40))
    stall: Mapped[Count]  # 0: the room itself, 1 and more: a stall
    answer: Mapped[Word]  # one of ANSWERS
    note: Mapped[Text]  # why it does not apply, or what is suspicious and where
    seen_id: Mapped[Count]
    at_s: Mapped[TimeS]
    received_s: Mapped[int | None]
    by_id: Mapped[int | None] = key_of("user.id")

    by: Mapped[User | None] = relationship()
