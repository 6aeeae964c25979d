"""
Claim codes: whoever stands at a board types one, and the board becomes a sensor of this server.

    code = make(session, user)                                   # shown once; only its hash is kept
    sensor, key = redeem(session, vault, code, "hall-1", "Hall") # once, within LIFETIME_S

A code that was made for a sensor gives that sensor a new key instead: for a board that was
wiped or replaced, or a key that somebody may have read.
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
CODE_CHARS = 12  # 60 bits; guesses are throttled as well
GROUP = 4


def make(session: Session, user, sensor: Sensor | None = None, restroom: Restroom | None = None) -> str:
    """
    Make a code, such as "7k2m-0qzx-9v4t"; it is never shown again.

    sensor    gets a new key by it; None: a new sensor
    restroom  where the new sensor belongs

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
    return "-".join(code[at : at + GROUP] for at in range(0, CODE_CHARS, GROUP))


def redeem(session: Session, vault: Vault, code: str, name: str, label: str = "") -> tuple[Sensor, bytes]:
    """
    Enrol a sensor with a code, or give the code's sensor a new key; return it and its key.

    Raises Refused: claim_bad (unknown, used and expired look the same), claim_other_sensor(sensor),
    sensor_name_bad, sensor_exists(sensor). A code is used up only if nothing is raised.
    """
    now_s = clock.now_s()
    claim = session.scalar(select(Claim).where(Claim.code_hash == _hash(ids.clean(code))))
    if claim is None or claim.used_s is not None or claim.expires_s <= now_s:
        raise Refused("claim_bad")
    # Two may come with the same code in the same moment; the database lets one of them have it.
    taken = session.execute(update(Claim).where(Claim.id == claim.id, Claim.used_s.is_(None)).values(used_s=now_s))
    if taken.rowcount != 1:
        raise Refused("claim_bad")
    if claim.sensor_id is None:
        return enrolment.enrol(session, vault, name, label, restroom_id=claim.restroom_id, by_id=claim.made_by_id)
    one = session.get(Sensor, claim.sensor_id)
    if one.name != name:
        raise Refused("claim_other_sensor", sensor=one.name)
    if one.revoked_s is not None:
        raise Refused("claim_bad")
    return one, enrolment.replace_key(session, vault, one, by_id=claim.made_by_id)


def open_claims(session: Session, limit: int = 20) -> list[Claim]:
    """Codes that can still be used, the newest first."""
    wanted = select(Claim).where(Claim.used_s.is_(None), Claim.expires_s > clock.now_s())
    return list(session.scalars(wanted.order_by(Claim.id.desc()).limit(limit)))


def _hash(code):
    return sha256(b"ansim claim\n" + code.encode()).hexdigest()
