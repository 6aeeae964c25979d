"""
How far a campaign has come: by building and by team, from the inspections that belong to it.

    board = campaign_board.board(session, one)
    campaign_board.mark(session, one)              # changes whenever the board would
"""

from collections import namedtuple

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session, joinedload

from ansim.finding import ALARM_SCORE
from server.models.campaigns import Campaign, CampaignAction, CampaignHandover, CampaignStop
from server.models.findings import Finding
from server.models.inspections import NONE_FOUND, NOT_COMPLETED, REFERRED, Inspection
from server.models.photos import Photo
from server.models.places import Restroom
from server.services.inspecting import photos

# A building's or a team's line. rooms: restrooms to inspect; done: of those, inspected to the end at least once;
# running, not_completed, referred: rooms whose newest inspection is so; alarms: findings that reached the alarm score.
Line = namedtuple("Line", ("rooms", "done", "running", "not_completed", "referred", "alarms"))
StopLine = namedtuple("StopLine", ("stop", *Line._fields))
TeamLine = namedtuple("TeamLine", ("team", "stops", *Line._fields))  # team None: buildings nobody has taken
Board = namedtuple("Board", ("stops", "teams", "total"))
# What was put right: photos before and after.
ActionLine = namedtuple("ActionLine", ("action", "before", "after"))


def board(session: Session, one: Campaign) -> Board:
    """Return the board of a campaign. Five queries, however many buildings there are."""
    facilities = [stop.facility_id for stop in one.stops]
    rooms = select(Restroom.facility_id, func.count(Restroom.id)).where(Restroom.facility_id.in_(facilities))
    # A room that was closed down since then still counts if it was inspected.
    rooms = dict(session.execute(rooms.where(Restroom.retired_s.is_(None)).group_by(Restroom.facility_id)).all())
    newest = select(func.max(Inspection.id)).where(Inspection.campaign_id == one.id).group_by(Inspection.restroom_id)
    states = select(Restroom.facility_id, Inspection.result, func.count(Inspection.id))
    states = states.join(Restroom, Restroom.id == Inspection.restroom_id).where(Inspection.id.in_(newest))
    counted = {}
    for facility_id, result, count in session.execute(states.group_by(Restroom.facility_id, Inspection.result)):
        counted[facility_id, result] = count
    alarms = select(Restroom.facility_id, func.count(Finding.id)).join(
        Inspection, Inspection.id == Finding.inspection_id
    )
    alarms = alarms.join(Restroom, Restroom.id == Inspection.restroom_id).where(Inspection.campaign_id == one.id)
    alarms = alarms.where(Finding.score_max >= ALARM_SCORE).group_by(Restroom.facility_id)
    alarms = dict(session.execute(alarms).all())
    lines = []
    for stop in one.stops:
        at = stop.facility_id
        referred = counted.get((at, REFERRED), 0)
        done = counted.get((at, NONE_FOUND), 0) + referred
        lines.append(
            StopLine(
                stop,
                max(rooms.get(at, 0), done),
                done,
                counted.get((at, None), 0),
                counted.get((at, NOT_COMPLETED), 0),
                referred,
                alarms.get(at, 0),
            )
        )
    teams = [_team_line(team, lines) for team in one.teams]
    if any(line.stop.team_id is None for line in lines):
        teams.append(_team_line(None, lines))
    return Board(lines, teams, Line(*_sum(lines)))


def _team_line(team, lines):
    mine = [line for line in lines if line.stop.team_id == (team.id if team else None)]
    return TeamLine(team, len(mine), *_sum(mine))


def _sum(lines):
    return [sum(getattr(line, name) for line in lines) for name in Line._fields]


def actions(session: Session, one: Campaign) -> list[ActionLine]:
    """What was put right during a campaign, newest first, with its photos."""
    wanted = select(CampaignAction).where(CampaignAction.campaign_id == one.id).order_by(CampaignAction.id.desc())
    wanted = wanted.options(
        joinedload(CampaignAction.team),
        joinedload(CampaignAction.by),
        joinedload(CampaignAction.restroom).joinedload(Restroom.facility),
    )
    rows = list(session.scalars(wanted))
    pairs = photos.before_and_after(photos.photos_of(session, action_id=[row.id for row in rows])) if rows else {}
    return [ActionLine(row, *pairs.get(row.id, ([], []))) for row in rows]


def handovers(session: Session, one: Campaign) -> list[CampaignHandover]:
    """Which buildings changed teams, newest first."""
    wanted = select(CampaignHandover).join(CampaignStop).where(CampaignStop.campaign_id == one.id)
    wanted = wanted.options(
        joinedload(CampaignHandover.stop).joinedload(CampaignStop.facility),
        joinedload(CampaignHandover.from_team),
        joinedload(CampaignHandover.to_team),
        joinedload(CampaignHandover.by),
    )
    return list(session.scalars(wanted.order_by(CampaignHandover.id.desc())))


def inspections_of(session: Session, one: Campaign, facility_id: int | None = None) -> list[Inspection]:
    """A campaign's inspections, newest first."""
    wanted = select(Inspection).where(Inspection.campaign_id == one.id)
    if facility_id is not None:
        wanted = wanted.join(Restroom, Restroom.id == Inspection.restroom_id)
        wanted = wanted.where(Restroom.facility_id == facility_id)
    wanted = wanted.options(joinedload(Inspection.restroom).joinedload(Restroom.facility))
    return list(session.scalars(wanted.order_by(Inspection.id.desc())))


def mark(session: Session, one: Campaign) -> str:
    """Changes when an inspection, finding, hand-over, action or photo of the campaign comes or changes."""
    mine = Inspection.campaign_id == one.id
    inspections = select(
        func.max(Inspection.id), func.count(Inspection.id), func.sum(case((Inspection.result.is_(None), 0), else_=1))
    )
    started, count, finished = session.execute(inspections.where(mine)).one()
    alarms = select(func.count(Finding.id)).join(Inspection, Inspection.id == Finding.inspection_id)
    alarms = session.scalar(alarms.where(mine, Finding.score_max >= ALARM_SCORE))
    given = select(func.max(CampaignHandover.id)).join(CampaignStop).where(CampaignStop.campaign_id == one.id)
    acted = select(func.max(CampaignAction.id)).where(CampaignAction.campaign_id == one.id)
    shown = select(func.max(Photo.id)).join(CampaignAction, CampaignAction.id == Photo.action_id)
    shown = shown.where(CampaignAction.campaign_id == one.id)
    parts = [started, count, finished, alarms, *(session.scalar(part) for part in (given, acted, shown))]
    parts += [one.started_s, one.closed_s]
    return ".".join(str(part or 0) for part in parts)


def rooms(session: Session, one: Campaign, stop: CampaignStop) -> list[tuple]:
    """[(Restroom, its newest Inspection in this campaign or None), ...] of one building, by name."""
    wanted = select(Restroom).where(Restroom.facility_id == stop.facility_id, Restroom.retired_s.is_(None))
    newest = {}
    for inspection in inspections_of(session, one, stop.facility_id):
        newest.setdefault(inspection.restroom_id, inspection)
    return [(room, newest.get(room.id)) for room in session.scalars(wanted.order_by(Restroom.sort_key, Restroom.id))]
