"""What is read from reports: sweeps, findings, self-tests, sessions, answers to a stimulus."""

import json

from pydantic_core import to_json
from sqlalchemy import select
from sqlalchemy.orm import Session

from ansim import messages
from server import clock
from server.models.findings import Finding, StimulusResult
from server.models.inspections import Inspection, InspectionSensor, SweepAssignment
from server.models.intake import Selftest
from server.models.sensors import Sensor
from server.services.findings.pseudonyms import Pseudonyms
from server.services.intake import finding_events, statements

# Kinds whose bodies name an address, and where.
_ADDRESSES = {messages.FINDING: ("subject", "bssid"), messages.STIMULUS: ("subject",)}


def record(session: Session, pseudonyms: Pseudonyms, new: list, now_s: int) -> None:
    """Make the rows that pages are built from. `new` are reports.New, in the order they came."""
    chosen = _chosen(session, new)
    sweeps = []
    for one in new:
        kind = one.message["kind"]
        inspection_id, restroom_id = chosen.get((one.message["inspection"], one.key[0]), (None, None))
        if kind == messages.SWEEP:
            sweeps.append(_sweep(one, inspection_id))
        elif kind == messages.FINDING:
            if inspection_id is None:
                # A fixed sensor reports for its place.
                restroom_id = session.scalar(select(Sensor.restroom_id).where(Sensor.id == one.key[0]))
            finding_events.take(session, pseudonyms, one, (inspection_id, restroom_id), now_s)
        elif kind == messages.SELFTEST:
            _selftest(session, one, now_s)
        elif kind == messages.SESSION:
            _session(session, one, inspection_id, now_s)
        elif kind == messages.STIMULUS:
            _stimulus(session, one, now_s)
    statements.insert_sweeps(session, sweeps)


def _chosen(session, new):
    """
    {(inspection ref, sensor_id): (inspection_id, restroom_id)} of the inspections that sensors report for.

    A sensor can only report for inspections it was chosen for.
    """
    refs = {one.message["inspection"] for one in new} - {""}
    if not refs:
        return {}
    wanted = select(Inspection.public_id, InspectionSensor.sensor_id, Inspection.id, Inspection.restroom_id)
    wanted = wanted.join(InspectionSensor).where(Inspection.public_id.in_(refs))
    found = {(ref, sensor_id): (row, room) for ref, sensor_id, row, room in session.execute(wanted)}
    # A sweep by button that a person has assigned since: see unassigned.py.
    given = select(SweepAssignment.inspection_ref, SweepAssignment.sensor_id, Inspection.id, Inspection.restroom_id)
    given = given.join(Inspection, Inspection.id == SweepAssignment.inspection_id)
    given = given.where(SweepAssignment.inspection_ref.in_(refs))
    found.update({(ref, sensor_id): (row, room) for ref, sensor_id, row, room in session.execute(given)})
    return found


def without_addresses(session: Session, pseudonyms: Pseudonyms, message: dict, body: bytes, at_s: int) -> bytes:
    """Return a report's bytes as they may stay: as they are, or with pseudonyms if they name an address."""
    if message["kind"] not in messages.KINDS:  # reports.UNREADABLE
        return b"{}"
    named = _ADDRESSES.get(message["kind"])
    if named is None:
        return body
    inner = {name: value for name, value in message["body"].items() if name != "label"}
    for name in named:
        if inner[name]:
            inner[name] = "pseudonym:" + pseudonyms.of(session, inner[name], clock.day(at_s))
    return json.dumps({**message, "body": inner}, separators=(",", ":")).encode()


def _sweep(one, inspection_id):
    """A tuple of bulk.SWEEP."""
    body = one.message["body"]
    channels = body["channels"]
    _, listened_ms, frames, undecodable, dropped = map(sum, zip(*channels, strict=True)) if channels else [0] * 5
    return (
        one.report_id,
        one.key[0],
        inspection_id,
        one.message["inspection"],
        body["from_ms"],
        body["to_ms"],
        one.at_s,
        body["deaf_ms"],
        listened_ms,
        frames,
        undecodable,
        dropped,
        body["stations"],
        body["access_points"],
        body["ble"],
        body["full"],
        body.get("spectrum_sweeps", 0),
        to_json(channels).decode(),
        to_json(body["capabilities"]).decode(),
    )


def _selftest(session, one, now_s):
    body = one.message["body"]
    session.add(
        Selftest(
            report_id=one.report_id,
            sensor_id=one.key[0],
            at_s=one.at_s,
            received_s=now_s,
            passed=body["passed"],
            checks=[list(row) for row in body["checks"]],
            took_ms=body["took_ms"],
        )
    )


def _session(session, one, inspection_id, now_s):
    started = one.message["body"]["what"] == "started"
    session.get(Sensor, one.key[0]).inspection_ref = one.message["inspection"] if started else ""
    if inspection_id is None:
        return
    wanted = select(InspectionSensor).where(
        InspectionSensor.inspection_id == inspection_id, InspectionSensor.sensor_id == one.key[0]
    )
    chosen = session.scalar(wanted)
    if started:
        chosen.started_s = chosen.started_s or one.at_s or now_s
    else:
        chosen.stopped_s = one.at_s or now_s


def _stimulus(session, one, now_s):
    body = one.message["body"]
    about = select(Finding.id).where(Finding.sensor_id == one.key[0], Finding.address == body["subject"])
    session.add(
        StimulusResult(
            report_id=one.report_id,
            sensor_id=one.key[0],
            finding_id=session.scalar(about.order_by(Finding.id.desc()).limit(1)),
            at_s=one.at_s,
            received_s=now_s,
            slots=body["slots"],
            p_ppm=body["p_ppm"],
            effect_permille=body["effect_permille"],
            heard_permille=body["heard_permille"],
        )
    )
