"""Sensors with the newest state they reported, their commands, claim codes, firmware releases and roll-outs."""

from sqlalchemy import JSON, Boolean, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from server import ids
from server.models.base import Base, Count, Id, Json, Name, PublicId, TimeS, Word, key_of
from server.models.places import Restroom


class Sensor(Base):
    """One device. `name` is its MQTT user name and the <device> of its topics."""

    __tablename__ = "sensor"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(32), unique=True)
    label: Mapped[Name]
    organisation_id: Mapped[int | None] = key_of("organisation.id")
    restroom_id: Mapped[int | None] = key_of("restroom.id")  # a fixed sensor's place
    key_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    enrolled_s: Mapped[TimeS]
    keyed_s: Mapped[int | None]  # when its key was last replaced
    revoked_s: Mapped[int | None] = mapped_column(index=True)

    # Current: from the newest state and info messages.
    state: Mapped[str] = mapped_column(
        String(16), default="", server_default=""
    )  # messages.STATES; "" before the first
    state_s: Mapped[int | None]
    last_seen_s: Mapped[int | None] = mapped_column(index=True)
    silent_s: Mapped[int | None]  # when it was found to be silent
    boot: Mapped[Count]
    info: Mapped[dict | None] = mapped_column(JSON)  # the info message, whole
    info_s: Mapped[int | None]  # when it came
    inspection_ref: Mapped[str] = mapped_column(String(40), default="", server_default="")

    restroom: Mapped[Restroom | None] = relationship()


class Command(Base):
    """
    A command to a sensor. A page adds the row, ingest signs and publishes it.

    Arguments that hold addresses are masked once the command has ended.
    """

    __tablename__ = "command"
    __table_args__ = (Index("ix_command_waiting", "ended_s", "sensor_id"),)

    id: Mapped[Id]
    public_id: Mapped[str] = mapped_column(String(40), unique=True, default=lambda: ids.new(20))
    sensor_id: Mapped[int] = key_of("sensor.id")
    name: Mapped[Word]
    args: Mapped[dict] = mapped_column(JSON)
    finding_id: Mapped[int | None] = key_of("finding.id")  # whose transmitter is followed or tested for movement
    created_s: Mapped[TimeS]
    created_by_id: Mapped[int | None] = key_of("user.id")
    expires_s: Mapped[TimeS]
    sent_s: Mapped[int | None]  # newest publication
    sends: Mapped[Count]
    acknowledged_ms: Mapped[int | None]  # for what is timed from the acknowledgement, such as a movement test
    ended_s: Mapped[int | None]  # acknowledged, or expired without an acknowledgement
    ok: Mapped[bool | None] = mapped_column(Boolean)
    error: Mapped[Name]  # "expired" if no acknowledgement came in time

    sensor: Mapped[Sensor] = relationship()


class Claim(Base):
    """A code that enrols a board once, before it expires. Only its hash is stored."""

    __tablename__ = "claim"

    id: Mapped[Id]
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    made_s: Mapped[TimeS]
    made_by_id: Mapped[int | None] = key_of("user.id")
    expires_s: Mapped[TimeS]
    sensor_id: Mapped[int | None] = key_of("sensor.id")  # the sensor that gets a new key; null: a new sensor
    restroom_id: Mapped[int | None] = key_of("restroom.id")  # place of the new sensor
    used_s: Mapped[int | None]


class Release(Base):
    """A firmware version: its manifest is text with one line per file (see firmware/maintenance/program_update.py)."""

    __tablename__ = "firmware_release"

    id: Mapped[Id]
    public_id: Mapped[PublicId] = mapped_column(default=ids.new)
    version: Mapped[Word]
    boards: Mapped[Json]  # names of the boards it is for; []: all
    sha256: Mapped[str] = mapped_column(String(64), unique=True)  # of the manifest
    bytes: Mapped[Count]  # of all files
    added_s: Mapped[TimeS]


class ReleaseFile(Base):
    """One file of one or more releases, or a manifest; identified by its hash."""

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
    why: Mapped[Word] = mapped_column(default="", server_default="")  # see services/sensors/rollout.py

    release: Mapped[Release] = relationship()


class RolloutSensor(Base):
    """One sensor of a rollout."""

    __tablename__ = "rollout_sensor"
    __table_args__ = (UniqueConstraint("rollout_id", "sensor_id"),)

    id: Mapped[Id]
    rollout_id: Mapped[int] = key_of("rollout.id", index=False)
    sensor_id: Mapped[int] = key_of("sensor.id")
    canary: Mapped[bool] = mapped_column(Boolean)
    offered_s: Mapped[int | None]  # when the command was enqueued
    command_id: Mapped[int | None] = key_of("command.id")
    ended_s: Mapped[int | None]
    outcome: Mapped[Word] = mapped_column(
        default="", server_default=""
    )  # "" while waiting; services/sensors/rollout.py

    sensor: Mapped[Sensor] = relationship()
