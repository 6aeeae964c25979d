"""
The board of a campaign: its progress by stop and by team, from the inspections that belong to it.

    board = campaign_board.load(session, campaign)
    campaign_board.mark(session, campaign)              # changes whenever the board does
"""

from collections import Counter
from typing import NamedTuple

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session, joinedload

from server.models.campaigns import Campaign, CampaignAction, CampaignHandover, CampaignStop, CampaignTeam
from server.models.findings import Finding
from server.models.inspections import NONE_FOUND, NOT_COMPLETED, REFERRED, REOPENED, Inspection
from server.models.photos import Photo
from server.models.places import Restroom
from server.services.inspecting import photos

COMPLETED = (NONE_FOUND, REFERRED)


class Counts(NamedTuple):
    """
    rooms    restrooms to inspect
    done     of those, inspected to the end at least once; a later visit that is not completed changes nothing
    reopened restrooms that were done with "none found", beside which an alarm followed that is not settled
    running, not_completed   of the others, restrooms whose newest inspection is so
    referred of those done, restrooms whose inspection was referred
    alarms   findings that were alarms
    """

    rooms: int
    done: int
    reopened: int
    running: int
    not_completed: int
    referred: int
    alarms: int


class StopLine(NamedTuple):
    """A stop with the fields of Counts."""

    stop: CampaignStop
    rooms: int
    done: int
    reopened: int
    running: int
    not_completed: int
    referred: int
    alarms: int


class TeamLine(NamedTuple):
    """A team, or None for the stops without a team; its number of stops, and the fields of Counts."""

    team: CampaignTeam | None
    stops: int
    rooms: int
    done: int
    reopened: int
    running: int
    not_completed: int
    referred: int
    alarms: int


class Board(NamedTuple):
    """The lines of a campaign, and their sum."""

    stops: list[StopLine]
    teams: list[TeamLine]
    total: Counts


class ActionLine(NamedTuple):
    """An action on the spot, with its photos."""

    action: CampaignAction
    before: list[Photo]
    after: list[Photo]


def load(session: Session, campaign: Campaign) -> Board:
    """Return the board of a campaign. Three queries, however many stops there are."""
    facility_ids = [stop.facility_id for stop in campaign.stops]
    rooms_query = select(Restroom.facility_id, func.count(Restroom.id)).where(Restroom.facility_id.in_(facility_ids))
    rooms_query = rooms_query.where(Restroom.retired_s.is_(None)).group_by(Restroom.facility_id)
    rooms = dict(session.execute(rooms_query).all())
    is_own = Inspection.campaign_id == campaign.id
    results: Counter[tuple[int, str | None]] = Counter()
    for inspection in _counting(session, is_own).values():
        results[inspection.restroom.facility_id, inspection.standing_result] += 1
    alarms_query = select(Restroom.facility_id, func.count(Finding.id))
    alarms_query = alarms_query.join(Inspection, Inspection.id == Finding.inspection_id)
    alarms_query = alarms_query.join(Restroom, Restroom.id == Inspection.restroom_id).where(is_own)
    alarms_query = alarms_query.where(Finding.alarmed_s.is_not(None)).group_by(Restroom.facility_id)
    alarms = dict(session.execute(alarms_query).all())
    lines = []
    for stop in campaign.stops:
        facility_id = stop.facility_id
        referred = results[facility_id, REFERRED]
        done = results[facility_id, NONE_FOUND] + referred
        lines.append(
            StopLine(
                stop,
                # A restroom that was retired since then still counts if it was inspected.
                max(rooms.get(facility_id, 0), done),
                done,
                results[facility_id, REOPENED],
                results[facility_id, None],
                results[facility_id, NOT_COMPLETED],
                referred,
                alarms.get(facility_id, 0),
            )
        )
    teams = [_team_line(team, lines) for team in campaign.teams]
    if any(line.stop.team_id is None for line in lines):
        teams.append(_team_line(None, lines))
    return Board(lines, teams, _sum(lines))


def _counting(session: Session, condition: ColumnElement[bool]) -> dict[int, Inspection]:
    """Return {restroom: the inspection that counts}: the newest completed one or, without any, the newest."""
    query = select(Inspection).where(condition).options(joinedload(Inspection.restroom))
    counting: dict[int, Inspection] = {}
    for inspection in session.scalars(query.order_by(Inspection.id)):
        before = counting.get(inspection.restroom_id)
        if before is None or inspection.result in COMPLETED or before.result not in COMPLETED:
            counting[inspection.restroom_id] = inspection
    return counting


def _team_line(team, lines):
    team_lines = [line for line in lines if line.stop.team_id == (team.id if team else None)]
    return TeamLine(team, len(team_lines), *_sum(team_lines))


def _sum(lines):
    return Counts(*(sum(getattr(line, name) for line in lines) for name in Counts._fields))


def list_actions(session: Session, campaign: Campaign) -> list[ActionLine]:
    """Return the actions of a campaign with their photos, newest first."""
    query = select(CampaignAction).where(CampaignAction.campaign_id == campaign.id).order_by(CampaignAction.id.desc())
    query = query.options(
        joinedload(CampaignAction.team),
        joinedload(CampaignAction.by),
        joinedload(CampaignAction.restroom).joinedload(Restroom.facility),
    )
    actions = list(session.scalars(query))
    pairs = photos.before_and_after(photos.list_photos(session, action_id=[row.id for row in actions]))
    return [ActionLine(action, *pairs.get(action.id, ([], []))) for action in actions]


def list_handovers(session: Session, campaign: Campaign) -> list[CampaignHandover]:
    """Return the hand-overs of a campaign, newest first."""
    query = select(CampaignHandover).join(CampaignStop).where(CampaignStop.campaign_id == campaign.id)
    query = query.options(
        joinedload(CampaignHandover.stop).joinedload(CampaignStop.facility),
        joinedload(CampaignHandover.from_team),
        joinedload(CampaignHandover.to_team),
        joinedload(CampaignHandover.by),
    )
    return list(session.scalars(query.order_by(CampaignHandover.id.desc())))


def list_inspections(session: Session, campaign: Campaign, facility_id: int | None = None) -> list[Inspection]:
    """Return a campaign's inspections, all or those of one facility, newest first."""
    query = select(Inspection).where(Inspection.campaign_id == campaign.id)
    if facility_id is not None:
        query = query.join(Restroom, Restroom.id == Inspection.restroom_id)
        query = query.where(Restroom.facility_id == facility_id)
    query = query.options(joinedload(Inspection.restroom).joinedload(Restroom.facility))
    return list(session.scalars(query.order_by(Inspection.id.desc())))


def list_rooms(session: Session, campaign: Campaign, stop: CampaignStop) -> list[tuple[Restroom, Inspection | None]]:
    """Return the restrooms of a stop by name, each with the inspection of this campaign that counts, or None."""
    query = select(Restroom).where(Restroom.facility_id == stop.facility_id, Restroom.retired_s.is_(None))
    counting = _counting(session, Inspection.campaign_id == campaign.id)
    return [(room, counting.get(room.id)) for room in session.scalars(query.order_by(Restroom.sort_key, Restroom.id))]


def mark(session: Session, campaign: Campaign) -> str:
    """Return a short text that changes with the campaign's inspections, findings, hand-overs, actions and photos."""
    is_own = Inspection.campaign_id == campaign.id
    finished = func.sum(case((Inspection.result.is_(None), 0), else_=1))
    inspections = session.execute(select(func.max(Inspection.id), func.count(Inspection.id), finished).where(is_own))
    alarms = select(func.count(Finding.id)).join(Inspection, Inspection.id == Finding.inspection_id)
    handovers = select(func.max(CampaignHandover.id)).join(CampaignStop).where(CampaignStop.campaign_id == campaign.id)
    actions = select(func.max(CampaignAction.id)).where(CampaignAction.campaign_id == campaign.id)
    shown_photos = select(func.max(Photo.id)).join(CampaignAction, CampaignAction.id == Photo.action_id)
    parts = [
        *inspections.one(),
        session.scalar(alarms.where(is_own, Finding.alarmed_s.is_not(None))),
        session.scalar(handovers),
        session.scalar(actions),
        session.scalar(shown_photos.where(CampaignAction.campaign_id == campaign.id)),
        campaign.started_s,
        campaign.closed_s,
    ]
    return ".".join(str(part or 0) for part in parts)
