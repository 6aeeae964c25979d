"""Inspections with their steps, people, sensors, results and signatures; assigned sweeps; offline visits."""

from typing import TYPE_CHECKING

from sqlalchemy import JSON, Boolean, Index, String, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from server import ids
from server.models.base import Base, Count, Id, Json, Name, PublicId, Text, TimeS, Word, key_of
from server.models.people import User
from server.models.places import RF, Restroom
from server.models.sensors import Sensor

NONE_FOUND, NOT_COMPLETED, REFERRED = "none_found", "not_completed", "referred"
RESULTS = (NONE_FOUND, NOT_COMPLETED, REFERRED)
REOPENED = "reopened"  # beside RESULTS: "none found" was recorded, and something followed that is not settled

# Outcomes of a step.
STEP_NONE_FOUND, STEP_SUSPICIOUS, STEP_NOT_DONE = "none_found", "suspicious", "not_done"
OUTCOMES = (STEP_NONE_FOUND, STEP_SUSPICIOUS, STEP_NOT_DONE)
STEP_REOPENED = "reopened"  # recorded by the program, when something open or suspicious follows "none found"


class Inspection(Base):
    """One visit to one restroom. Runs from its start until its first result."""

    __tablename__ = "inspection"
    # A district's report asks its restrooms for a half year each.
    __table_args__ = (Index("ix_inspection_restroom_id_finished_s", "restroom_id", "finished_s"),)

    id: Mapped[Id]
    public_id: Mapped[PublicId] = mapped_column(default=lambda: ids.new(12))  # reports carry it
    restroom_id: Mapped[int] = key_of("restroom.id")
    started_s: Mapped[TimeS] = mapped_column(index=True)
    started_by_id: Mapped[int | None] = key_of("user.id")
    # No foreign keys: SQLite cannot add them to an existing table.
    checklist_id: Mapped[int | None]  # the version its eye step uses; null: from before there were checklists
    campaign_id: Mapped[int | None] = mapped_column(index=True)
    team_id: Mapped[int | None]

    # Current values of the newest InspectionResult; null while it runs.
    finished_s: Mapped[int | None] = mapped_column(index=True)
    result: Mapped[str | None] = mapped_column(String(32))
    # When something suspicious was handed over after the newest result; null: nothing, or a correction has settled it.
    reopened_s: Mapped[int | None]

    if TYPE_CHECKING:
        listening: Mapped[int]  # sensors that have started and not stopped, as far as their reports have come
        unsettled: Mapped[int]  # things beside which "none found" does not stand; see models/findings.py

    restroom: Mapped[Restroom] = relationship()
    started_by: Mapped[User | None] = relationship()
    steps: Mapped[list["InspectionStep"]] = relationship(order_by="InspectionStep.id", back_populates="inspection")
    people: Mapped[list["InspectionPerson"]] = relationship(order_by="InspectionPerson.id", back_populates="inspection")
    sensors: Mapped[list["InspectionSensor"]] = relationship(
        order_by="InspectionSensor.id", back_populates="inspection"
    )
    results: Mapped[list["InspectionResult"]] = relationship(
        order_by="InspectionResult.id", back_populates="inspection"
    )

    @property
    def standing_result(self) -> str | None:
        """The result as it stands: REOPENED instead of NONE_FOUND while something rules that out."""
        return REOPENED if self.result == NONE_FOUND and self.unsettled else self.result


class InspectionStep(Base):
    """
    The outcome of one method. The rows that count are in services.inspecting.revisions; the others stay.

    seen_id     row number of the newest step of this method that the person saw; 0: none
    at_s        when the step was done, by the phone's corrected clock if it was recorded without a network
    received_s  when it was stored, if that was later
    """

    __tablename__ = "inspection_step"

    id: Mapped[Id]
    inspection_id: Mapped[int] = key_of("inspection.id")
    method: Mapped[Word]  # one of METHODS
    outcome: Mapped[Word]  # one of OUTCOMES, or STEP_REOPENED
    note: Mapped[Text]
    seen_id: Mapped[Count]
    at_s: Mapped[TimeS]
    received_s: Mapped[int | None]
    by_id: Mapped[int | None] = key_of("user.id")

    inspection: Mapped[Inspection] = relationship(back_populates="steps")
    by: Mapped[User | None] = relationship()


class InspectionPerson(Base):
    """A person who took part: a user, or the name of a person without an account, such as a police officer."""

    __tablename__ = "inspection_person"

    id: Mapped[Id]
    inspection_id: Mapped[int] = key_of("inspection.id")
    user_id: Mapped[int | None] = key_of("user.id")
    name: Mapped[Name]
    agency: Mapped[Name]
    added_s: Mapped[TimeS]

    inspection: Mapped[Inspection] = relationship(back_populates="people")


class InspectionSensor(Base):
    """A sensor that listened during an inspection, with its last self-test at that moment."""

    __tablename__ = "inspection_sensor"
    __table_args__ = (UniqueConstraint("inspection_id", "sensor_id"),)

    id: Mapped[Id]
    inspection_id: Mapped[int] = key_of("inspection.id", index=False)
    sensor_id: Mapped[int] = key_of("sensor.id")
    version: Mapped[Name]  # of its firmware, when it was chosen
    selftest_id: Mapped[int | None] = key_of("selftest.id")
    chosen_s: Mapped[TimeS]
    started_s: Mapped[int | None]  # as its SESSION report said
    stopped_s: Mapped[int | None]

    inspection: Mapped[Inspection] = relationship(back_populates="sensors")
    sensor: Mapped[Sensor] = relationship()


Inspection.listening = column_property(
    select(func.count(InspectionSensor.id))
    .where(InspectionSensor.inspection_id == Inspection.id)
    .where(InspectionSensor.started_s.is_not(None), InspectionSensor.stopped_s.is_(None))
    .correlate_except(InspectionSensor)
    .scalar_subquery()
)


class InspectionResult(Base):
    """A result. A correction is a further row with its reason; the newest counts."""

    __tablename__ = "inspection_result"

    id: Mapped[Id]
    inspection_id: Mapped[int] = key_of("inspection.id")
    result: Mapped[Word]  # one of RESULTS
    methods: Mapped[Json]  # the methods it rests on, in the order of METHODS
    reason: Mapped[Text]  # why it was not completed, or why it is corrected
    note: Mapped[Text]
    coverage: Mapped[dict | None] = mapped_column(JSON)  # the RF coverage at that moment: Coverage.summary()
    # The same once every sensor has handed over its last sweep, if that was after the result; not what people signed.
    final_coverage: Mapped[dict | None] = mapped_column(JSON)
    at_s: Mapped[TimeS]
    by_id: Mapped[int | None] = key_of("user.id")

    inspection: Mapped[Inspection] = relationship(back_populates="results")
    by: Mapped[User | None] = relationship()

    @property
    def standing_coverage(self) -> dict | None:
        """The RF coverage as it stands."""
        return self.final_coverage or self.coverage

    @property
    def is_provisional(self) -> bool:
        """True while it rests on a sensor whose last sweep is missing: what that sensor heard is not all known."""
        return RF in self.methods and self.inspection.listening > 0


DRAWN, TYPED, PASSWORD = "drawn", "typed", "password"


class Signature(Base):
    """
    One person's signature under one result.

    strokes      [[x, y, x, y, ...], ...] in thousandths of the pad's width when drawn; else null
    record_hash  of what was signed: SHA-256 of the canonical JSON of services.inspecting.signatures.record()
    hash         SHA-256 over record_hash, the person and the strokes, as in the log
    """

    __tablename__ = "signature"
    __table_args__ = (UniqueConstraint("result_id", "person_id"),)

    id: Mapped[Id]
    inspection_id: Mapped[int] = key_of("inspection.id")
    result_id: Mapped[int] = key_of("inspection_result.id", index=False)
    person_id: Mapped[int] = key_of("inspection_person.id")
    kind: Mapped[Word]  # DRAWN, TYPED or PASSWORD
    name: Mapped[Name]  # of the account, or of the person who drew or typed it
    strokes: Mapped[Json | None]
    record_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))
    at_s: Mapped[TimeS]
    by_id: Mapped[int | None] = key_of("user.id")  # who held the device: the user signed in on it

    person: Mapped[InspectionPerson] = relationship()
    by: Mapped[User | None] = relationship()

    @property
    def is_own(self) -> bool:
        """True if the person signed on a device on which they were signed in themselves."""
        return self.by_id is not None and self.person.user_id == self.by_id


class SweepAssignment(Base):
    """A sweep that a sensor's button started, and the inspection it was assigned to afterwards."""

    __tablename__ = "sweep_assignment"
    __table_args__ = (UniqueConstraint("sensor_id", "inspection_ref"),)

    id: Mapped[Id]
    sensor_id: Mapped[int] = key_of("sensor.id", index=False)
    inspection_ref: Mapped[str] = mapped_column(String(40))
    inspection_id: Mapped[int] = key_of("inspection.id")
    sweeps: Mapped[int]
    from_s: Mapped[int | None]
    to_s: Mapped[int | None]
    at_s: Mapped[TimeS]
    by_id: Mapped[int | None] = key_of("user.id")


class OfflineVisit(Base):
    """
    An inspection recorded on a phone without a network and handed over later.

    `key` makes handing over idempotent.

    clamped  the phone's times were impossible, and the nearest possible ones were taken
    """

    __tablename__ = "offline_visit"

    id: Mapped[Id]
    key: Mapped[str] = mapped_column(String(36), unique=True)  # a UUID that the phone made
    inspection_id: Mapped[int] = key_of("inspection.id")
    began_s: Mapped[TimeS]  # by the phone's clock, corrected by its offset when it handed over
    ended_s: Mapped[TimeS]
    received_s: Mapped[TimeS]
    clamped: Mapped[bool] = mapped_column(Boolean, default=False, server_default="0")
    by_id: Mapped[int | None] = key_of("user.id")

    by: Mapped[User | None] = relationship()
