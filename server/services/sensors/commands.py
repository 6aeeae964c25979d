"""
Orders to sensors. A page adds a row; the ingest process signs and publishes it.

A command is sent again until the sensor answers or it expires; the sensor executes an id
once, so sending it twice is harmless.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from ansim import messages, refusals
from ansim.decode import argument_problems
from server import clock
from server.models.sensors import Command, Sensor

LIFETIME_S = 60
AGAIN_AFTER_S = 5  # a connected sensor answers within a second; the radio may be busy sweeping
EXPIRED = "expired"
WITHDRAWN = "withdrawn"
# Sensors of version 0.1 answer with sentences; these are the ones that the server acts upon or has words for.
_FORMER_SENTENCES = {
    "the sensor does not know the time yet": refusals.NO_TIME,
    "this version runs already": refusals.ALREADY_INSTALLED,
    "interrupted by a restart": refusals.INTERRUPTED,
    "the flash refuses to note the command": refusals.FLASH_FAILED,
    "another inspection is running": refusals.OTHER_INSPECTION,
    "an inspection is running": refusals.INSPECTION_RUNNING,
    "this sensor has no sniffer to follow a signal with": refusals.NO_SNIFFER,
}
# Arguments that hold hardware addresses.
_WITH_ADDRESSES = {messages.INSPECTION_START: "known", messages.LOCATE: "subject", messages.SLOTS: "subject"}


def send(session: Session, sensor: Sensor, name: str, args: dict, user=None, lifetime_s: int = LIFETIME_S) -> Command:
    """Queue a command for a sensor. Raises ValueError if name or args do not fit ansim/downlink_rules.py."""
    problems = argument_problems(name, args)
    if problems is None or problems:
        raise ValueError(f"{name}: " + ("; ".join(problems) if problems else "no such command"))
    now_s = clock.now_s()
    added = Command(
        sensor_id=sensor.id,
        name=name,
        args=args,
        created_s=now_s,
        created_by_id=user.id if user else None,
        expires_s=now_s + lifetime_s,
    )
    session.add(added)
    session.flush()
    return added


def recent(session: Session, sensor: Sensor, limit: int = 20) -> list[Command]:
    """A sensor's newest commands first."""
    wanted = select(Command).where(Command.sensor_id == sensor.id).order_by(Command.id.desc())
    return list(session.scalars(wanted.limit(limit)))


def due(session: Session, now_s: int, limit: int = 500) -> list[Command]:
    """Commands that should be published now, oldest first: never sent, or sent AGAIN_AFTER_S ago."""
    wanted = select(Command).join(Sensor).where(Command.ended_s.is_(None), Sensor.revoked_s.is_(None))
    wanted = wanted.where((Command.sent_s.is_(None)) | (Command.sent_s <= now_s - AGAIN_AFTER_S))
    # Who is not connected gets them when it says that it is; see waiting_for().
    wanted = wanted.where(Sensor.state.in_((messages.INIT, messages.READY)), Command.expires_s > now_s)
    return list(session.scalars(wanted.order_by(Command.id).limit(limit)))


def waiting_for(session: Session, sensor_id: int, now_s: int) -> list[Command]:
    """All commands a sensor has not answered: what it is sent when it connects."""
    wanted = select(Command).where(Command.ended_s.is_(None), Command.sensor_id == sensor_id)
    return list(session.scalars(wanted.where(Command.expires_s > now_s).order_by(Command.id)))


def mark_sent(command: Command, now_s: int) -> None:
    """Note a sending."""
    command.sent_s = now_s
    command.sends += 1


def answered(session: Session, sensor_id: int, public_id: str, ok: bool, error: str, now_s: int) -> bool:
    """Note a sensor's answer; return False if there is no such command of this sensor, or it was answered before."""
    found = session.scalar(select(Command).where(Command.public_id == public_id, Command.sensor_id == sensor_id))
    if found is None or found.ok is not None:
        return False
    error = refusal_code(error)
    if error == refusals.NO_TIME:
        return True  # it has just connected and is told the time; due() sends the command again
    _end(found, now_s, ok, error)
    return True


def refusal_code(error: str) -> str:
    """Return the code for a sentence of version 0.1; any other text as it is."""
    return _FORMER_SENTENCES.get(error, error)


def expire(session: Session, now_s: int) -> int:
    """End the commands whose time is over; return how many."""
    late = session.scalars(select(Command).where(Command.ended_s.is_(None), Command.expires_s <= now_s)).all()
    for command in late:
        _end(command, now_s, None, EXPIRED)
    return len(late)


def withdraw(session: Session, sensor: Sensor, name: str) -> None:
    """End a sensor's unanswered commands of one name: they would come too late."""
    wanted = select(Command).where(Command.ended_s.is_(None), Command.sensor_id == sensor.id, Command.name == name)
    for command in session.scalars(wanted):
        _end(command, clock.now_s(), None, WITHDRAWN)


def waits_s(command: Command, now_s: int) -> int:
    """How many seconds a sensor would still take an unanswered command; 0 once it has ended."""
    return 0 if command.ended_s is not None else max(0, command.expires_s - now_s)


def _end(command, now_s, ok, error):
    command.ended_s = now_s
    command.ok = ok
    command.error = error
    field = _WITH_ADDRESSES.get(command.name)
    if field and command.args.get(field):
        # A new object: SQLAlchemy does not see a change inside the old one.
        command.args = {**command.args, field: [] if isinstance(command.args[field], list) else "masked"}
