"""Enrolling, placing and revoking sensors, and replacing their keys."""

import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from ansim import envelope, topics
from server import clock
from server.models.people import User
from server.models.places import Restroom
from server.models.sensors import Sensor
from server.services.audit import log
from server.services.errors import Refused
from server.services.people import access
from server.services.places import due_dates
from server.vault import Vault


def enrol(
    session: Session,
    vault: Vault,
    name: str,
    label: str = "",
    key: bytes | None = None,
    by_id: int | None = None,
    **fields,
) -> tuple[Sensor, bytes]:
    """
    Add a sensor; return it and its key of 32 bytes, which is never shown again.

    by_id   id of the user, None for a command line
    fields  other columns of Sensor

    Raises Refused: sensor_name_bad, sensor_exists(sensor).
    """
    if not topics.is_device(name):
        raise Refused("sensor_name_bad")
    if session.scalar(select(Sensor.id).where(Sensor.name == name)):
        raise Refused("sensor_exists", sensor=name)
    key = key or secrets.token_bytes(envelope.KEY_BYTES)
    by = session.get(User, by_id) if by_id else None
    sensor = Sensor(name=name, label=label, key_sealed=vault.seal(key), enrolled_s=clock.now_s(), **fields)
    sensor.organisation_id = _organisation_id(session, sensor.restroom_id, by)
    session.add(sensor)
    session.flush()
    log.add(session, "sensor.enrolled", name, {"label": label}, by)
    return sensor, key


def _organisation_id(session, restroom_id, by):
    """Return the organisation of a new sensor: that of its place, else of the user, if they belong to one only."""
    if restroom_id is not None:
        return session.get_one(Restroom, restroom_id).facility.organisation_id
    if by is None or by.everywhere:
        return None
    organisation_ids = session.scalars(access.organisations(by)).all()
    return organisation_ids[0] if len(organisation_ids) == 1 else None


def replace_key(session: Session, vault: Vault, sensor: Sensor, by_id: int | None = None) -> bytes:
    """Give a sensor a new key and return it; messages signed with the old one are rejected from now on."""
    key = secrets.token_bytes(envelope.KEY_BYTES)
    sensor.key_sealed = vault.seal(key)
    sensor.keyed_s = clock.now_s()
    session.flush()
    log.add(session, "sensor.keyed", sensor.name, {}, session.get(User, by_id) if by_id else None)
    return key


def revoke(session: Session, sensor: Sensor, by=None) -> None:
    """Revoke a sensor permanently: the broker closes its connection, ingest rejects its messages."""
    session.get_one(Sensor, sensor.id).revoked_s = clock.now_s()
    log.add(session, "sensor.revoked", sensor.name, {}, by)


def place(session: Session, sensor: Sensor, restroom: Restroom | None, by=None) -> None:
    """
    Record in which restroom a sensor is fixed; None: it is carried. Its earlier reports keep their place.

    Raises Refused: sensor_revoked(sensor), restroom_retired.
    """
    if sensor.revoked_s is not None:
        raise Refused("sensor_revoked", sensor=sensor.name)
    if restroom is not None and restroom.retired_s is not None:
        raise Refused("restroom_retired")
    before, sensor.restroom_id = sensor.restroom_id, restroom.id if restroom else None
    if restroom is not None:
        sensor.organisation_id = restroom.facility.organisation_id
    session.flush()
    due_dates.refresh(session, [restroom_id for restroom_id in (before, sensor.restroom_id) if restroom_id])
    log.add(session, "sensor.placed", sensor.name, {"restroom": restroom.public_id if restroom else None}, by)
