"""
New versions of the sensors' program: added, rolled out to a few sensors first, then to all, stopped when they fail.

    release = add_release(session, "0.2.0", files)        # {"ansim/topics.mpy": b"...", ...}
    rollout = begin(session, release, sensors, canaries=2, user=user)
    tick(session, vault, now_s)                           # every few seconds, by the ingest process

A sensor has the release when its info message names the release's manifest: it says so only once it has
reached the broker with it. It has failed when it says that it went back, or refuses. A sensor that is never
heard is no failure: it says nothing about the release.
"""

import base64
from hashlib import sha256

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from ansim import envelope, messages, refusals
from server import clock
from server.models.sensors import Command, Release, ReleaseFile, Rollout, RolloutSensor, Sensor
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.sensors import commands
from server.vault import Vault

PART_BYTES = 2048  # one answer; a sensor has the part about three times in its memory
OFFER_S = 7 * 86400  # how long the command waits for a sensor
PATIENCE_S = 2 * 86400  # after it was accepted: fetched over a bad link, then tried three times
AT_ONCE = 50  # sensors that fetch at the same time
MOST_BYTES = 1 << 20
MOST_MANIFEST_BYTES = 65536

WAITING, DONE, ROLLED_BACK, REFUSED, NOT_HEARD, CANCELLED = (
    "",
    "done",
    "rolled_back",
    "refused",
    "not_heard",
    "cancelled",
)
FAILURES = (ROLLED_BACK, REFUSED)
# Why a rollout ended before all had it.
CANARY_FAILED, TOO_MANY_FAILED, NO_CANARY_HEARD, BY_HAND = "canary_failed", "too_many_failed", "no_canary", "by_hand"


def add_release(session: Session, version: str, files: dict, boards: list | None = None) -> Release:
    """
    Add a version; adding the same again returns what is there.

    files   {path in a slot: content}, such as "ansim/topics.mpy", "firmware/start.mpy"
    boards  names of the boards it is for, as in ansim/settings.py; None: all

    Raises Refused: release_bad, release_too_large(most_kb).
    """
    good = [path for path in files if _is_path(path)]
    if len(good) < len(files) or not any(path.startswith("firmware/start.") for path in files) or not version:
        raise Refused("release_bad")
    lines = [f"{sha256(files[path]).hexdigest()} {len(files[path])} {path}\n" for path in sorted(files)]
    manifest = "".join(lines).encode()
    size = sum(map(len, files.values()))
    if size > MOST_BYTES or len(manifest) > MOST_MANIFEST_BYTES:
        raise Refused("release_too_large", most_kb=MOST_BYTES >> 10)
    digest = sha256(manifest).hexdigest()
    there = session.scalar(select(Release).where(Release.sha256 == digest))
    if there:
        return there
    contents = {sha256(content).hexdigest(): content for content in (manifest, *files.values())}
    known = set(session.scalars(select(ReleaseFile.sha256).where(ReleaseFile.sha256.in_(contents))))
    session.add_all(ReleaseFile(sha256=one, content=contents[one]) for one in contents if one not in known)
    added = Release(version=version[:32], boards=boards or [], sha256=digest, bytes=size, added_s=clock.now_s())
    session.add(added)
    session.flush()
    return added


def releases(session: Session, limit: int = 20) -> list[Release]:
    """The newest releases first."""
    return list(session.scalars(select(Release).order_by(Release.id.desc()).limit(limit)))


def release(session: Session, public_id: str) -> Release:
    """Return a release. Raises NotFound."""
    found = session.scalar(select(Release).where(Release.public_id == public_id))
    if found is None:
        raise NotFound("release")
    return found


def rollout(session: Session, public_id: str) -> Rollout:
    """Return a rollout. Raises NotFound."""
    found = session.scalar(select(Rollout).where(Rollout.public_id == public_id))
    if found is None:
        raise NotFound("rollout")
    return found


def fits(release_: Release, sensor: Sensor) -> bool:
    """True if a sensor's board, as far as it is known, can run a release, and it does not yet."""
    info = sensor.info or {}
    right = not release_.boards or info.get("board") in release_.boards
    return sensor.revoked_s is None and right and info.get("update") != release_.sha256


def begin(
    session: Session, release_: Release, sensors: list, canaries: int = 1, most_failures: int = 1, user=None
) -> Rollout:
    """
    Roll a release out to those of the sensors that it fits; the ones heard last go first.

    canaries       how many get it first; the others wait until these run it
    most_failures  of the others; one more stops the rollout

    Raises Refused: rollout_running, rollout_empty.
    """
    if session.scalar(select(Rollout.id).where(Rollout.ended_s.is_(None))):
        raise Refused("rollout_running")
    chosen = sorted((one for one in sensors if fits(release_, one)), key=lambda one: -(one.last_seen_s or 0))
    if not chosen:
        raise Refused("rollout_empty")
    canaries = max(1, min(canaries, len(chosen)))
    made = Rollout(
        release_id=release_.id,
        began_s=clock.now_s(),
        by_id=user.id if user else None,
        canaries=canaries,
        most_failures=max(0, most_failures),
    )
    session.add(made)
    session.flush()
    rows = [RolloutSensor(rollout_id=made.id, sensor_id=one.id, canary=at < canaries) for at, one in enumerate(chosen)]
    session.add_all(rows)
    session.flush()
    body = {"version": release_.version, "sha256": release_.sha256, "sensors": len(rows), "canaries": canaries}
    log.add(session, "rollout.begun", made.public_id, body, user)
    return made


def stop(session: Session, one: Rollout, why: str = BY_HAND, now_s: int | None = None, user=None) -> None:
    """End a rollout; sensors that have it keep it, commands that wait are withdrawn."""
    if one.ended_s is not None:
        return
    now_s = clock.now_s() if now_s is None else now_s
    for row in sensors_of(session, one):
        if row.outcome == WAITING:
            if row.offered_s is not None:
                commands.withdraw(session, row.sensor, messages.UPDATE)
            row.outcome, row.ended_s = CANCELLED, now_s
    one.ended_s, one.stopped, one.why = now_s, True, why
    log.add(session, "rollout.stopped", one.public_id, {"why": why}, user)


def recent(session: Session, limit: int = 10) -> list[Rollout]:
    """The newest rollouts first, with their releases."""
    wanted = select(Rollout).options(joinedload(Rollout.release)).order_by(Rollout.id.desc())
    return list(session.scalars(wanted.limit(limit)))


def counts(session: Session, rollouts: list) -> dict:
    """Return {rollout id: {outcome: sensors}}."""
    found = {one.id: {} for one in rollouts}
    columns = (RolloutSensor.rollout_id, RolloutSensor.outcome, func.count())
    wanted = select(*columns).where(RolloutSensor.rollout_id.in_(found)).group_by(*columns[:2])
    for rollout_id, outcome, number in session.execute(wanted):
        found[rollout_id][outcome] = number
    return found


def sensors_of(session: Session, one: Rollout) -> list[RolloutSensor]:
    """The sensors of a rollout, canaries first."""
    wanted = select(RolloutSensor).where(RolloutSensor.rollout_id == one.id)
    wanted = wanted.options(joinedload(RolloutSensor.sensor)).order_by(RolloutSensor.canary.desc(), RolloutSensor.id)
    return list(session.scalars(wanted))


def part(session: Session, digest: str, offset: int) -> dict:
    """Return the message that answers a sensor's `want`."""
    wanted = select(func.substr(ReleaseFile.content, offset + 1, PART_BYTES)).where(ReleaseFile.sha256 == digest)
    data = session.scalar(wanted) or b""
    return messages.part(digest, offset, base64.b64encode(data).decode())


def tick(session: Session, vault: Vault, now_s: int) -> list[Rollout]:
    """Take rollouts a step further; return those that stopped by themselves just now."""
    stopped = []
    for one in session.scalars(select(Rollout).where(Rollout.ended_s.is_(None))).all():
        rows = sensors_of(session, one)
        _note_outcomes(session, one, rows, now_s)
        why = _why_stop(one, rows)
        if why:
            stop(session, one, why, now_s)
            stopped.append(one)
        elif all(row.outcome != WAITING for row in rows):
            one.ended_s = now_s
            log.add(session, "rollout.done", one.public_id, {})
        else:
            _offer(session, vault, one, rows, now_s)
    return stopped


def _note_outcomes(session, one, rows, now_s):
    open_rows = [row for row in rows if row.outcome == WAITING and row.offered_s is not None]
    numbers = [row.command_id for row in open_rows]
    answers = {command.id: command for command in session.scalars(select(Command).where(Command.id.in_(numbers)))}
    for row in open_rows:
        outcome = _outcome(one.release, row, answers.get(row.command_id), now_s)
        if outcome != WAITING:
            row.outcome, row.ended_s = outcome, now_s
            if answers.get(row.command_id) is not None and answers[row.command_id].ended_s is None:
                commands.withdraw(session, row.sensor, messages.UPDATE)  # its answer was lost


def _outcome(release_, row, command, now_s):
    info = row.sensor.info or {}
    if info.get("update") == release_.sha256:
        return DONE
    if row.sensor.revoked_s is not None:
        return CANCELLED
    told = row.sensor.info_s is not None and row.sensor.info_s >= row.offered_s
    failed = info.get("failed_update", "")
    # A hash is the manifest of what was rolled back, perhaps of an earlier rollout; other words are why not installed.
    if told and (failed == release_.sha256 or (failed and len(failed) != len(release_.sha256))):
        return ROLLED_BACK
    if command is None or command.ended_s is None:
        return WAITING
    if command.ok is None:
        return NOT_HEARD
    if not command.ok:
        return DONE if commands.refusal_code(command.error) == refusals.ALREADY_INSTALLED else REFUSED
    return ROLLED_BACK if now_s - command.ended_s > PATIENCE_S else WAITING


def _why_stop(one, rows):
    canaries = [row for row in rows if row.canary]
    if any(row.outcome in FAILURES for row in canaries):
        return CANARY_FAILED
    if all(row.outcome in (NOT_HEARD, CANCELLED) for row in canaries):
        return NO_CANARY_HEARD
    failed = sum(row.outcome in FAILURES for row in rows)
    return TOO_MANY_FAILED if failed > one.most_failures else ""


def _offer(session, vault, one, rows, now_s):
    first = any(row.canary and row.outcome == WAITING for row in rows)
    under_way = sum(row.outcome == WAITING and row.offered_s is not None for row in rows)
    size = session.scalar(select(func.length(ReleaseFile.content)).where(ReleaseFile.sha256 == one.release.sha256))
    for row in rows:
        if row.outcome != WAITING or row.offered_s is not None or (first and not row.canary):
            continue
        if under_way >= AT_ONCE:
            return
        under_way += 1
        if not fits(one.release, row.sensor):
            row.outcome, row.ended_s = DONE if row.sensor.revoked_s is None else CANCELLED, now_s
            continue
        key = vault.unseal(row.sensor.key_sealed)
        digest = one.release.sha256
        args = {"version": one.release.version, "bytes": size, "sha256": digest}
        args["hmac"] = envelope.manifest_hmac(key, digest)
        row.command_id = commands.send(session, row.sensor, messages.UPDATE, args, lifetime_s=OFFER_S).id
        row.offered_s = now_s


def _is_path(path):
    parts = path.split("/")
    return len(parts) > 1 and parts[0] in ("ansim", "firmware") and all(parts) and ".." not in parts and " " not in path
