"""
What a person can make a sensor do, beside inspections: follow a signal, test for movement, dwell, change settings, ...

    command = operations.follow(session, user, finding, sensor)     # a Command; its answer is in command.ok and .error

Each function enqueues one command (signature tables: one for each part) and returns it; the caller has loaded the
sensor with the right. Erasing and changing settings is logged. The radio commands need the finding's address, which
exists while an alarm is open or a case, and while a notice goes on in a running inspection.
"""

import base64
import hashlib
import secrets
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from ansim import messages, schema, settings, signatures
from ansim.detect.stimulus import plan_slots
from ansim.frame_header import FIRST_5GHZ, LAST_5GHZ
from server.models.findings import Finding, StimulusResult
from server.models.inspections import InspectionSensor
from server.models.intake import Proximity
from server.models.sensors import Command, Sensor
from server.services.audit import log
from server.services.errors import Refused
from server.services.people import accounts
from server.services.sensors import command_queue, fleet
from server.vault import Vault

FOLLOW_S = 600  # the longest that the command takes; the page can start it again
STOP_S = 1
RADIO_LIFETIME_S = 150  # a Wi-Fi sensor connects once a minute
SELFTEST_LIFETIME_S = 600
TEST_S = 112  # with the lead: 117 s, of at most 120
LEAD_MS = 5000  # stillness before the first slot: the person gets ready, the page learns that the test has begun
LONG_LIFETIME_S = 24 * 3600  # of commands that may wait for a sensor that is switched off
PART_BYTES = 5000  # of a signature table in one command
DWELL_MAX_S = 600
RADIO_COMMANDS = ("dwell", "follow", "stop_following", "movement_test", "selftest", "test_signal")
MAINTENANCE_COMMANDS = ("settings", "signatures", "restart", "wipe")
# Settings that a page or program may change. A Wi-Fi password would stay in the table of commands, and a wrong broker
# address costs a visit, although the sensor takes settings back with which it reaches no broker for two minutes.
CHANGEABLE = ("upload_every_s", "keepalive_s", "always_listen", "selftest_at_start", "channels", "ntp")


def list_sensors(session: Session, user, finding: Finding) -> list[Sensor]:
    """Return the sensors that can follow a finding's transmitter: its own first, then those of the inspection."""
    taking_part = select(InspectionSensor.sensor_id).where(InspectionSensor.inspection_id == finding.inspection_id)
    query = select(Sensor).where(Sensor.revoked_s.is_(None))
    sensors = session.scalars(query.where((Sensor.id == finding.sensor_id) | Sensor.id.in_(taking_part))).all()
    usable = [sensor for sensor in sensors if fleet.may(session, user, accounts.INSPECT, sensor)]
    return sorted(usable, key=lambda sensor: (sensor.id != finding.sensor_id, sensor.name))


def follow(session: Session, user, finding: Finding, sensor: Sensor, seconds: int = FOLLOW_S) -> Command:
    """
    Let a sensor stay on a transmitter's channel and report its level twice a second.

    Raises Refused: finding_without_address, finding_without_channel, sensor_no_sniffer(sensor).
    """
    args = {**_target(finding, sensor), "seconds": seconds}
    command_queue.withdraw(session, sensor, messages.LOCATE)
    return command_queue.send(session, sensor, messages.LOCATE, args, user, RADIO_LIFETIME_S, finding)


def stop_following(session: Session, user, finding: Finding, sensor: Sensor) -> Command:
    """Let a sensor return to its listening plan. Raises Refused as follow()."""
    return follow(session, user, finding, sensor, STOP_S)


def test_movement(session: Session, user, finding: Finding, sensor: Sensor) -> Command:
    """
    Start a movement test; command.args["slots"] has its rows [start_ms, length_ms, 1 movement | 0 stillness].

    They count from the sensor's acknowledgement. Raises Refused as follow().
    """
    slots = [[start + LEAD_MS, length, mark] for start, length, mark in plan_slots(secrets.randbelow(4096), TEST_S)]
    args = {**_target(finding, sensor), "slots": slots}
    command_queue.withdraw(session, sensor, messages.SLOTS)
    return command_queue.send(session, sensor, messages.SLOTS, args, user, RADIO_LIFETIME_S, finding)


def dwell(session: Session, user, sensor: Sensor, channel: int, seconds: int) -> Command:
    """Let a sensor stay on one channel for 1..DWELL_MAX_S seconds. Raises Refused: dwell_bad(most)."""
    # A sensor refuses a channel that its board does not hear.
    if not ((1 <= channel <= 13 or FIRST_5GHZ <= channel <= LAST_5GHZ) and 1 <= seconds <= DWELL_MAX_S):
        raise Refused("dwell_bad", most=DWELL_MAX_S)
    args = {"channel": channel, "seconds": seconds}
    return command_queue.send(session, sensor, messages.DWELL, args, user, RADIO_LIFETIME_S)


def test_itself(session: Session, user, sensor: Sensor, emitter: str = "") -> Command:
    """Let a sensor test itself; emitter: address of another sensor that sends its test signal, "" for none."""
    args = {"emitter": emitter} if emitter else {}
    return command_queue.send(session, sensor, messages.RUN_SELFTEST, args, user, SELFTEST_LIFETIME_S)


def restart(session: Session, user, sensor: Sensor) -> Command:
    """Let a sensor restart."""
    return command_queue.send(session, sensor, messages.RESTART, {}, user, SELFTEST_LIFETIME_S)


def send_test_signal(session: Session, user, sensor: Sensor) -> Command:
    """Let a sensor send its test signal for ten minutes, which another sensor's self-test looks for."""
    return command_queue.send(session, sensor, messages.TEST_SIGNAL, {}, user, RADIO_LIFETIME_S)


def change_settings(session: Session, user, sensor: Sensor, changes: dict) -> Command:
    """
    Send changes of settings (ansim/settings.py), which the sensor tries and takes back if it cannot connect.

    Raises Refused: settings_none, settings_fixed(names), settings_bad(names).
    """
    if not changes:
        raise Refused("settings_none")
    fixed = sorted(set(changes) - set(CHANGEABLE))
    if fixed:
        raise Refused("settings_fixed", names=", ".join(fixed))
    known = settings.fields()
    bad = [name for name in CHANGEABLE if name in changes and schema.check(known[name][0], changes[name])]
    if bad:
        raise Refused("settings_bad", names=", ".join(bad))
    log.add(session, "sensor.settings", sensor.name, {"changes": changes}, user)
    return command_queue.send(session, sensor, messages.SETTINGS, {"changes": changes}, user, LONG_LIFETIME_S)


def send_tables(session: Session, vault: Vault, user, sensor: Sensor) -> list[Command]:
    """Send this server's signature tables, signed for the sensor, which uses those that are newer than its own."""
    key = vault.unseal(sensor.key_sealed)
    sent = []
    for table in signatures.NAMES.values():
        data = signatures.signed((Path(signatures.__file__).parent / f"{table}.bin").read_bytes(), key)
        digest = hashlib.sha256(data).hexdigest()
        for offset in range(0, len(data), PART_BYTES):
            part = base64.b64encode(data[offset : offset + PART_BYTES]).decode()
            args = {"table": table, "bytes": len(data), "sha256": digest, "offset": offset, "data": part}
            sent.append(command_queue.send(session, sensor, messages.SIGNATURES, args, user, LONG_LIFETIME_S))
    return sent


def wipe(session: Session, user, sensor: Sensor) -> Command:
    """Let a sensor erase its key, settings and reports. It has to be set up again afterwards."""
    log.add(session, "sensor.wiped", sensor.name, {}, user)
    return command_queue.send(session, sensor, messages.WIPE, {"device": sensor.name}, user, LONG_LIFETIME_S)


def load_levels(session: Session, finding: Finding, since_ms: int, limit: int = 150) -> list[Proximity]:
    """Return the newest levels of a finding's transmitter after a time, oldest first."""
    query = select(Proximity).where(Proximity.finding_id == finding.id, Proximity.received_ms > since_ms)
    return list(reversed(session.scalars(query.order_by(Proximity.received_ms.desc()).limit(limit)).all()))


def load_result(session: Session, finding: Finding, since_s: int) -> StimulusResult | None:
    """Return the result of a movement test that arrived at or after a time, or None."""
    query = select(StimulusResult).where(StimulusResult.finding_id == finding.id, StimulusResult.received_s >= since_s)
    return session.scalar(query.order_by(StimulusResult.id.desc()).limit(1))


def why_not_follow(finding: Finding) -> Refused | None:
    """Return why a finding's transmitter cannot be followed, or None."""
    if not finding.address:
        return Refused("finding_without_address")
    if not finding.channel:
        return Refused("finding_without_channel")
    return None


def _target(finding, sensor):
    refusal = why_not_follow(finding)
    if refusal:
        raise refusal
    if messages.SNIFF not in (sensor.info or {}).get("capabilities", [messages.SNIFF]):
        raise Refused("sensor_no_sniffer", sensor=sensor.name)
    return {"subject": finding.address, "channel": finding.channel}
