"""
False-alarm rates: by sensor model, firmware version and facility.

    rates = false_alarms.load_rates(session, user, since_s, until_s)
    rates.total.false_permille          # of the alarms that a person has judged

An alarm is a finding that reached the alarm score. Findings that the list of known emitters closed are counted, but
they are no judgement of a person.
"""

from typing import NamedTuple

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from ansim.finding import ALARM_SCORE
from server.models.findings import FALSE, KNOWN, NEIGHBOUR, REFERRED, UNRESOLVED, Disposition, Finding
from server.models.inspections import Inspection, InspectionSensor
from server.models.places import Facility, Restroom
from server.models.sensors import Sensor
from server.services.people import access


class Rate(NamedTuple):
    """
    subject      the sensor model, the version or the Facility; None for the total
    alarms       findings that reached the alarm score in the time
    open         without a disposition
    false, neighbour, known, unresolved, referred   judged so by a person
    listed       closed by the facility's list of known emitters
    inspections  finished inspections with a sensor, to compare the alarms with
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
        return (self.alarms * 100 + self.inspections // 2) // self.inspections if self.inspections else None


MOST_FACILITIES = 200


class Rates(NamedTuple):
    """The lists have the most alarms first; by_facility holds the first MOST_FACILITIES."""

    total: Rate
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

    for board, version, facility_id, disposition, listed, status_open, number in session.execute(
        _alarms(user, since_s, until_s)
    ):
        kind = "listed" if listed else _KINDS.get(disposition) or ("open" if status_open else "unresolved")
        count(board, version, facility_id, alarms=number, **{kind: number})
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
        _sorted(by_model),
        _sorted(by_version),
        _sorted({facilities[key]: numbers for key, numbers in by_facility.items() if key in facilities}),
    )


_KINDS = {FALSE: "false", NEIGHBOUR: "neighbour", KNOWN: "known", UNRESOLVED: "unresolved", REFERRED: "referred"}


def _alarms(user, since_s, until_s):
    judged = select(Disposition.id).where(Disposition.finding_id == Finding.id, Disposition.by_id.is_not(None))
    listed = case((Finding.known_emitter_id.is_not(None) & ~judged.exists(), 1), else_=0)
    still_open = case((Finding.disposition.is_(None), 1), else_=0)
    columns = (Finding.board, Finding.version, Restroom.facility_id, Finding.disposition, listed, still_open)
    query = select(*columns, func.count(Finding.id)).outerjoin(Restroom, Restroom.id == Finding.restroom_id)
    query = query.where(Finding.created_s >= since_s, Finding.created_s < until_s, Finding.score_max >= ALARM_SCORE)
    return access.within(query, user, Restroom.facility_id).group_by(*columns)


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
