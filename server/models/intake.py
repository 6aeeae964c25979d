"""
Reports of sensors as received, the rows derived from them, and counters of messages.

`report_id` in other tables is not a foreign key: raw reports are deleted after days, the rows
derived from them stay for months.
"""

from typing import Any

from sqlalchemy import Boolean, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Count, Id, Json, Name, TimeS, Word, key_of


class Report(Base):
    """
    One report of one sensor: (sensor, boot, seq) is stored once, however often it is delivered.

    content  the exact JSON bytes; for kinds that name an address, the same with pseudonyms instead
             (FindingEvent has the exact bytes while the finding is open)
    digest   SHA-256 of the exact bytes, hex: tells a repeated delivery from another report with the
             same number, and lets the next report's `prev` be checked
    at_s     when the sensor made it; null until a CLOCK report of the same boot dates it
    """

    __tablename__ = "report"
    __table_args__ = (
        UniqueConstraint("sensor_id", "boot", "seq"),
        # A number is never used again, even after the report was deleted: `report_id` in other tables lives longer.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[Id]
    sensor_id: Mapped[int] = key_of("sensor.id", index=False)
    boot: Mapped[TimeS]
    seq: Mapped[TimeS]
    kind: Mapped[Word]
    tick_ms: Mapped[TimeS]
    at_s: Mapped[int | None]
    received_s: Mapped[TimeS]
    inspection_ref: Mapped[str] = mapped_column(String(40))
    prev: Mapped[str] = mapped_column(String(16))
    digest: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column(LargeBinary)


class SensorBoot(Base):
    """One boot of one sensor: up to where its reports are complete, and the offset of its clock."""

    __tablename__ = "sensor_boot"
    __table_args__ = (UniqueConstraint("sensor_id", "boot"),)

    id: Mapped[Id]
    sensor_id: Mapped[int] = key_of("sensor.id", index=False)
    boot: Mapped[TimeS]
    upto: Mapped[Count]  # every seq up to here is stored or accounted for by a DROPPED report
    highest: Mapped[Count]  # the highest seq stored
    # envelope.digest() of the highest, for the next one's `prev`; "" if that cannot be checked
    highest_digest: Mapped[str] = mapped_column(String(16), default="", server_default="")
    zero_s: Mapped[int | None]  # time of tick 0, from the newest CLOCK report; null while unknown
    first_received_s: Mapped[TimeS]


class DroppedRange(Base):
    """Reports that a sensor reported as dropped from its full journal: a known loss, not a gap."""

    __tablename__ = "dropped_range"
    __table_args__ = (Index("ix_dropped_range_boot", "sensor_id", "boot", "first"),)

    id: Mapped[Id]
    report_id: Mapped[int] = mapped_column(unique=True)
    sensor_id: Mapped[int] = key_of("sensor.id", index=False)
    boot: Mapped[TimeS]
    first: Mapped[TimeS]
    last: Mapped[TimeS]
    reports: Mapped[Count]


_WAITING: dict[str, Any] = {
    f"{name}_where": text("inspection_id IS NULL AND inspection_ref != ''") for name in ("sqlite", "postgresql")
}


class Sweep(Base):
    """What a sensor listened to between two SWEEP reports; coverage is computed from these rows."""

    __tablename__ = "sweep"
    # Those by button that wait for a person to say where they were; most sweeps are of fixed sensors, without a ref.
    __table_args__ = (Index("ix_sweep_waiting", "inspection_ref", "sensor_id", **_WAITING),)

    report_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sensor_id: Mapped[int] = key_of("sensor.id", index=False)
    inspection_id: Mapped[int | None] = key_of("inspection.id")
    inspection_ref: Mapped[str] = mapped_column(String(40))
    from_ms: Mapped[TimeS]
    to_ms: Mapped[TimeS]
    at_s: Mapped[int | None]  # end of the sweep; null until the clock is known
    deaf_ms: Mapped[Count]
    listened_ms: Mapped[Count]
    frames: Mapped[Count]
    undecodable: Mapped[Count]
    dropped: Mapped[Count]
    stations: Mapped[Count]
    access_points: Mapped[Count]
    ble: Mapped[Count]
    tables_full: Mapped[bool] = mapped_column(Boolean)
    spectrum_sweeps: Mapped[Count]
    numbered: Mapped[Count]  # frames with a sequence number that were received, and
    missed: Mapped[Count]  # how many numbers were missing in between
    flash_ms: Mapped[Count]  # of listened_ms, in which the flash was written and the chip was deaf
    ble_dropped: Mapped[Count]
    channels: Mapped[Json]  # [[channel, listened_ms, frames, undecodable, dropped], ...]
    capabilities: Mapped[Json]


class Selftest(Base):
    """A sensor's self-test."""

    __tablename__ = "selftest"

    id: Mapped[Id]
    report_id: Mapped[int] = mapped_column(unique=True)
    sensor_id: Mapped[int] = key_of("sensor.id")
    at_s: Mapped[int | None]
    received_s: Mapped[TimeS]
    passed: Mapped[bool] = mapped_column(Boolean)
    checks: Mapped[Json]  # [[check id, passed, value], ...]
    took_ms: Mapped[Count]


class Proximity(Base):
    """The level of an emitter that a sensor follows. Kept for minutes."""

    __tablename__ = "proximity"

    id: Mapped[Id]
    sensor_id: Mapped[int] = key_of("sensor.id")
    finding_id: Mapped[int | None] = key_of("finding.id")
    received_ms: Mapped[TimeS] = mapped_column(index=True)
    rssi_dbm: Mapped[int]
    smoothed_dbm: Mapped[int]
    sigma_db: Mapped[int]
    trend: Mapped[Word]  # warmer, colder, same, lost


class DeadLetter(Base):
    """
    A message whose storing failed.

    sensor  its name
    reason  the exception and the function that it came from
    body    the exact JSON bytes
    """

    __tablename__ = "dead_letter"

    id: Mapped[Id]
    sensor: Mapped[Word]
    topic: Mapped[str] = mapped_column(String(64))
    reason: Mapped[Name]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    received_s: Mapped[TimeS]


class Tally(Base):
    """
    The number of messages of one sensor with one outcome on one day.

    sensor  its name; "" for senders that are not enrolled
    what    see server/services/intake/counters.py
    """

    __tablename__ = "tally"
    __table_args__ = (UniqueConstraint("day", "sensor", "what"),)

    id: Mapped[Id]
    day: Mapped[int]  # days since 1970-01-01 UTC
    sensor: Mapped[Word]
    what: Mapped[Word]
    count: Mapped[Count]
