"""Organisation, facility, restroom, and the emitters that belong there."""

from sqlalchemy import Float, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from server import ids
from server.models.base import Base, Count, Id, Name, PublicId, Text, TimeS, Word, key_of

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

    organisation: Mapped[Organisation] = relationship(back_populates="facilities")
    restrooms: Mapped[list["Restroom"]] = relationship(back_populates="facility")


class Restroom(Base):
    """
    One room with one door: a women's block is one restroom, the men's beside it another.

    public_id never changes and is never given to another room; the QR code on the door holds it.
    """

    __tablename__ = "restroom"

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
    created_s: Mapped[TimeS]
    retired_s: Mapped[int | None]  # no longer a restroom; its log stays

    # Current: the newest finished inspection and the one that runs, if any. (No foreign keys: they would
    # go round in a circle, which SQLite's migrations cannot build.)
    last_inspection_id: Mapped[int | None] = mapped_column(index=True)
    last_inspected_s: Mapped[int | None] = mapped_column(index=True)
    last_result: Mapped[str | None] = mapped_column(String(32))
    running_inspection_id: Mapped[int | None] = mapped_column(index=True)

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
