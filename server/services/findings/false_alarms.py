"""
How often an alarm was false: by the sensor's model, its program's version, and the place.

    rates = alarms.false_alarm_rates(session, user, since_s, until_s)
    rates.total.false_permille          # of the alarms that a person has judged

An alarm is a finding that reached the alarm score. Devices that are on a facility's list close their findings by
themselves; they are counted, but they are no judgement of a person.
"""

from collections import namedtuple

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from ansim.finding import ALARM_SCORE
from server.models.findings import FALSE, KNOWN, NEIGHBOUR, REFERRED, UNRESOLVED, Disposition, Finding
from server.models.inspections import Inspection, InspectionSensor
from server.models.places import Facility, Restroom
from server.models.sensors import Sensor
from server.services.people import access

# The last of these is the number of inspections with a sensor that were finished in the time.
_COUNTS = ("alarms", "open", "false", "neighbour", "known", "listed", "unresolved", "referred", "inspections")


class Rate(namedtuple("Rate", ("what", *_COUNTS))):
    """
    what         the model, version or Facility this is about; None for the total
    alarms       findings that reached the alarm score in the time
    open         not judged yet
    false, neighbour, known, unresolved, referred   judged so by a person
    listed       closed by the facility's list of known emitters
    inspections  finished inspections with a sensor: what the alarms have to be seen against
    """

    @property
    def judged(self) -> int:
        """Alarms a person has decided about."""
        return self.false + self.neighbour + self.known + self.unresolved + self.referred

    @property
    def false_permille(self) -> int | None:
        """False alarms among the judged ones, in thousandths; None while nothing is judged."""
        return self.false * 1000 // self.judged if self.judged else None

    @property
    def innocent_permille(self) -> int | None:
        """Judged alarms with an innocent cause: false, a neighbour's or the house's own, in thousandths."""
        innocent = self.false + self.neighbour + self.known
        return innocent * 1000 // self.judged if self.judged else None

    @property
    def per_100(self) -> int | None:
        """Alarms per 100 inspections, rounded; None without inspections."""
        return (self.alarms * 100 + self.inspections // 2) // self.inspections if self.inspections else None


MOST_SITES = 200

# by_model, by_version, by_site: lists of Rate, the most alarms first; by_site has the first MOST_SITES
Rates = namedtuple("Rates", ("total", "by_model", "by_version", "by_site"))


def false_alarm_rates(session: Session, user, since_s: int, until_s: int) -> Rates:
    """Return the rates of findings that came in [since_s, until_s) at the places this person may see."""
    by_model, by_version, by_site, total = {}, {}, {}, dict.fromkeys(_COUNTS, 0)

    def count(board, version, facility_id, **numbers):
        for table, key in ((by_model, board), (by_version, version), (by_site, facility_id)):
            if key is not None:
                _add(table.setdefault(key, dict.fromkeys(_COUNTS, 0)), numbers)
        _add(total, numbers)

    for board, version, facility_id, disposition, listed, status_open, number in session.execute(
        _alarms(user, since_s, until_s)
    ):
        kind = "listed" if listed else _KINDS.get(disposition) or ("open" if status_open else "unresolved")
        count(board, version, facility_id, alarms=number, **{kind: number})
    boards = _boards(session)
    for sensor_id, version, number in session.execute(_inspections(user, since_s, until_s)):
        for table, key in ((by_model, boards.get(sensor_id, "")), (by_version, version)):
            _add(table.setdefault(key, dict.fromkeys(_COUNTS, 0)), {"inspections": number})
    for facility_id, number in session.execute(_visits(user, since_s, until_s)):
        _add(by_site.setdefault(facility_id, dict.fromkeys(_COUNTS, 0)), {"inspections": number})
        _add(total, {"inspections": number})
    names = {}
    if by_site:
        with_alarms = sorted(
            (key for key in by_site if by_site[key]["alarms"]), key=lambda key: -by_site[key]["alarms"]
        )
        named = select(Facility).where(Facility.id.in_(with_alarms[:MOST_SITES]))
        names = {one.id: one for one in session.scalars(named)}
    return Rates(
        Rate(None, **total),
        _sorted(by_model),
        _sorted(by_version),
        _sorted({names[key]: numbers for key, numbers in by_site.items() if key in names}),
    )


_KINDS = {FALSE: "false", NEIGHBOUR: "neighbour", KNOWN: "known", UNRESOLVED: "unresolved", REFERRED: "referred"}


def _alarms(user, since_s, until_s):
    judged = select(Disposition.id).where(Disposition.finding_id == Finding.id, Disposition.by_id.is_not(None))
    listed = case((Finding.known_emitter_id.is_not(None) & ~judged.exists(), 1), else_=0)
    still_open = case((Finding.disposition.is_(None), 1), else_=0)
    columns = (Finding.board, Finding.version, Restroom.facility_id, Finding.disposition, listed, still_open)
    wanted = select(*columns, func.count(Finding.id)).outerjoin(Restroom, Restroom.id == Finding.restroom_id)
    wanted = wanted.where(Finding.created_s >= since_s, Finding.created_s < until_s, Finding.score_max >= ALARM_SCORE)
    return access.within(wanted, user, Restroom.facility_id).group_by(*columns)


def _finished(wanted, user, since_s, until_s):
    wanted = wanted.join(Restroom, Restroom.id == Inspection.restroom_id)
    wanted = wanted.where(Inspection.finished_s >= since_s, Inspection.finished_s < until_s)
    return access.within(wanted, user, Restroom.facility_id)


def _inspections(user, since_s, until_s):
    columns = (InspectionSensor.sensor_id, InspectionSensor.version)
    wanted = select(*columns, func.count(Inspection.id)).join(
        Inspection, Inspection.id == InspectionSensor.inspection_id
    )
    return _finished(wanted, user, since_s, until_s).group_by(*columns)


def _visits(user, since_s, until_s):
    wanted = select(Restroom.facility_id, func.count(Inspection.id)).select_from(Inspection)
    with_sensor = select(InspectionSensor.id).where(InspectionSensor.inspection_id == Inspection.id)
    return _finished(wanted.where(with_sensor.exists()), user, since_s, until_s).group_by(Restroom.facility_id)


def _boards(session):
    """{sensor row: model}, as the sensors said last."""
    return {number: (info or {}).get("board", "") for number, info in session.execute(select(Sensor.id, Sensor.info))}


def _add(sums, numbers):
    for name, number in numbers.items():
        sums[name] += number


def _sorted(table):
    rates = [Rate(key, **numbers) for key, numbers in table.items()]
    return sorted(rates, key=lambda rate: (-rate.alarms, -rate.inspections, str(getattr(rate.what, "name", rate.what))))
