"""Claim codes, and new versions of the sensors' program on their way to the sensors."""

from sqlalchemy import Boolean, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from server import ids
from server.models.base import Base, Count, Id, Json, PublicId, TimeS, Word, key_of
from server.models.sensors import Sensor


class Claim(Base):
    """A code with which somebody at a board may enrol it, once and soon. Only its hash is kept."""

    __tablename__ = "claim"

    id: Mapped[Id]
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    made_s: Mapped[TimeS]
    made_by_id: Mapped[int | None] = key_of("user.id")
    expires_s: Mapped[TimeS]
    sensor_id: Mapped[int | None] = key_of("sensor.id")  # this sensor gets a new key; null: a new sensor
    restroom_id: Mapped[int | None] = key_of("restroom.id")  # where the new one belongs
    used_s: Mapped[int | None]


class Release(Base):
    """A version of the program for sensors: its manifest, text with a line a file (see firmware/maintenance/update.py)."""

    __tablename__ = "firmware_release"

    id: Mapped[Id]
    public_id: Mapped[PublicId] = mapped_column(default=ids.new)
    version: Mapped[Word]
    boards: Mapped[Json]  # names of the boards it is for; []: all
    sha256: Mapped[str] = mapped_column(String(64), unique=True)  # of the manifest
    bytes: Mapped[Count]  # of all files
    added_s: Mapped[TimeS]


class ReleaseFile(Base):
    """One file of one or more releases, or a manifest; known by its hash."""

    __tablename__ = "release_file"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class Rollout(Base):
    """A release on its way to some sensors: first to a few, then to all, stopped when too many fail."""

    __tablename__ = "rollout"

    id: Mapped[Id]
    public_id: Mapped[PublicId] = mapped_column(default=ids.new)
    release_id: Mapped[int] = key_of("firmware_release.id")
    began_s: Mapped[TimeS]
    by_id: Mapped[int | None] = key_of("user.id")
    canaries: Mapped[Count]  # sensors that go first
    most_failures: Mapped[Count]
    ended_s: Mapped[int | None] = mapped_column(index=True)
    stopped: Mapped[bool] = mapped_column(Boolean, default=False, server_default="0")  # ended before all had it
    why: Mapped[Word] = mapped_column(default="", server_default="")  # services/rollout.py

    release: Mapped[Release] = relationship()


class RolloutSensor(Base):
    """One sensor of a rollout."""

    __tablename__ = "rollout_sensor"
    __table_args__ = (UniqueConstraint("rollout_id", "sensor_id"),)

    id: Mapped[Id]
    rollout_id: Mapped[int] = key_of("rollout.id", index=False)
    sensor_id: Mapped[int] = key_of("sensor.id")
    canary: Mapped[bool] = mapped_column(Boolean)
    offered_s: Mapped[int | None]  # when the command was queued
    command_id: Mapped[int | None] = key_of("command.id")
    ended_s: Mapped[int | None]
    outcome: Mapped[Word] = mapped_column(default="", server_default="")  # "" not yet; services/rollout.py

    sensor: Mapped[Sensor] = relationship()
