"""Sensors, what they last said about themselves, and the commands that wait for them."""

from sqlalchemy import JSON, Boolean, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from server import ids
from server.models.base import Base, Count, Id, Name, TimeS, Word, key_of
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
    keyed_s: Mapped[int | None]  # when it was given another key than the first
    revoked_s: Mapped[int | None] = mapped_column(index=True)

    # Current: what the newest state and info messages said.
    state: Mapped[str] = mapped_column(String(16), default="", server_default="")  # report.STATES; "" before the first
    state_s: Mapped[int | None]
    last_seen_s: Mapped[int | None] = mapped_column(index=True)
    silent_s: Mapped[int | None]  # when the watch noticed that nothing came any more
    boot: Mapped[Count]
    info: Mapped[dict | None] = mapped_column(JSON)  # the info message, whole
    info_s: Mapped[int | None]  # when it came
    inspection_ref: Mapped[str] = mapped_column(String(40), default="", server_default="")

    restroom: Mapped[Restroom | None] = relationship()


class Command(Base):
    """
    One order to a sensor. A page adds the row, ingest signs and publishes it.

    Arguments that hold addresses are masked once the command has ended.
    """

    __tablename__ = "command"
    __table_args__ = (Index("ix_command_waiting", "ended_s", "sensor_id"),)

    id: Mapped[Id]
    public_id: Mapped[str] = mapped_column(String(40), unique=True, default=lambda: ids.new(20))
    sensor_id: Mapped[int] = key_of("sensor.id")
    name: Mapped[Word]
    args: Mapped[dict] = mapped_column(JSON)
    created_s: Mapped[TimeS]
    created_by_id: Mapped[int | None] = key_of("user.id")
    expires_s: Mapped[TimeS]
    sent_s: Mapped[int | None]  # the newest sending
    sends: Mapped[Count]
    ended_s: Mapped[int | None]  # answered, or expired without an answer
    ok: Mapped[bool | None] = mapped_column(Boolean)
    error: Mapped[Name]  # "expired" if no answer came in time

    sensor: Mapped[Sensor] = relationship()
