"""
Roll-outs of firmware releases: first to a few sensors (canaries), then to all; stopped when too many fail.

    release = add_release(session, "0.2.0", files)        # {"ansim/topics.mpy": b"...", ...}
    rollout = begin(session, release, sensors, canaries=2, user=user)
    tick(session, vault, now_s)                           # every few seconds, by the ingest process

A sensor runs the release when its info message names the release's manifest: it does so only once it has reached
the broker with it. It has failed when it reports a rollback or refuses the command. A sensor that is never heard
is not a failure.
"""

import base64
from hashlib import sha256

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from ansim import envelope, messages, refusal_codes
from server import clock
from server.models.sensors import Command, Release, ReleaseFile, Rollout, RolloutSensor, Sensor
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.sensors import command_queue
from server.vault import Vault

PART_BYTES = 2048  # one message; a sensor holds the part about three times in memory
OFFER_S = 7 * 86400  # lifetime of the command
PATIENCE_S = 2 * 86400  # after the acknowledgement: download over a bad link, then three tries
AT_ONCE = 50  # sensors that download at the same time
MOST_BYTES = 1 << 20
MOST_MANIFEST_BYTES = 65536

WAITING, DONE, ROLLED_BACK, REFUSED, NOT_HEARD, CANCELLED, USB_ONLY = (
    "",
    "done",
    "rolled_back",
    "refused",
    "not_heard",
    "cancelled",
    "usb_only",
)
FAILURES = (ROLLED_BACK, REFUSED)
# Reasons for an early end.
CANARY_FAILED, TOO_MANY_FAILED, NO_CANARY_HEARD, BY_HAND = "canary_failed", "too_many_failed", "no_canary", "by_hand"


def add_release(session: Session, version: str, files: dict, boards: list | None = None) -> Release:
    """
    Add a release; adding the same files again returns the existing one.

    files   {path in a slot: content}, such as "ansim/topics.mpy", "firmware/start.mpy"
    boards  names of the boards it runs on, as in ansim/settings.py; None: all

    Raises Refused: release_bad, release_too_large(most_kb).
    """
    if (
        not all(_is_path(path) for path in files)
        or not any(path.startswith("firmware/start.") for path in files)
        or not version
    ):
        raise Refused("release_bad")
    lines = [f"{sha256(files[path]).hexdigest()} {len(files[path])} {path}\n" for path in sorted(files)]
    manifest = "".join(lines).encode()
    size = sum(map(len, files.values()))
    if size > MOST_BYTES or len(manifest) > MOST_MANIFEST_BYTES:
        raise Refused("release_too_large", most_kb=MOST_BYTES >> 10)
    digest = sha256(manifest).hexdigest()
    release = session.scalar(select(Release).where(Release.sha256 == digest))
    if release:
        return release
    contents = {sha256(content).hexdigest(): content for content in (manifest, *files.values())}
    known = set(session.scalars(select(ReleaseFile.sha256).where(ReleaseFile.sha256.in_(contents))))
    session.add_all(ReleaseFile(sha256=sha, content=content) for sha, content in contents.items() if sha not in known)
    release = Release(version=version[:32], boards=boards or [], sha256=digest, bytes=size, added_s=clock.now_s())
    session.add(release)
    session.flush()
    return release


def list_releases(session: Session, limit: int = 20) -> list[Release]:
    """Return the releases, newest first."""
    return list(session.scalars(select(Release).order_by(Release.id.desc()).limit(limit)))


def load_release(session: Session, public_id: str) -> Release:
    """Return a release. Raises NotFound."""
    release = session.scalar(select(Release).where(Release.public_id == public_id))
    if release is None:
        raise NotFound("release")
    return release


def load(session: Session, public_id: str) -> Rollout:
    """Return a rollout. Raises NotFound."""
    rollout = session.scalar(select(Rollout).where(Rollout.public_id == public_id))
    if rollout is None:
        raise NotFound("rollout")
    return rollout


def fits(release: Release, sensor: Sensor) -> bool:
    """Return whether a sensor's board, as far as it is known, can run a release that it does not run yet."""
    info = sensor.info or {}
    right_board = not release.boards or info.get("board") in release.boards
    return sensor.revoked_s is None and right_board and info.get("update") != release.sha256


def is_usb_only(sensor: Sensor) -> bool:
    """Return whether a sensor has said that its program can be replaced by USB only."""
    return (sensor.info or {}).get("updates") == "usb"


def begin(
    session: Session, release: Release, sensors: list, canaries: int = 1, most_failures: int = 1, user=None
) -> Rollout:
    """
    Start a roll-out to those of the sensors that the release fits, the ones heard last first.

    Sensors that can be updated by USB only are listed with the outcome USB_ONLY.

    canaries       number of sensors that get it first; the others wait until these run it
    most_failures  failures of the others that do not stop the roll-out

    Raises Refused: rollout_running, rollout_empty.
    """
    if session.scalar(select(Rollout.id).where(Rollout.ended_s.is_(None))):
        raise Refused("rollout_running")
    fitting = sorted(
        (sensor for sensor in sensors if fits(release, sensor)), key=lambda sensor: -(sensor.last_seen_s or 0)
    )
    chosen = [sensor for sensor in fitting if not is_usb_only(sensor)]
    if not chosen:
        raise Refused("rollout_empty")
    canaries = max(1, min(canaries, len(chosen)))
    rollout = Rollout(
        release_id=release.id,
        began_s=clock.now_s(),
        by_id=user.id if user else None,
        canaries=canaries,
        most_failures=max(0, most_failures),
    )
    session.add(rollout)
    session.flush()
    rows = [
        RolloutSensor(rollout_id=rollout.id, sensor_id=sensor.id, canary=number < canaries)
        for number, sensor in enumerate(chosen)
    ]
    skipped = [
        RolloutSensor(
            rollout_id=rollout.id, sensor_id=sensor.id, canary=False, outcome=USB_ONLY, ended_s=rollout.began_s
        )
        for sensor in fitting
        if is_usb_only(sensor)
    ]
    session.add_all(rows + skipped)
    session.flush()
    body = {"version": release.version, "sha256": release.sha256, "sensors": len(rows), "canaries": canaries}
    log.add(session, "rollout.begun", rollout.public_id, body, user)
    return rollout


def stop(session: Session, rollout: Rollout, why: str = BY_HAND, now_s: int | None = None, user=None) -> None:
    """End a roll-out: sensors that run the release keep it, waiting commands are withdrawn."""
    if rollout.ended_s is not None:
        return
    now_s = clock.now_s() if now_s is None else now_s
    for row in list_sensors(session, rollout):
        if row.outcome == WAITING:
            if row.offered_s is not None:
                command_queue.withdraw(session, row.sensor, messages.UPDATE)
            row.outcome, row.ended_s = CANCELLED, now_s
    rollout.ended_s, rollout.stopped, rollout.why = now_s, True, why
    log.add(session, "rollout.stopped", rollout.public_id, {"why": why}, user)


def list_rollouts(session: Session, limit: int = 10) -> list[Rollout]:
    """Return the roll-outs with their releases, newest first."""
    query = select(Rollout).options(joinedload(Rollout.release)).order_by(Rollout.id.desc())
    return list(session.scalars(query.limit(limit)))


def count_outcomes(session: Session, rollouts: list) -> dict:
    """Return {rollout id: {outcome: sensors}}."""
    counts = {rollout.id: {} for rollout in rollouts}
    columns = (RolloutSensor.rollout_id, RolloutSensor.outcome, func.count())
    query = select(*columns).where(RolloutSensor.rollout_id.in_(counts)).group_by(*columns[:2])
    for rollout_id, outcome, number in session.execute(query):
        counts[rollout_id][outcome] = number
    return counts


def list_sensors(session: Session, rollout: Rollout) -> list[RolloutSensor]:
    """Return the sensors of a roll-out, canaries first."""
    query = select(RolloutSensor).where(RolloutSensor.rollout_id == rollout.id)
    query = query.options(joinedload(RolloutSensor.sensor)).order_by(RolloutSensor.canary.desc(), RolloutSensor.id)
    return list(session.scalars(query))


def part(session: Session, digest: str, offset: int) -> dict:
    """Return the message that answers a sensor's `want`; offset: up to uplink_schemas.MAX_FILE_BYTES."""
    query = select(func.substr(ReleaseFile.content, offset + 1, PART_BYTES)).where(ReleaseFile.sha256 == digest)
    data = session.scalar(query) or b""
    return messages.part(digest, offset, base64.b64encode(data).decode())


def tick(session: Session, vault: Vault, now_s: int) -> list[Rollout]:
    """Advance the running roll-outs; return those that this call has stopped."""
    stopped = []
    for rollout in session.scalars(select(Rollout).where(Rollout.ended_s.is_(None))).all():
        rows = list_sensors(session, rollout)
        _record_outcomes(session, rollout, rows, now_s)
        why = _why_stop(rollout, rows)
        if why:
            stop(session, rollout, why, now_s)
            stopped.append(rollout)
        elif all(row.outcome != WAITING for row in rows):
            rollout.ended_s = now_s
            log.add(session, "rollout.done", rollout.public_id, {})
        else:
            _offer(session, vault, rollout, rows, now_s)
    return stopped


def _record_outcomes(session, rollout, rows, now_s):
    open_rows = [row for row in rows if row.outcome == WAITING and row.offered_s is not None]
    command_ids = [row.command_id for row in open_rows]
    query = select(Command).where(Command.id.in_(command_ids))
    by_id = {command.id: command for command in session.scalars(query)}
    for row in open_rows:
        outcome = _outcome(rollout.release, row, by_id.get(row.command_id), now_s)
        if outcome != WAITING:
            row.outcome, row.ended_s = outcome, now_s
            if by_id.get(row.command_id) is not None and by_id[row.command_id].ended_s is None:
                command_queue.withdraw(session, row.sensor, messages.UPDATE)  # its acknowledgement was lost


def _outcome(release, row, command, now_s):
    info = row.sensor.info or {}
    if info.get("update") == release.sha256:
        return DONE
    if row.sensor.revoked_s is not None:
        return CANCELLED
    is_new = row.sensor.info_s is not None and row.sensor.info_s >= row.offered_s
    failed = info.get("failed_update", "")
    # A hash is the manifest that was rolled back, perhaps of an earlier roll-out; other texts say why not installed.
    if is_new and (failed == release.sha256 or (failed and len(failed) != len(release.sha256))):
        return ROLLED_BACK
    if command is None or command.ended_s is None:
        return WAITING
    if command.ok is None:
        return NOT_HEARD
    if not command.ok:
        return DONE if command_queue.refusal_code(command.error) == refusal_codes.ALREADY_INSTALLED else REFUSED
    return ROLLED_BACK if now_s - command.ended_s > PATIENCE_S else WAITING


def _why_stop(rollout, rows):
    canaries = [row for row in rows if row.canary]
    if any(row.outcome in FAILURES for row in canaries):
        return CANARY_FAILED
    if all(row.outcome in (NOT_HEARD, CANCELLED) for row in canaries):
        return NO_CANARY_HEARD
    failed = sum(row.outcome in FAILURES for row in rows)
    return TOO_MANY_FAILED if failed > rollout.most_failures else ""


def _offer(session, vault, rollout, rows, now_s):
    first = any(row.canary and row.outcome == WAITING for row in rows)
    under_way = sum(row.outcome == WAITING and row.offered_s is not None for row in rows)
    size = session.scalar(select(func.length(ReleaseFile.content)).where(ReleaseFile.sha256 == rollout.release.sha256))
    for row in rows:
        if row.outcome != WAITING or row.offered_s is not None or (first and not row.canary):
            continue
        if under_way >= AT_ONCE:
            return
        under_way += 1
        if not fits(rollout.release, row.sensor):
            row.outcome, row.ended_s = DONE if row.sensor.revoked_s is None else CANCELLED, now_s
            continue
        key = vault.unseal(row.sensor.key_sealed)
        digest = rollout.release.sha256
        args = {"version": rollout.release.version, "bytes": size, "sha256": digest}
        args["hmac"] = envelope.manifest_hmac(key, digest)
        row.command_id = command_queue.send(session, row.sensor, messages.UPDATE, args, lifetime_s=OFFER_S).id
        row.offered_s = now_s


def _is_path(path):
    parts = path.split("/")
    return len(parts) > 1 and parts[0] in ("ansim", "firmware") and all(parts) and ".." not in parts and " " not in path
