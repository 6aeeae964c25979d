"""
False-alarm rates: by sensor model, firmware version and facility.

    rates = false_alarms.load_rates(session, user, since_s, until_s)
    rates.total.false_permille          # of the alarms that a person has judged

An alarm is a finding that was one at some time. Findings that the list of known emitters closed are counted, but
they are no judgement of a person. Notices, which never became alarms, are counted apart.
"""

from collections import Counter
from typing import NamedTuple

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from server.models.findings import (
    CLOSED,
    FALSE,
    GAPS,
    KNOWN,
    NEIGHBOUR,
    REFERRED,
    UNRESOLVED,
    Disposition,
    Finding,
    happened_between,
)
from server.models.inspections import Inspection, InspectionSensor
from server.models.places import Facility, Restroom
from server.models.sensors import Sensor
from server.services.people import access


class Rate(NamedTuple):
    """
    subject      the sensor model, the version or the Facility; None for the total
    alarms       findings of the time that were alarms
    open         without a disposition
    false, neighbour, known, unresolved, referred   judged so by a person
    listed       closed by the facility's list of known emitters
    inspections  finished inspections with a sensor, to compare the alarms with
    notices      one-way senders that never were alarms
    """

    subject: str | Facility | None
    alarms: int = 0
    open: int = 0
    false: int = 0
    neighbour: int = 0
    known: int = 0
    listed: int = 0
    unresolved: int = 0
    referred: int = 0
    inspections: int = 0
    notices: int = 0

    @property
    def judged(self) -> int:
        """Number of alarms with a person's disposition."""
        return self.false + self.neighbour + self.known + self.unresolved + self.referred

    @property
    def false_permille(self) -> int | None:
        """False alarms in thousandths of the judged ones; None while nothing is judged."""
        return self.false * 1000 // self.judged if self.judged else None

    @property
    def innocent_permille(self) -> int | None:
        """Alarms with an innocent cause (false, neighbour, known) in thousandths of the judged ones."""
        innocent = self.false + self.neighbour + self.known
        return innocent * 1000 // self.judged if self.judged else None

    @property
    def per_100(self) -> int | None:
        """Alarms per 100 inspections, rounded; None without inspections."""
        return self._per_100(self.alarms)

    @property
    def notices_per_100(self) -> int | None:
        """Notices per 100 inspections, rounded; None without inspections."""
        return self._per_100(self.notices)

    def _per_100(self, number):
        return (number * 100 + self.inspections // 2) // self.inspections if self.inspections else None


class Notices(NamedTuple):
    """
    What became of the notices of a time.

    total     number of notices that never were alarms
    ended     of them, over without a person's judgement
    judged    of them, judged by a person; false: as a false alarm
    likely    [(cause id, number), ...]: what they most likely were, as their sensors say; most frequent first
    lasted_s  median length of those that are over; None if there is none
    """

    total: int
    ended: int
    judged: int
    false: int
    likely: list[tuple[str, int]]
    lasted_s: int | None


MOST_FACILITIES = 200


class Rates(NamedTuple):
    """The lists have the most alarms first; by_facility holds the first MOST_FACILITIES."""

    total: Rate
    notices: Notices
    by_model: list[Rate]
    by_version: list[Rate]
    by_facility: list[Rate]


_COUNTS = Rate._fields[1:]


def load_rates(session: Session, user, since_s: int, until_s: int) -> Rates:
    """Return the rates of findings created in [since_s, until_s) at the places a user may see."""
    by_model, by_version, by_facility, total = {}, {}, {}, dict.fromkeys(_COUNTS, 0)

    def count(board, version, facility_id, **numbers):
        for table, key in ((by_model, board), (by_version, version), (by_facility, facility_id)):
            if key is not None:
                _add(table.setdefault(key, dict.fromkeys(_COUNTS, 0)), numbers)
        _add(total, numbers)

    for board, version, facility_id, number in session.execute(_notices(user, since_s, until_s)):
        count(board, version, facility_id, notices=number)
    for board, version, facility_id, *judgement, number in session.execute(_alarms(user, since_s, until_s)):
        count(board, version, facility_id, alarms=number, **{_kind(*judgement): number})
    boards = _boards(session)
    for sensor_id, version, number in session.execute(_inspections_by_sensor(user, since_s, until_s)):
        for table, key in ((by_model, boards.get(sensor_id, "")), (by_version, version)):
            _add(table.setdefault(key, dict.fromkeys(_COUNTS, 0)), {"inspections": number})
    for facility_id, number in session.execute(_inspections_by_facility(user, since_s, until_s)):
        _add(by_facility.setdefault(facility_id, dict.fromkeys(_COUNTS, 0)), {"inspections": number})
        _add(total, {"inspections": number})
    with_alarms = sorted(
        (key for key in by_facility if by_facility[key]["alarms"]), key=lambda key: -by_facility[key]["alarms"]
    )
    facilities = {}
    if with_alarms:
        query = select(Facility).where(Facility.id.in_(with_alarms[:MOST_FACILITIES]))
        facilities = {facility.id: facility for facility in session.scalars(query)}
    return Rates(
        Rate(None, **total),
        _load_notices(session, user, since_s, until_s),
        _sorted(by_model),
        _sorted(by_version),
        _sorted({facilities[key]: numbers for key, numbers in by_facility.items() if key in facilities}),
    )


def load_total(session: Session, user, since_s: int, until_s: int) -> Rate:
    """Return the alarms of findings created in [since_s, until_s), by what became of them, with one query."""
    total = dict.fromkeys(_COUNTS, 0)
    for _board, _version, _facility_id, *judgement, number in session.execute(_alarms(user, since_s, until_s)):
        _add(total, {"alarms": number, _kind(*judgement): number})
    return Rate(None, **total)


def _kind(disposition, listed, status_open):
    """Return the field of Rate that counts an alarm."""
    if listed:
        return "listed"
    return _KINDS.get(disposition) or ("open" if status_open else "unresolved")


_IS_NOTICE = (Finding.alarmed_s.is_(None), Finding.detector.not_in(GAPS))
_KINDS = {FALSE: "false", NEIGHBOUR: "neighbour", KNOWN: "known", UNRESOLVED: "unresolved", REFERRED: "referred"}


def _alarms(user, since_s, until_s):
    judged = select(Disposition.id).where(Disposition.finding_id == Finding.id, Disposition.automatic.is_(False))
    listed = case((Finding.known_emitter_id.is_not(None) & ~judged.exists(), 1), else_=0)
    still_open = case((Finding.disposition.is_(None), 1), else_=0)
    columns = (Finding.board, Finding.version, Restroom.facility_id, Finding.disposition, listed, still_open)
    query = select(*columns, func.count(Finding.id)).outerjoin(Restroom, Restroom.id == Finding.restroom_id)
    query = query.where(Finding.alarmed_s.is_not(None))
    return _created(query, user, since_s, until_s).group_by(*columns)


def _notices(user, since_s, until_s):
    columns = (Finding.board, Finding.version, Restroom.facility_id)
    query = select(*columns, func.count(Finding.id)).outerjoin(Restroom, Restroom.id == Finding.restroom_id)
    return _created(query.where(*_IS_NOTICE), user, since_s, until_s).group_by(*columns)


def _load_notices(session, user, since_s, until_s):
    columns = (Finding.status, Finding.disposition, Finding.likely)
    query = select(*columns, func.count(Finding.id)).outerjoin(Restroom, Restroom.id == Finding.restroom_id)
    query = _created(query.where(*_IS_NOTICE), user, since_s, until_s).group_by(*columns)
    total, ended, judged, false = 0, 0, 0, 0
    likely = Counter()
    for status, disposition, cause, number in session.execute(query):
        total += number
        judged += number if disposition else 0
        false += number if disposition == FALSE else 0
        ended += number if status == CLOSED and not disposition else 0
        if cause:
            likely[cause] += number
    return Notices(total, ended, judged, false, likely.most_common(), _median_length(session, user, since_s, until_s))


def _median_length(session, user, since_s, until_s):
    """Return the median of lasted_s, the lower one of two; None without any."""
    query = select(Finding.lasted_s).outerjoin(Restroom, Restroom.id == Finding.restroom_id)
    query = query.where(*_IS_NOTICE, Finding.lasted_s.is_not(None))
    query = _created(query, user, since_s, until_s)
    number = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    if not number:
        return None
    return session.scalar(query.order_by(Finding.lasted_s).offset((number - 1) // 2).limit(1))


def _created(query, user, since_s, until_s):
    query = query.where(happened_between(since_s, until_s))
    return access.within(query, user, Restroom.facility_id)


def _finished(query, user, since_s, until_s):
    query = query.join(Restroom, Restroom.id == Inspection.restroom_id)
    query = query.where(Inspection.finished_s >= since_s, Inspection.finished_s < until_s)
    return access.within(query, user, Restroom.facility_id)


def _inspections_by_sensor(user, since_s, until_s):
    columns = (InspectionSensor.sensor_id, InspectionSensor.version)
    query = select(*columns, func.count(Inspection.id)).join(
        Inspection, Inspection.id == InspectionSensor.inspection_id
    )
    return _finished(query, user, since_s, until_s).group_by(*columns)


def _inspections_by_facility(user, since_s, until_s):
    query = select(Restroom.facility_id, func.count(Inspection.id)).select_from(Inspection)
    with_sensor = select(InspectionSensor.id).where(InspectionSensor.inspection_id == Inspection.id)
    return _finished(query.where(with_sensor.exists()), user, since_s, until_s).group_by(Restroom.facility_id)


def _boards(session):
    """Return {sensor id: model} from the newest info messages."""
    rows = session.execute(select(Sensor.id, Sensor.info))
    return {sensor_id: (info or {}).get("board", "") for sensor_id, info in rows}


def _add(sums, numbers):
    for name, number in numbers.items():
        sums[name] += number


def _sorted(table):
    rates = [Rate(key, **numbers) for key, numbers in table.items()]
    return sorted(
        rates, key=lambda rate: (-rate.alarms, -rate.inspections, str(getattr(rate.subject, "name", rate.subject)))
    )
