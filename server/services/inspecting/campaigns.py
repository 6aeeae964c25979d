"""
Campaigns: a day on which teams inspect many facilities, with stops in order, hand-overs and a closing report.

    campaign = campaigns.add(session, user, "July sweep", planned_s)
    north = campaigns.add_team(session, campaign, user, "North", FOOT)
    campaigns.add_stop(session, campaign, user, facility, north)
    campaigns.begin(session, campaign, user)

While a campaign runs, every inspection that starts in one of its facilities belongs to it.
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from server import clock, db, ids
from server.models.campaigns import (
    PARTNERS,
    STAFF,
    WAYS,
    Campaign,
    CampaignAction,
    CampaignHandover,
    CampaignMember,
    CampaignStop,
    CampaignTeam,
)
from server.models.places import Facility, Restroom
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.people import access, accounts
from server.services.people.accounts import Actor

MOST_STOPS = 500


def load(session: Session, user: Actor, public_id: str, right: str = accounts.SEE) -> Campaign:
    """
    Return a campaign with its teams and stops. Raises NotFound, also if the user may not see it or lacks the right.

    A campaign is visible to users who may see one of its facilities, planned it, or are in one of its teams.
    """
    query = select(Campaign).where(Campaign.public_id == ids.clean(public_id))
    query = query.options(
        joinedload(Campaign.by),
        selectinload(Campaign.teams).selectinload(CampaignTeam.members),
        selectinload(Campaign.stops).joinedload(CampaignStop.facility).joinedload(Facility.organisation),
        selectinload(Campaign.stops).joinedload(CampaignStop.team),
    ).execution_options(populate_existing=True)
    campaign = session.scalar(_visible(query, user)) if accounts.may(user, right) else None
    if campaign is None:
        raise NotFound("campaign")
    return campaign


def load_team(session: Session, campaign: Campaign, public_id: str) -> CampaignTeam:
    """Return a team of a campaign. Raises NotFound."""
    query = select(CampaignTeam).where(CampaignTeam.campaign_id == campaign.id, CampaignTeam.public_id == public_id)
    team = session.scalar(query)
    if team is None:
        raise NotFound("team")
    return team


def load_stop(session: Session, campaign: Campaign, facility_public_id: str) -> CampaignStop:
    """Return a campaign's stop at a facility. Raises NotFound."""
    query = select(CampaignStop).join(Facility).where(CampaignStop.campaign_id == campaign.id)
    stop = session.scalar(query.where(Facility.public_id == facility_public_id))
    if stop is None:
        raise NotFound("stop")
    return stop


def list_campaigns(session: Session, user: Actor, limit: int = 50) -> list[Campaign]:
    """Return the campaigns a user may see: those not closed first, then by day, newest first."""
    query = select(Campaign).options(selectinload(Campaign.teams), selectinload(Campaign.stops))
    query = query.order_by(Campaign.closed_s.is_not(None), Campaign.planned_s.desc(), Campaign.id.desc())
    return list(session.scalars(_visible(query, user).limit(limit)))


def _visible(query, user):
    if user.everywhere:
        return query
    stops = select(CampaignStop.campaign_id).join(Facility, Facility.id == CampaignStop.facility_id)
    teams = select(CampaignTeam.campaign_id).join(CampaignMember).where(CampaignMember.user_id == user.id)
    has_stop = Campaign.id.in_(access.within(stops, user, CampaignStop.facility_id))
    return query.where(has_stop | Campaign.id.in_(teams) | (Campaign.by_id == user.id))


def add(session: Session, user: Actor, name: str, planned_s: int, note: str = "") -> Campaign:
    """Plan a campaign. Raises Refused: campaign_name_needed."""
    if not name.strip():
        raise Refused("campaign_name_needed")
    campaign = Campaign(
        name=name.strip()[:200],
        planned_s=planned_s,
        note=note.strip()[:2000],
        created_s=clock.now_s(),
        by_id=user.id,
        closing="",
    )
    session.add(campaign)
    session.flush()
    log.add(session, "campaign.planned", campaign.public_id, {"name": campaign.name, "planned_s": planned_s}, user)
    return campaign


def add_team(session: Session, campaign: Campaign, user: Actor, name: str, way: str) -> CampaignTeam:
    """Add a team. Raises Refused: campaign_closed, team_name_needed, team_exists."""
    _check_open(campaign)
    if way not in WAYS:
        raise ValueError(f"{way!r} is none of {', '.join(WAYS)}")
    name = name.strip()[:200]
    if not name:
        raise Refused("team_name_needed")
    same_name = select(CampaignTeam.id).where(CampaignTeam.campaign_id == campaign.id, CampaignTeam.name == name)
    if session.scalar(same_name):
        raise Refused("team_exists")
    team = CampaignTeam(campaign_id=campaign.id, name=name, way=way)
    session.add(team)
    session.flush()
    log.add(session, "campaign.team", campaign.public_id, {"team": team.public_id, "name": name, "way": way}, user)
    return team


def add_member(
    session: Session, campaign: Campaign, team: CampaignTeam, user: Actor, person: dict, partner: str = STAFF
) -> CampaignMember:
    """
    Add a person to a team: {"user": User}, or {"name", "agency"} for a person without an account.

    Raises Refused: campaign_closed, person_name_needed, person_there.
    """
    _check_open(campaign)
    if partner not in PARTNERS:
        raise ValueError(f"{partner!r} is none of {', '.join(PARTNERS)}")
    account = person.get("user")
    name = account.name if account else person.get("name", "").strip()[:200]
    if not name:
        raise Refused("person_name_needed")
    if account is not None:
        same = select(CampaignMember.id).join(CampaignTeam).where(CampaignTeam.campaign_id == campaign.id)
        if session.scalar(same.where(CampaignMember.user_id == account.id)):
            raise Refused("person_there")
    member = CampaignMember(
        team_id=team.id,
        user_id=account.id if account else None,
        name=name,
        agency=person.get("agency", "").strip()[:200],
        partner=partner,
    )
    session.add(member)
    session.flush()
    personal = {"name": name, "agency": member.agency}
    body = {"team": team.public_id, "partner": partner}
    log.add(session, "campaign.member", campaign.public_id, body, user, personal)
    return member


def add_stop(
    session: Session, campaign: Campaign, user: Actor, facility: Facility, team: CampaignTeam | None
) -> CampaignStop:
    """
    Add a facility as the last stop.

    Raises NotFound without the right there; Refused: campaign_closed, stop_there, campaign_full(most).
    """
    _check_open(campaign)
    access.check(session, user, accounts.MANAGE, facility.id)
    stops = select(CampaignStop).where(CampaignStop.campaign_id == campaign.id)
    if session.scalar(stops.where(CampaignStop.facility_id == facility.id)):
        raise Refused("stop_there")
    count = session.scalar(select(func.count()).select_from(stops.subquery())) or 0
    if count >= MOST_STOPS:
        raise Refused("campaign_full", most=MOST_STOPS)
    last = session.scalar(select(func.max(CampaignStop.position)).where(CampaignStop.campaign_id == campaign.id))
    stop = CampaignStop(
        campaign_id=campaign.id,
        facility_id=facility.id,
        team_id=team.id if team else None,
        position=(last or 0) + 1,
    )
    session.add(stop)
    session.flush()
    body = {"facility": facility.public_id, "team": team.public_id if team else None}
    log.add(session, "campaign.stop", campaign.public_id, body, user)
    return stop


def move_stop(session: Session, campaign: Campaign, stop: CampaignStop, up: bool) -> None:
    """Swap a stop with the one before (up) or after it, if any. Raises Refused: campaign_closed."""
    _check_open(campaign)
    is_beyond = CampaignStop.position < stop.position if up else CampaignStop.position > stop.position
    order = CampaignStop.position.desc() if up else CampaignStop.position
    query = select(CampaignStop).where(CampaignStop.campaign_id == campaign.id, is_beyond).order_by(order).limit(1)
    neighbour = session.scalar(query)
    if neighbour is not None:
        stop = session.get_one(CampaignStop, stop.id)
        stop.position, neighbour.position = neighbour.position, stop.position
        session.flush()


def hand_over(
    session: Session, campaign: Campaign, stop: CampaignStop, user: Actor, team: CampaignTeam, reason: str
) -> CampaignHandover:
    """
    Give a stop to another team.

    Raises Refused: campaign_closed, same_team, reason_needed (of a running campaign).
    """
    _check_open(campaign)
    stop = db.lock_row(session, stop)
    if stop.team_id == team.id:
        raise Refused("same_team")
    if not reason.strip() and campaign.started_s is not None:
        raise Refused("reason_needed")
    from_team = session.get(CampaignTeam, stop.team_id) if stop.team_id else None
    handover = CampaignHandover(
        stop_id=stop.id,
        from_team_id=stop.team_id,
        to_team_id=team.id,
        reason=reason.strip()[:1000],
        at_s=clock.now_s(),
        by_id=user.id,
    )
    session.add(handover)
    stop.team_id = team.id
    session.flush()
    facility = session.get_one(Facility, stop.facility_id)
    body = {
        "facility": facility.public_id,
        "from": from_team.public_id if from_team else None,
        "to": team.public_id,
    }
    log.add(session, "campaign.handed_over", campaign.public_id, body, user, {"reason": handover.reason})
    return handover


def record_action(session: Session, campaign: Campaign, user: Actor, room: Restroom, text: str) -> CampaignAction:
    """
    Record an action on the spot, such as a repair.

    Raises NotFound for a restroom that is in no stop, or without the right there; Refused: campaign_closed,
    campaign_not_running, reason_needed.
    """
    _check_open(campaign)
    if campaign.started_s is None:
        raise Refused("campaign_not_running")
    if not text.strip():
        raise Refused("reason_needed")
    stop = session.scalar(
        select(CampaignStop).where(
            CampaignStop.campaign_id == campaign.id, CampaignStop.facility_id == room.facility_id
        )
    )
    if stop is None:
        raise NotFound("stop")
    access.check(session, user, accounts.INSPECT, room.facility_id)
    action = CampaignAction(
        campaign_id=campaign.id,
        team_id=stop.team_id,
        restroom_id=room.id,
        text=text.strip()[:2000],
        at_s=clock.now_s(),
        by_id=user.id,
    )
    session.add(action)
    session.flush()
    body = {"restroom": room.public_id, "action": action.public_id}
    log.add(session, "campaign.acted", campaign.public_id, body, user, {"text": action.text})
    return action


def begin(session: Session, campaign: Campaign, user: Actor) -> None:
    """Start a campaign. Raises Refused: campaign_running, campaign_closed, campaign_empty."""
    campaign = session.get_one(Campaign, campaign.id, with_for_update=True)
    _check_open(campaign)
    if campaign.started_s is not None:
        raise Refused("campaign_running")
    if not campaign.stops or not campaign.teams:
        raise Refused("campaign_empty")
    campaign.started_s = clock.now_s()
    session.flush()
    body = {"stops": len(campaign.stops), "teams": len(campaign.teams)}
    log.add(session, "campaign.started", campaign.public_id, body, user)


def close(session: Session, campaign: Campaign, user: Actor, closing: str) -> None:
    """
    Close a campaign: no inspection, hand-over or action joins it any more.

    Raises Refused: campaign_closed, campaign_not_running.
    """
    campaign = session.get_one(Campaign, campaign.id, with_for_update=True)
    _check_open(campaign)
    if campaign.started_s is None:
        raise Refused("campaign_not_running")
    campaign.closed_s = clock.now_s()
    campaign.closing = closing.strip()[:2000]
    session.flush()
    personal = {"closing": campaign.closing}
    log.add(session, "campaign.closed", campaign.public_id, {"closed_s": campaign.closed_s}, user, personal)


def running_for(session: Session, room: Restroom, user: Actor) -> tuple[int | None, int | None]:
    """Return (campaign id, team id) that an inspection of this restroom belongs to now, or (None, None)."""
    query = select(CampaignStop.campaign_id, CampaignStop.team_id).join(Campaign)
    query = query.where(
        CampaignStop.facility_id == room.facility_id, Campaign.started_s.is_not(None), Campaign.closed_s.is_(None)
    )
    row = session.execute(query.order_by(Campaign.started_s.desc()).limit(1)).first()
    if row is None:
        return None, None
    campaign_id, team_id = row
    if user.id is not None:
        # A member of another team of this campaign inspects for that team.
        own_team = select(CampaignTeam.id).join(CampaignMember)
        own_team = own_team.where(CampaignTeam.campaign_id == campaign_id, CampaignMember.user_id == user.id)
        team_id = session.scalar(own_team.limit(1)) or team_id
    return campaign_id, team_id


def _check_open(campaign):
    if campaign.closed_s is not None:
        raise Refused("campaign_closed")
