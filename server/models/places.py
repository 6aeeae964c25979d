"""Organisation, facility, restroom, and the emitters that belong there."""

from sqlalchemy import JSON, Float, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from server import ids
from server.models.base import Base, Count, Id, Name, PublicId, Text, TimeS, Word, key_of

_IN_USE = {name: text("retired_s IS NULL") for name in ("sqlite_where", "postgresql_where")}

WOMEN, MEN, ACCESSIBLE, FAMILY, UNISEX = "women", "men", "accessible", "family", "unisex"
BLOCKS = (WOMEN, MEN, ACCESSIBLE, FAMILY, UNISEX)


class Organisation(Base):
    """Who answers for facilities: a municipality, a school, a company."""

    __tablename__ = "organisation"

    id: Mapped[Id]
    public_id: Mapped[PublicId] = mapped_column(default=ids.new)
    name: Mapped[Name]
    name_en: Mapped[Name]
    created_s: Mapped[TimeS]

    facilities: Mapped[list["Facility"]] = relationship(back_populates="organisation")


class Facility(Base):
    """A building or site with restrooms."""

    __tablename__ = "facility"

    id: Mapped[Id]
    public_id: Mapped[PublicId] = mapped_column(default=ids.new)
    organisation_id: Mapped[int] = key_of("organisation.id")
    name: Mapped[Name]
    name_en: Mapped[Name]
    address: Mapped[Name]
    created_s: Mapped[TimeS]
    reminded_s: Mapped[int | None]  # current: when its people were last told what is overdue

    organisation: Mapped[Organisation] = relationship(back_populates="facilities")
    restrooms: Mapped[list["Restroom"]] = relationship(back_populates="facility")


class Restroom(Base):
    """
    One room with one door: a women's block is one restroom, the men's beside it another.

    public_id never changes and is never given to another room; the QR code on the door holds it.
    """

    __tablename__ = "restroom"
    __table_args__ = (
        Index("ix_restroom_list", "sort_key", "id", **_IN_USE),  # the list page after page, and how many there are
        Index("ix_restroom_due_s", "due_s", "id"),  # what is overdue, oldest first
        Index("ix_restroom_latitude", "latitude"),  # what is near
    )

    id: Mapped[Id]
    public_id: Mapped[PublicId] = mapped_column(default=ids.new)
    facility_id: Mapped[int] = key_of("facility.id")
    name: Mapped[Name]
    name_en: Mapped[Name]
    block: Mapped[Word] = mapped_column(default=UNISEX)  # one of BLOCKS
    stalls: Mapped[Count]
    floor: Mapped[str] = mapped_column(String(20), default="", server_default="")
    address: Mapped[Name]
    latitude: Mapped[float | None] = mapped_column(Float)  # degrees, WGS 84; open data often lacks them
    longitude: Mapped[float | None] = mapped_column(Float)
    opening_hours: Mapped[Name]
    access_notes: Mapped[Text]
    owner: Mapped[Name]
    search: Mapped[Text]  # names, addresses and ids in lower case: what the list's search looks through
    sort_key: Mapped[str] = mapped_column(String(420), default="", server_default="")  # names as lists sort them
    source_id: Mapped[int | None] = mapped_column(index=True)  # the FacilitySource it was imported with, if any
    created_s: Mapped[TimeS]
    retired_s: Mapped[int | None]  # no longer a restroom; its log stays

    # Current: the newest finished inspection and the one that runs, if any. (No foreign keys: they would
    # go round in a circle, which SQLite's migrations cannot build.)
    last_inspection_id: Mapped[int | None] = mapped_column(index=True)
    last_inspected_s: Mapped[int | None] = mapped_column(index=True)
    last_result: Mapped[str | None] = mapped_column(String(32))
    running_inspection_id: Mapped[int | None] = mapped_column(index=True)

    # Current: when each method was last done, and what follows from that and the policies; see services/plans.py.
    eye_done_s: Mapped[int | None]
    rf_done_s: Mapped[int | None]
    lens_done_s: Mapped[int | None]
    selftest_done_s: Mapped[int | None]  # of the fixed sensor here that is longest without one
    due_s: Mapped[int | None]  # when the first method is due; null: nothing is asked for, or the room is retired
    due_method: Mapped[str | None] = mapped_column(String(32))  # which one

    facility: Mapped[Facility] = relationship(back_populates="restrooms")
    external_ids: Mapped[list["ExternalId"]] = relationship(back_populates="restroom")


class ExternalId(Base):
    """A restroom's key in somebody else's file, such as the national data's 관리번호."""

    __tablename__ = "external_id"
    __table_args__ = (UniqueConstraint("source", "value"),)

    id: Mapped[Id]
    restroom_id: Mapped[int] = key_of("restroom.id")
    source: Mapped[Word]
    value: Mapped[str] = mapped_column(String(100))

    restroom: Mapped[Restroom] = relationship(back_populates="external_ids")


class FacilitySource(Base):
    """A facility as a file describes it: its key there, and what the file said last."""

    __tablename__ = "facility_source"
    __table_args__ = (UniqueConstraint("source", "key"),)

    id: Mapped[Id]
    facility_id: Mapped[int] = key_of("facility.id")
    source: Mapped[Word]  # the family of files, such as "national"; keys are unique within it
    key: Mapped[str] = mapped_column(String(100))
    digest: Mapped[str] = mapped_column(String(32))  # of `said`, to see at once that nothing has changed
    match: Mapped[str] = mapped_column(String(32))  # of name and address, to know a place whose key changed
    said: Mapped[dict] = mapped_column(JSON)  # services.imports.Place as a dict, without line and key
    seen_s: Mapped[TimeS]  # the newest import that changed it
    gone_s: Mapped[int | None]  # a file no longer had it


class RestroomImport(Base):
    """One file that was looked at or taken over. An upload's file waits in the data folder until it is applied."""

    __tablename__ = "restroom_import"

    id: Mapped[Id]
    public_id: Mapped[PublicId] = mapped_column(default=ids.new)
    file_name: Mapped[Name]
    sha256: Mapped[str] = mapped_column(String(64))
    options: Mapped[dict] = mapped_column(JSON)  # services.imports.Options as a dict
    counts: Mapped[dict] = mapped_column(
        JSON
    )  # rows, new, changed, ... as services.imports counts them; {}: not looked
    made_s: Mapped[TimeS] = mapped_column(index=True)
    by_id: Mapped[int | None] = key_of("user.id")
    applied_s: Mapped[int | None]


class KnownEmitter(Base):
    """
    A transmitter that a person has approved for a facility: its own access point, the neighbour's CCTV.

    The address is kept because sensors must recognise it. It is a fixed installation's, never a bystander's.
    """

    __tablename__ = "known_emitter"

    id: Mapped[Id]
    facility_id: Mapped[int] = key_of("facility.id")
    address: Mapped[str] = mapped_column(String(17))
    label: Mapped[Name]
    reason: Mapped[Word]  # a disposition's kind: known_emitter or neighbour
    approved_by_id: Mapped[int | None] = key_of("user.id")
    approved_s: Mapped[TimeS]
    expires_s: Mapped[int | None]
    withdrawn_s: Mapped[int | None]
    withdrawn_by_id: Mapped[int | None]  # no foreign keys: SQLite cannot add them to a table that is there already
    withdrawn_why: Mapped[Text]
    finding_id: Mapped[int | None]  # the finding it was approved from
