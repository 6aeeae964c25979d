"""Findings: camera-like transmissions, their evidence and their dispositions."""

from sqlalchemy import JSON, Boolean, ColumnElement, Index, LargeBinary, String, UniqueConstraint, case, func, select
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from ansim.finding import ALARM
from server import ids
from server.models.base import Base, Count, Id, Json, Name, PublicId, Text, TimeS, Word, key_of
from server.models.inspections import Inspection
from server.models.people import User
from server.models.places import KnownEmitter, Restroom
from server.models.sensors import Sensor

# Kinds of dispositions.
KNOWN, NEIGHBOUR, FALSE, UNRESOLVED, REFERRED = "known_emitter", "neighbour", "false", "unresolved", "referred"
DISPOSITIONS = (KNOWN, NEIGHBOUR, FALSE, UNRESOLVED, REFERRED)

# NOTED   a notice (never an alarm) that goes on: shown, but needs no disposition, though a person may judge it
# OPEN    an alarm without a disposition, also if its level has fallen to a notice since
# CASE    referred to the police, kept with its address
# CLOSED  judged, or on the facility's list, or a notice that is over (then without a disposition); address erased
NOTED, OPEN, CASE, CLOSED = "noted", "open", "case", "closed"
STATUSES = (NOTED, OPEN, CASE, CLOSED)
WITH_ADDRESS = (OPEN, CASE)  # and their exact reports

# A sensor's time is plausible if it is at most so long after the receipt of the report, and so long before it: a sensor
# may be without a network for months.
AHEAD_S, OLDEST_S = 60, 366 * 86400

# Detectors whose findings say that something could not be judged. They are notices, but no one-way senders.
GAPS = ("undecodable_source",)


class Finding(Base):
    """
    What one detector of one sensor reported about one emitter during one inspection.

    Later reports about the same emitter add FindingEvents. The hardware address is only here while the finding is OPEN
    or a CASE, and while it is NOTED in a running inspection, to be followed; `pseudonym` stays.
    """

    __tablename__ = "finding"
    __table_args__ = (
        UniqueConstraint("sensor_id", "inspection_ref", "detector", "pseudonym", "episode"),
        Index("ix_finding_status", "status", "id"),
    )

    id: Mapped[Id]
    public_id: Mapped[PublicId] = mapped_column(default=lambda: ids.new(12))
    sensor_id: Mapped[int] = key_of("sensor.id", index=False)
    inspection_ref: Mapped[str] = mapped_column(String(40))
    inspection_id: Mapped[int | None] = key_of("inspection.id")
    restroom_id: Mapped[int | None] = key_of("restroom.id")
    detector: Mapped[Word]
    pseudonym: Mapped[str] = mapped_column(String(32), index=True)  # keyed, of the day of its first report
    episode: Mapped[Count]  # 1, and more when it comes back after a person closed it
    oui: Mapped[str] = mapped_column(String(8))  # maker's part of the address; "" when it is locally administered
    local: Mapped[bool] = mapped_column(Boolean)  # locally administered: often a randomised address
    address: Mapped[str | None] = mapped_column(String(17), index=True)  # see above
    bssid: Mapped[str | None] = mapped_column(String(17))  # "" when unknown
    label: Mapped[Name]  # SSID or BLE name that a rule fired on; erased with the address
    # The sensor's board and program when it reported this: false-alarm rates are kept by both.
    board: Mapped[str] = mapped_column(String(32), default="", server_default="")
    version: Mapped[str] = mapped_column(String(32), default="", server_default="")
    created_s: Mapped[TimeS] = mapped_column(index=True)

    # Current: what the newest event and disposition say.
    status: Mapped[str] = mapped_column(String(8))
    event: Mapped[Word]  # raised, updated or cleared
    level: Mapped[str] = mapped_column(String(8), default=ALARM, server_default=ALARM)  # ansim.finding.LEVELS
    alarmed_s: Mapped[int | None]  # when it became an alarm for the first time; null: never
    likely: Mapped[str] = mapped_column(String(32), default="", server_default="")  # cause of a notice that is over
    lasted_s: Mapped[int | None]  # how long a notice that is over lasted
    first_at_s: Mapped[int | None]
    last_at_s: Mapped[int | None]
    score: Mapped[Count]  # of the newest event
    score_max: Mapped[Count]
    rssi_dbm: Mapped[int]
    rssi_max_dbm: Mapped[int]
    channel: Mapped[int]
    events_count: Mapped[Count]
    changed_s: Mapped[TimeS]
    disposition: Mapped[str | None] = mapped_column(String(32))
    known_emitter_id: Mapped[int | None] = key_of("known_emitter.id")

    @property
    def happened_s(self) -> int:
        """When it was first heard, by the sensor's clock if that is plausible, else when it was received."""
        heard_s, received_s = self.first_at_s, self.created_s
        if heard_s is None or not received_s - OLDEST_S <= heard_s <= received_s + AHEAD_S:
            return received_s
        return heard_s

    sensor: Mapped[Sensor] = relationship()
    inspection: Mapped[Inspection | None] = relationship()
    restroom: Mapped[Restroom | None] = relationship()
    known_emitter: Mapped[KnownEmitter | None] = relationship(foreign_keys=[known_emitter_id])
    events: Mapped[list["FindingEvent"]] = relationship(order_by="FindingEvent.id", back_populates="finding")
    dispositions: Mapped[list["Disposition"]] = relationship(order_by="Disposition.id", back_populates="finding")


def happened_between(since_s: int, until_s: int) -> ColumnElement[bool]:
    """Return the condition that a finding happened in [since_s, until_s); see Finding.happened_s."""
    # The first two conditions follow from the third, and are what the index can answer.
    received = Finding.created_s.between(since_s - AHEAD_S, until_s + OLDEST_S)
    happened_s = case((_is_plausible(), Finding.first_at_s), else_=Finding.created_s)
    return received & (happened_s >= since_s) & (happened_s < until_s)


def _is_plausible():
    return Finding.first_at_s.between(Finding.created_s - OLDEST_S, Finding.created_s + AHEAD_S)


def blocking() -> ColumnElement[bool]:
    """Return the condition that "none found" cannot stand beside a finding: not judged, unresolved, or referred."""
    return (Finding.status == OPEN) | func.coalesce(Finding.disposition.in_((UNRESOLVED, REFERRED)), False)


# Here, because findings know of inspections and not the other way round.
Inspection.unsettled = column_property(
    select(func.count(Finding.id))
    .where(Finding.inspection_id == Inspection.id, blocking())
    .correlate_except(Finding)
    .scalar_subquery()
    + case((Inspection.reopened_s.is_not(None), 1), else_=0)
)


class FindingEvent(Base):
    """One FINDING report: the score at that time and its evidence."""

    __tablename__ = "finding_event"

    id: Mapped[Id]
    finding_id: Mapped[int] = key_of("finding.id")
    report_id: Mapped[int] = mapped_column(unique=True)
    event: Mapped[Word]
    level: Mapped[str] = mapped_column(String(8), default=ALARM, server_default=ALARM)
    at_s: Mapped[int | None]
    received_s: Mapped[TimeS]
    first_ms: Mapped[TimeS]
    last_ms: Mapped[TimeS]
    score: Mapped[int]
    channel: Mapped[int]
    rssi_dbm: Mapped[int]
    evidence: Mapped[Json]  # [[rule, value, threshold, weight], ...], strongest first
    considered: Mapped[Json]  # [[cause, "for" | "against" | "open"], ...]
    exact: Mapped[bytes | None] = mapped_column(LargeBinary)  # the report's exact bytes, WITH_ADDRESS only

    finding: Mapped[Finding] = relationship(back_populates="events")


class StimulusResult(Base):
    """The result of a movement test: whether a stream follows movement in this room."""

    __tablename__ = "stimulus_result"

    id: Mapped[Id]
    report_id: Mapped[int] = mapped_column(unique=True)
    sensor_id: Mapped[int] = key_of("sensor.id")
    finding_id: Mapped[int | None] = key_of("finding.id")
    at_s: Mapped[int | None]
    received_s: Mapped[TimeS]
    slots: Mapped[int]
    p_ppm: Mapped[int]
    effect_permille: Mapped[int]
    heard_permille: Mapped[int]


class Disposition(Base):
    """A person's decision about a finding, with the reason. The newest counts; older ones are kept."""

    __tablename__ = "disposition"

    id: Mapped[Id]
    finding_id: Mapped[int] = key_of("finding.id")
    kind: Mapped[Word]  # one of DISPOSITIONS
    reason: Mapped[Text]
    police: Mapped[dict | None] = mapped_column(JSON)  # {"called_s", "station", "receipt", "custody"} when referred
    at_s: Mapped[TimeS]
    # By the facility's list of known emitters. A person's decision stays one after the name is erased.
    automatic: Mapped[bool] = mapped_column(Boolean, default=False, server_default="0")
    by_id: Mapped[int | None] = key_of("user.id")

    finding: Mapped[Finding] = relationship(back_populates="dispositions")
    by: Mapped[User | None] = relationship()


class PseudonymKey(Base):
    """The key of one day's pseudonyms. Once it is deleted, they cannot be linked to addresses any more."""

    __tablename__ = "pseudonym_key"

    id: Mapped[Id]
    day: Mapped[int] = mapped_column(unique=True)
    key_sealed: Mapped[bytes] = mapped_column(LargeBinary)
