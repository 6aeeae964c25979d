"""
Commands to sensors. A page adds a row; the ingest process signs and publishes it.

A command is published again until the sensor acknowledges it or it expires; the sensor executes an id once.
"""

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from ansim import messages, refusal_codes
from ansim.decode import argument_problems
from server import clock
from server.models.findings import Finding
from server.models.sensors import Command, Sensor

LIFETIME_S = 60
AGAIN_AFTER_S = 5  # a connected sensor acknowledges within a second, unless its radio is busy
EXPIRED = "expired"
WITHDRAWN = "withdrawn"
WAITING, SENT, DONE, REFUSED = "waiting", "sent", "done", "refused"
STATUSES = (WAITING, SENT, DONE, REFUSED, EXPIRED)
# Sensors of version 0.1 answer with sentences; these are the ones that the server acts upon or has words for.
_FORMER_SENTENCES = {
    "the sensor does not know the time yet": refusal_codes.NO_TIME,
    "this version runs already": refusal_codes.ALREADY_INSTALLED,
    "interrupted by a restart": refusal_codes.INTERRUPTED,
    "the flash refuses to note the command": refusal_codes.FLASH_FAILED,
    "another inspection is running": refusal_codes.OTHER_INSPECTION,
    "an inspection is running": refusal_codes.INSPECTION_RUNNING,
    "this sensor has no sniffer to follow a signal with": refusal_codes.NO_SNIFFER,
}
# Arguments that hold hardware addresses.
_WITH_ADDRESSES = {messages.INSPECTION_START: "known", messages.LOCATE: "subject", messages.SLOTS: "subject"}


def send(
    session: Session,
    sensor: Sensor,
    name: str,
    args: dict,
    user=None,
    lifetime_s: int = LIFETIME_S,
    finding: Finding | None = None,
) -> Command:
    """
    Enqueue a command for a sensor.

    finding  whose transmitter the command is about

    Raises ValueError if name or args do not fit ansim/downlink_schemas.py.
    """
    problems = argument_problems(name, args)
    if problems is None or problems:
        raise ValueError(f"{name}: " + ("; ".join(problems) if problems else "no such command"))
    now_s = clock.now_s()
    command = Command(
        sensor_id=sensor.id,
        name=name,
        args=args,
        finding_id=finding.id if finding else None,
        created_s=now_s,
        created_by_id=user.id if user else None,
        expires_s=now_s + lifetime_s,
    )
    session.add(command)
    session.flush()
    return command


def recent(session: Session, sensor: Sensor, limit: int = 20) -> list[Command]:
    """Return the commands of a sensor, newest first."""
    query = select(Command).where(Command.sensor_id == sensor.id).order_by(Command.id.desc())
    return list(session.scalars(query.limit(limit)))


def load_newest(session: Session, finding: Finding, name: str) -> Command | None:
    """Return the newest command with this name about a finding, or None."""
    query = select(Command).where(Command.finding_id == finding.id, Command.name == name)
    return session.scalar(query.order_by(Command.id.desc()).limit(1))


def finding_of(session: Session, sensor_id: int, name: str, same: ColumnElement[bool]) -> int | None:
    """
    Return the row number of the finding that a sensor was told to follow or to test, or None.

    same  condition: a Finding has the address that the sensor now reports about
    """
    query = select(Finding.id).join(Command, Command.finding_id == Finding.id)
    query = query.where(Command.sensor_id == sensor_id, Command.name == name, same)
    return session.scalar(query.order_by(Command.id.desc()).limit(1))


def due(session: Session, now_s: int, limit: int = 500) -> list[Command]:
    """Return the commands to publish now, oldest first: never sent, or sent AGAIN_AFTER_S ago."""
    query = select(Command).join(Sensor).where(Command.ended_s.is_(None), Sensor.revoked_s.is_(None))
    again = (Command.sent_s <= now_s - AGAIN_AFTER_S) | (Command.sent_s > now_s)  # later: the clock was set back
    query = query.where(Command.sent_s.is_(None) | again)
    # A sensor that is not connected gets them when it connects; see waiting_for().
    query = query.where(Sensor.state.in_((messages.INIT, messages.READY)), Command.expires_s > now_s)
    return list(session.scalars(query.order_by(Command.id).limit(limit)))


def waiting_for(session: Session, sensor_id: int, now_s: int) -> list[Command]:
    """Return the unacknowledged commands of a sensor, which it is sent when it connects."""
    query = select(Command).where(Command.ended_s.is_(None), Command.sensor_id == sensor_id)
    return list(session.scalars(query.where(Command.expires_s > now_s).order_by(Command.id)))


def mark_sent(command: Command, now_s: int) -> None:
    """Record a publication."""
    command.sent_s = now_s
    command.sends += 1


def acknowledge(session: Session, sensor_id: int, public_id: str, ok: bool, error: str, now_s: int) -> bool:
    """Record an acknowledgement; return False if the sensor has no such command, or it was acknowledged before."""
    command = session.scalar(select(Command).where(Command.public_id == public_id, Command.sensor_id == sensor_id))
    if command is None or command.ok is not None:
        return False
    error = refusal_code(error)
    if error == refusal_codes.NO_TIME:
        return True  # it has just connected and receives the time; due() returns the command again
    command.acknowledged_ms = clock.now_ms()
    _end(command, now_s, ok, error)
    return True


def refusal_code(error: str) -> str:
    """Return the code for a sentence of version 0.1; any other text as it is."""
    return _FORMER_SENTENCES.get(error, error)


def expire(session: Session, now_s: int) -> int:
    """End the expired commands; return how many."""
    late = session.scalars(select(Command).where(Command.ended_s.is_(None), Command.expires_s <= now_s)).all()
    for command in late:
        _end(command, now_s, None, EXPIRED)
    return len(late)


def withdraw(session: Session, sensor: Sensor, name: str) -> None:
    """End the unacknowledged commands of a sensor with this name: they would come too late."""
    query = select(Command).where(Command.ended_s.is_(None), Command.sensor_id == sensor.id, Command.name == name)
    for command in session.scalars(query):
        _end(command, clock.now_s(), None, WITHDRAWN)


def status(command: Command) -> str:
    """Return WAITING, SENT, DONE, REFUSED (its error says why) or EXPIRED, also for a withdrawn command."""
    if command.ok is not None:
        return DONE if command.ok else REFUSED
    if command.ended_s is not None:
        return EXPIRED
    return SENT if command.sends else WAITING


def valid_for_s(command: Command, now_s: int) -> int:
    """Return for how many seconds an unacknowledged command is still valid; 0 once it has ended."""
    return 0 if command.ended_s is not None else max(0, command.expires_s - now_s)


def _end(command, now_s, ok, error):
    command.ended_s = now_s
    command.ok = ok
    command.error = error
    field = _WITH_ADDRESSES.get(command.name)
    if field and command.args.get(field):
        # A new object: SQLAlchemy does not see a change inside the old one.
        command.args = {**command.args, field: [] if isinstance(command.args[field], list) else "masked"}
