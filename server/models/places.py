"""
Organisations, facilities, restrooms, and what belongs to them: known emitters, inspection intervals, signs, requests.
"""

from typing import Any

from sqlalchemy import JSON, Float, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from server import ids
from server.models.base import Base, Count, Id, Name, PublicId, SortKey, Text, TimeS, Word, key_of

_IN_USE: dict[str, Any] = {name: text("retired_s IS NULL") for name in ("sqlite_where", "postgresql_where")}

WOMEN, MEN, ACCESSIBLE, FAMILY, UNISEX = "women", "men", "accessible", "family", "unisex"
UNKNOWN = "unknown"  # an imported file does not tell the users
BLOCKS = (WOMEN, MEN, ACCESSIBLE, FAMILY, UNISEX, UNKNOWN)

# The methods of an inspection, and what a plan can ask for: these and the self-test of a restroom's fixed sensors
# (the law wants their malfunctions inspected too).
EYE, RF, LENS = METHODS = ("eye", "rf", "lens")
SELFTEST = "selftest"
PLANNED = (*METHODS, SELFTEST)


# What a visitor can ask for or report: an inspection, or something that could hide a lens.
ASKED, SCREW, HOLE, GAP, OBJECT = VISITOR_REPORTS = ("asked", "screw", "hole", "gap", "object")


class Organisation(Base):
    """The owner of facilities: a municipality, a school, a company."""

    __tablename__ = "organisation"

    id: Mapped[Id]
    public_id: Mapped[PublicId] = mapped_column(default=ids.new)
    name: Mapped[Name]
    name_en: Mapped[Name]
    phone: Mapped[str] = mapped_column(String(40), default="", server_default="")  # shown on the public pages
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
    sort_key: Mapped[SortKey]  # the name as lists sort it, see services/places/names.py
    sort_key_en: Mapped[SortKey]  # the name that English pages show
    created_s: Mapped[TimeS]
    reminded_s: Mapped[int | None]  # current: when the newest reminder of overdue restrooms was sent

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
        Index("ix_restroom_list_en", "sort_key_en", "id", **_IN_USE),
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
    sort_key: Mapped[SortKey]  # the names of building and room as lists sort them, see services/places/names.py
    sort_key_en: Mapped[SortKey]  # the names that English pages show
    source_id: Mapped[int | None] = mapped_column(index=True)  # the FacilitySource it was imported with, if any
    created_s: Mapped[TimeS]
    # Current: in use, and under the facility's organisation, since then; null: since created_s. See RestroomUse.
    use_since_s: Mapped[int | None]
    retired_s: Mapped[int | None]  # out of use; its records are kept

    # Current: the newest finished inspection and the one that runs, if any. (No foreign keys: they would
    # go round in a circle, which SQLite's migrations cannot build.)
    last_inspection_id: Mapped[int | None] = mapped_column(index=True)
    last_inspected_s: Mapped[int | None] = mapped_column(index=True)
    last_result: Mapped[str | None] = mapped_column(String(32))
    running_inspection_id: Mapped[int | None] = mapped_column(index=True)

    # Current: when each method was last done, and what follows from that and the policies; see
    # services/places/due_dates.py.
    eye_done_s: Mapped[int | None]
    rf_done_s: Mapped[int | None]
    lens_done_s: Mapped[int | None]
    selftest_done_s: Mapped[int | None]  # of the fixed sensor here that is longest without one
    due_s: Mapped[int | None]  # when the first method is due; null: nothing is required, or the restroom is retired
    due_method: Mapped[str | None] = mapped_column(String(32))  # which one

    facility: Mapped[Facility] = relationship(back_populates="restrooms")
    external_ids: Mapped[list["ExternalId"]] = relationship(back_populates="restroom")


class RestroomUse(Base):
    """
    A time that is over in which a restroom was in use under one organisation: until it was retired, or moved.

    The time that goes on, or that ended when the restroom was retired for good, is in Restroom: from use_since_s or
    created_s to retired_s.
    """

    __tablename__ = "restroom_use"

    id: Mapped[Id]
    restroom_id: Mapped[int] = key_of("restroom.id")
    organisation_id: Mapped[int] = key_of("organisation.id")
    from_s: Mapped[TimeS]
    to_s: Mapped[TimeS]


class ExternalId(Base):
    """A restroom's key in another register, such as the national data's 관리번호."""

    __tablename__ = "external_id"
    __table_args__ = (UniqueConstraint("source", "value"),)

    id: Mapped[Id]
    restroom_id: Mapped[int] = key_of("restroom.id")
    source: Mapped[Word]
    value: Mapped[str] = mapped_column(String(100))

    restroom: Mapped[Restroom] = relationship(back_populates="external_ids")


class FacilitySource(Base):
    """A facility as an imported file describes it: its key there, and the newest imported values."""

    __tablename__ = "facility_source"
    __table_args__ = (UniqueConstraint("source", "key"),)

    id: Mapped[Id]
    facility_id: Mapped[int] = key_of("facility.id")
    source: Mapped[Word]  # the family of files, such as "national"; keys are unique within it
    key: Mapped[str] = mapped_column(String(100))
    digest: Mapped[str] = mapped_column(String(32))  # of `said`; equal if nothing has changed
    match: Mapped[str] = mapped_column(String(32))  # of name and address; recognises a place whose key changed
    said: Mapped[dict] = mapped_column(
        JSON
    )  # the values: services/places/imports Place as a dict, without line and key
    seen_s: Mapped[TimeS]  # the newest import that changed it
    gone_s: Mapped[int | None]  # when a file did not contain it any more


class RestroomImport(Base):
    """One file that was previewed or imported. An uploaded file is kept in the data folder until it is applied."""

    __tablename__ = "restroom_import"

    id: Mapped[Id]
    public_id: Mapped[PublicId] = mapped_column(default=ids.new)
    file_name: Mapped[Name]
    sha256: Mapped[str] = mapped_column(String(64))
    options: Mapped[dict] = mapped_column(JSON)  # services/places/imports Options as a dict
    counts: Mapped[dict] = mapped_column(JSON)  # rows, new, changed, ...; {}: not previewed yet
    made_s: Mapped[TimeS] = mapped_column(index=True)
    by_id: Mapped[int | None] = key_of("user.id")
    applied_s: Mapped[int | None]


class KnownEmitter(Base):
    """
    A transmitter that a person has approved for a facility: its own access point, the neighbour's CCTV.

    The address is stored because sensors must recognise it. It belongs to a fixed installation, never to a bystander.
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


class Policy(Base):
    """
    An interval for one method at one scope. Rows are added; the newest of a scope counts.

    The scope is a restroom, a facility, an organisation, or (all three null) everything; the narrowest
    one with a row decides. Where there is none, the law's interval holds: plans.LEGAL_DAYS.
    """

    __tablename__ = "inspection_policy"

    id: Mapped[Id]
    organisation_id: Mapped[int | None] = key_of("organisation.id")
    facility_id: Mapped[int | None] = key_of("facility.id")
    restroom_id: Mapped[int | None] = key_of("restroom.id")
    method: Mapped[Word]  # one of PLANNED
    days: Mapped[int | None]  # interval; 0: not required here; null: a rule, or this scope sets none any more
    rule: Mapped[str] = mapped_column(String(32), default="", server_default="")  # one of deadlines.RULES
    set_s: Mapped[TimeS]
    by_id: Mapped[int | None] = key_of("user.id")


class SiteNotice(Base):
    """What a facility's privacy sign adds to the general text. The newest row of a facility counts."""

    __tablename__ = "site_notice"

    id: Mapped[Id]
    facility_id: Mapped[int] = key_of("facility.id")
    text: Mapped[Text]
    text_en: Mapped[Text]
    at_s: Mapped[TimeS]
    by_id: Mapped[int | None] = key_of("user.id")


class InspectionRequest(Base):
    """
    A visitor's request for an inspection of a restroom. Nothing about the visitor is stored.

    Further requests are counted in the open one: first_s and last_s are the times of the first and the newest.
    """

    __tablename__ = "inspection_request"

    id: Mapped[Id]
    restroom_id: Mapped[int] = key_of("restroom.id")
    first_s: Mapped[TimeS]
    last_s: Mapped[TimeS]
    count: Mapped[Count]
    answered_s: Mapped[int | None]  # when the next inspection of the restroom was completed
    inspection_id: Mapped[int | None] = key_of("inspection.id")  # that inspection

    restroom: Mapped[Restroom] = relationship()


class VisitorReport(Base):
    """
    What a visitor asked for or reported with the code on a door. Nothing about the visitor is stored.

    public_id  the code with which the visitor asks how it stands; the restroom's next inspection answers it
    """

    __tablename__ = "visitor_report"

    id: Mapped[Id]
    public_id: Mapped[PublicId] = mapped_column(default=ids.new)
    restroom_id: Mapped[int] = key_of("restroom.id")
    kind: Mapped[Word]  # one of VISITOR_REPORTS
    stall: Mapped[Count]  # 0: the room itself, or not said
    at_s: Mapped[TimeS] = mapped_column(index=True)

    restroom: Mapped[Restroom] = relationship()
