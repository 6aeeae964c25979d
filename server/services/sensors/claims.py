"""
Claim codes: a person types one at a board, and the board becomes a sensor of this server.

    code = make(session, user)                                   # shown once; only its hash is stored
    sensor, key = redeem(session, vault, code, "hall-1", "Hall") # once, within LIFETIME_S

A code made for a sensor gives it a new key instead: for a board that was wiped or replaced, or a key that may
have been read.
"""

from hashlib import sha256

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from server import clock, ids
from server.models.places import Restroom
from server.models.sensors import Claim, Sensor
from server.services.errors import Refused
from server.services.sensors import enrolment
from server.vault import Vault

LIFETIME_S = 30 * 60
CODE_CHARS = 12  # 60 bits; attempts are rate-limited as well
GROUP = 4


def make(session: Session, user, sensor: Sensor | None = None, restroom: Restroom | None = None) -> str:
    """
    Return a new code, such as "7k2m-0qzx-9v4t"; it is never shown again.

    sensor    the sensor that gets a new key; None: a new sensor
    restroom  place of the new sensor

    Raises Refused: sensor_revoked(sensor).
    """
    if sensor is not None and sensor.revoked_s is not None:
        raise Refused("sensor_revoked", sensor=sensor.name)
    code = ids.new(CODE_CHARS)
    now_s = clock.now_s()
    session.add(
        Claim(
            code_hash=_hash(code),
            made_s=now_s,
            made_by_id=user.id if user else None,
            expires_s=now_s + LIFETIME_S,
            sensor_id=sensor.id if sensor else None,
            restroom_id=restroom.id if restroom else None,
        )
    )
    session.flush()
    return "-".join(code[start : start + GROUP] for start in range(0, CODE_CHARS, GROUP))


def redeem(session: Session, vault: Vault, code: str, name: str, label: str = "") -> tuple[Sensor, bytes]:
    """
    Enrol a sensor with a code, or give the code's sensor a new key; return it and its key.

    Raises Refused: claim_bad (for unknown, used and expired codes alike), claim_other_sensor(sensor),
    sensor_name_bad, sensor_exists(sensor). A code is used up only if nothing is raised.
    """
    now_s = clock.now_s()
    claim = session.scalar(select(Claim).where(Claim.code_hash == _hash(ids.clean(code))))
    if claim is None or claim.used_s is not None or claim.expires_s <= now_s:
        raise Refused("claim_bad")
    # Two requests may have the same code at the same moment; the database lets one of them use it.
    use = update(Claim).where(Claim.id == claim.id, Claim.used_s.is_(None)).values(used_s=now_s)
    if session.scalar(use.returning(Claim.id)) is None:
        raise Refused("claim_bad")
    if claim.sensor_id is None:
        return enrolment.enrol(session, vault, name, label, restroom_id=claim.restroom_id, by_id=claim.made_by_id)
    sensor = session.get_one(Sensor, claim.sensor_id)
    if sensor.name != name:
        raise Refused("claim_other_sensor", sensor=sensor.name)
    if sensor.revoked_s is not None:
        raise Refused("claim_bad")
    return sensor, enrolment.replace_key(session, vault, sensor, by_id=claim.made_by_id)


def list_open(session: Session, limit: int = 20) -> list[Claim]:
    """Return the codes that can still be used, newest first."""
    query = select(Claim).where(Claim.used_s.is_(None), Claim.expires_s > clock.now_s())
    return list(session.scalars(query.order_by(Claim.id.desc()).limit(limit)))


def _hash(code):
    return sha256(b"ansim claim\n" + code.encode()).hexdigest()
