"""
What a FINDING report does: a new finding, or a further event of one that is there.

One finding is one emitter, as one sensor's one detector saw it during one inspection.
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ansim import finding as words
from server import clock
from server.models.findings import CLOSED, NOTED, OPEN, WITH_ADDRESS, Disposition, Finding, FindingEvent
from server.models.places import Restroom
from server.models.sensors import Sensor
from server.services.audit import log
from server.services.findings import judging, known_emitters
from server.services.findings.pseudonyms import Pseudonyms, is_local, maker
from server.services.outside import notifications

ON_THE_LIST = "on the facility's list of known emitters"


def take(session: Session, pseudonyms: Pseudonyms, one, place: tuple, now_s: int) -> Finding:
    """
    Store one FINDING report's content.

    one    reports.New
    place  (inspection_id, restroom_id), each or both None
    """
    body = one.message["body"]
    at_s = one.at_s or now_s
    pseudonym = pseudonyms.of(session, body["subject"], clock.day(at_s))
    found = _matching(session, pseudonyms, one, pseudonym, at_s)
    is_new = found is None or _starts_anew(found, one, body)
    if is_new:
        found = _new(session, one, place, pseudonym, found, now_s)
    before = found.status
    _tell(found, one, body, now_s)
    alarmed = found.status == OPEN and (is_new or before != OPEN)
    if found.status == OPEN:
        _recognise(session, found, body["subject"], now_s)
    session.flush()
    session.add(
        FindingEvent(
            finding_id=found.id,
            report_id=one.report_id,
            event=body["event"],
            at_s=one.at_s,
            received_s=now_s,
            first_ms=body["first_ms"],
            last_ms=body["last_ms"],
            score=body["score"],
            channel=body["channel"],
            rssi_dbm=body["rssi_dbm"],
            evidence=[list(row) for row in body["evidence"]],
            considered=[list(row) for row in body["considered"]],
            exact=one.body if found.status in WITH_ADDRESS else None,
        )
    )
    session.flush()
    if alarmed:
        facts = {"detector": found.detector, "score": found.score, "inspection": found.inspection_ref}
        log.add(session, "finding.raised", found.public_id, {**facts, "known": found.status != OPEN})
    if alarmed and found.status == OPEN:
        room = session.get(Restroom, found.restroom_id) if found.restroom_id else None
        where = {"restroom": room.name, "restroom_id": room.public_id} if room else {}
        facility_id = room.facility_id if room else None
        notifications.enqueue(
            session, "finding_new", facility_id, found.public_id, detector=found.detector, score=found.score, **where
        )
    return found


def _matching(session, pseudonyms, one, pseudonym, at_s):
    """The newest finding of this emitter in this inspection: by address while kept, else by its pseudonym."""
    body = one.message["body"]
    mine = select(Finding).where(
        Finding.sensor_id == one.key[0],
        Finding.inspection_ref == one.message["inspection"],
        Finding.detector == body["detector"],
    )
    newest = mine.order_by(Finding.id.desc()).limit(1)
    found = session.scalar(newest.where(Finding.address == body["subject"]))
    if found is None:
        # An inspection over midnight goes on under the pseudonym of the day before.
        yesterday = pseudonyms.of(session, body["subject"], clock.day(at_s) - 1)
        found = session.scalar(newest.where(Finding.pseudonym.in_((pseudonym, yesterday))))
    return found


def _starts_anew(found, one, body):
    """A person has closed it, no inspection holds it together, and now it is raised again: look at it again."""
    judged = found.status == CLOSED and found.known_emitter_id is None
    return judged and not one.message["inspection"] and body["event"] == words.RAISED


def _new(session, one, place, pseudonym, earlier, now_s):
    body = one.message["body"]
    episodes = select(func.max(Finding.episode)).where(
        Finding.sensor_id == one.key[0],
        Finding.inspection_ref == one.message["inspection"],
        Finding.detector == body["detector"],
        Finding.pseudonym == pseudonym,
    )
    inspection_id, restroom_id = place
    info = session.scalar(select(Sensor.info).where(Sensor.id == one.key[0])) or {}
    added = Finding(
        sensor_id=one.key[0],
        inspection_ref=one.message["inspection"],
        inspection_id=inspection_id,
        restroom_id=restroom_id,
        detector=body["detector"],
        pseudonym=pseudonym,
        episode=(session.scalar(episodes) or 0) + 1 if earlier else 1,
        oui=maker(body["subject"]),
        local=is_local(body["subject"]),
        label="",
        board=str(info.get("board", ""))[:32],
        version=str(info.get("version", ""))[:32],
        created_s=now_s,
        status=NOTED,
        score_max=0,
        rssi_max_dbm=body["rssi_dbm"],
        events_count=0,
    )
    session.add(added)
    return added


def _tell(found, one, body, now_s):
    """Repeat what the newest event says in the finding itself."""
    found.changed_s = now_s
    found.event = body["event"]
    found.score = body["score"]
    found.score_max = max(found.score_max, body["score"])
    found.rssi_dbm = body["rssi_dbm"]
    found.rssi_max_dbm = max(found.rssi_max_dbm, body["rssi_dbm"])
    found.channel = body["channel"]
    found.events_count += 1
    if one.at_s is not None:
        found.first_at_s = one.at_s if found.first_at_s is None else min(found.first_at_s, one.at_s)
        found.last_at_s = one.at_s if found.last_at_s is None else max(found.last_at_s, one.at_s)
    if found.status == NOTED and body["score"] >= words.ALARM_SCORE:
        found.status = OPEN
    if found.status in WITH_ADDRESS:
        found.address = body["subject"]
        found.bssid = body["bssid"] or found.bssid or ""
        found.label = body.get("label", "") or found.label


def _recognise(session, found, address, now_s):
    """Close a finding at once if its emitter is on the facility's list."""
    if found.restroom_id is None:
        return
    facility_id = session.scalar(select(Restroom.facility_id).where(Restroom.id == found.restroom_id))
    known = known_emitters.listed(session, facility_id, address, now_s)
    if known is None:
        return
    found.known_emitter_id = known.id
    found.disposition = known.reason
    session.flush()
    session.add(Disposition(finding_id=found.id, kind=known.reason, reason=ON_THE_LIST, at_s=now_s, by_id=None))
    judging.close(session, found)
