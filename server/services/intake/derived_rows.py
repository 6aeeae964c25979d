"""Derive rows from new reports: sweeps, findings, self-tests, sessions and results of movement tests."""

import json

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from ansim import messages
from server import clock
from server.models.findings import Finding, StimulusResult
from server.models.inspections import Inspection, InspectionSensor, SweepAssignment
from server.models.intake import Selftest
from server.models.sensors import Sensor
from server.services.findings.pseudonyms import Pseudonyms
from server.services.inspecting import result_validity
from server.services.intake import bulk_sql, finding_events
from server.services.intake.received_report import NewReport
from server.services.sensors import command_queue

_to_json = msgspec.json.Encoder().encode
_NO_CHANNELS = ((),) * 5
# Kinds with addresses in their bodies, and the fields that hold them.
_ADDRESSES = {messages.FINDING: ("subject", "bssid"), messages.STIMULUS: ("subject",)}


def record(session: Session, pseudonyms: Pseudonyms, new: list[NewReport], now_s: int) -> None:
    """Add the rows that are derived from new reports, given in the order they came."""
    inspections = _load_inspections(session, new)
    sweeps, stopped = [], []
    for report in new:
        kind = report.message["kind"]
        inspection_id, restroom_id = inspections.get((report.message["inspection"], report.sensor_id), (None, None))
        if kind == messages.SWEEP:
            sweeps.append(_sweep_row(report, inspection_id))
        elif kind == messages.FINDING:
            if inspection_id is None:
                # A fixed sensor reports for the restroom where it is installed.
                restroom_id = session.scalar(select(Sensor.restroom_id).where(Sensor.id == report.sensor_id))
            finding_events.record(session, pseudonyms, report, inspection_id, restroom_id, now_s)
        elif kind == messages.SELFTEST:
            _record_selftest(session, report, now_s)
        elif kind == messages.SESSION:
            _record_session(session, report, inspection_id, now_s)
            if inspection_id is not None and report.message["body"]["what"] == "stopped":
                stopped.append(inspection_id)
        elif kind == messages.STIMULUS:
            _record_stimulus(session, pseudonyms, report, now_s)
    bulk_sql.insert_sweeps(session, sweeps)
    for inspection_id in dict.fromkeys(stopped):
        result_validity.complete(session, session.get_one(Inspection, inspection_id))


def _load_inspections(session, new):
    """
    Return {(inspection ref, sensor_id): (inspection_id, restroom_id)} of the inspections that these reports name.

    Only inspections that the sensor was assigned to.
    """
    refs = {report.message["inspection"] for report in new} - {""}
    if not refs:
        return {}
    query = select(Inspection.public_id, InspectionSensor.sensor_id, Inspection.id, Inspection.restroom_id)
    query = query.join(InspectionSensor).where(Inspection.public_id.in_(refs))
    # Button sweeps that were assigned to an inspection afterwards; see inspecting/button_sweeps.py.
    assigned = select(SweepAssignment.inspection_ref, SweepAssignment.sensor_id, Inspection.id, Inspection.restroom_id)
    assigned = assigned.join(Inspection, Inspection.id == SweepAssignment.inspection_id)
    assigned = assigned.where(SweepAssignment.inspection_ref.in_(refs))
    rows = [*session.execute(query), *session.execute(assigned)]
    return {(ref, sensor_id): (inspection_id, restroom_id) for ref, sensor_id, inspection_id, restroom_id in rows}


def without_addresses(session: Session, pseudonyms: Pseudonyms, message: dict, body: bytes, at_s: int) -> bytes:
    """Return the content of a report that may be kept: its bytes, with pseudonyms instead of addresses."""
    if message["kind"] not in messages.KINDS:  # store.UNREADABLE
        return b"{}"
    fields = _ADDRESSES.get(message["kind"])
    if fields is None:
        return body
    inner = {name: value for name, value in message["body"].items() if name != "label"}
    for name in fields:
        if inner[name]:
            inner[name] = "pseudonym:" + pseudonyms.of(session, inner[name], clock.day(at_s))
    return json.dumps({**message, "body": inner}, separators=(",", ":")).encode()


def _sweep_row(report, inspection_id):
    """Return a tuple of bulk_sql.SWEEP."""
    body = report.message["body"]
    channels = body["channels"]
    _, *columns = zip(*channels, strict=True) if channels else _NO_CHANNELS
    listened_ms, frames, undecodable, dropped = map(sum, columns)
    return (
        report.report_id,
        report.sensor_id,
        inspection_id,
        report.message["inspection"],
        body["from_ms"],
        body["to_ms"],
        report.at_s,
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
        body.get("numbered", 0),
        body.get("missed", 0),
        body.get("flash_ms", 0),
        body.get("ble_dropped", 0),
        _to_json(channels).decode(),
        _to_json(body["capabilities"]).decode(),
    )


def _record_selftest(session, report, now_s):
    body = report.message["body"]
    session.add(
        Selftest(
            report_id=report.report_id,
            sensor_id=report.sensor_id,
            at_s=report.at_s,
            received_s=now_s,
            passed=body["passed"],
            checks=[list(row) for row in body["checks"]],
            took_ms=body["took_ms"],
        )
    )


def _record_session(session, report, inspection_id, now_s):
    started = report.message["body"]["what"] == "started"
    session.get(Sensor, report.sensor_id).inspection_ref = report.message["inspection"] if started else ""
    if inspection_id is None:
        return
    query = select(InspectionSensor).where(
        InspectionSensor.inspection_id == inspection_id, InspectionSensor.sensor_id == report.sensor_id
    )
    inspection_sensor = session.scalar(query)
    if started:
        inspection_sensor.started_s = inspection_sensor.started_s or report.at_s or now_s
    else:
        inspection_sensor.stopped_s = report.at_s or now_s


def _record_stimulus(session, pseudonyms, report, now_s):
    body = report.message["body"]
    pseudonym = pseudonyms.of(session, body["subject"], clock.day(report.at_s or now_s))
    same = (Finding.address == body["subject"]) | (Finding.pseudonym == pseudonym)  # a notice has no address
    query = select(Finding.id).where(Finding.sensor_id == report.sensor_id, same)
    tested_id = command_queue.finding_of(session, report.sensor_id, messages.SLOTS, same)
    session.add(
        StimulusResult(
            report_id=report.report_id,
            sensor_id=report.sensor_id,
            finding_id=tested_id or session.scalar(query.order_by(Finding.id.desc()).limit(1)),
            at_s=report.at_s,
            received_s=now_s,
            slots=body["slots"],
            p_ppm=body["p_ppm"],
            effect_permille=body["effect_permille"],
            heard_permille=body["heard_permille"],
        )
    )
