"""
Campaigns: a sweep day with teams, partners, buildings in order, a live board, hand-overs and a closing report.

    day = campaigns.add(session, user, "July sweep", planned_s)
    north = campaigns.add_team(session, day, user, "North", FOOT)
    campaigns.add_stop(session, day, user, facility, north)
    campaigns.begin(session, day, user)

While a campaign runs, every inspection that is started in one of its buildings belongs to it: nobody has to
choose it, and the board counts what really happened.
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from server import clock, ids
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

MOST_STOPS = 500


def add(session: Session, user, name: str, planned_s: int, note: str = "") -> Campaign:
    """Plan a campaign. Raises Refused: campaign_name_needed."""
    if not name.strip():
        raise Refused("campaign_name_needed")
    added = Campaign(
        name=name.strip()[:200],
        planned_s=planned_s,
        note=note.strip()[:2000],
        created_s=clock.now_s(),
        by_id=user.id if user else None,
        closing="",
    )
    session.add(added)
    session.flush()
    log.add(session, "campaign.planned", added.public_id, {"name": added.name, "planned_s": planned_s}, user)
    return added


def campaign(session: Session, public_id: str, user, right: str = accounts.SEE) -> Campaign:
    """
    Return a campaign with its teams and stops. Raises NotFound if the person has nothing to do with it.

    Who may see one of its buildings, made it, or has a place in a team, may see it.
    """
    wanted = select(Campaign).where(Campaign.public_id == ids.clean(public_id))
    wanted = wanted.options(
        joinedload(Campaign.by),
        selectinload(Campaign.teams).selectinload(CampaignTeam.members),
        selectinload(Campaign.stops).joinedload(CampaignStop.facility).joinedload(Facility.organisation),
        selectinload(Campaign.stops).joinedload(CampaignStop.team),
    ).execution_options(populate_existing=True)
    found = session.scalar(_visible(wanted, user))
    if found is None or (user is not None and not accounts.may(user, right)):
        raise NotFound("campaign")
    return found


def list_campaigns(session: Session, user, limit: int = 50) -> list[Campaign]:
    """Campaigns a person has to do with: those that run, then by day, the newest first."""
    wanted = select(Campaign).options(selectinload(Campaign.teams), selectinload(Campaign.stops))
    wanted = wanted.order_by(Campaign.closed_s.is_not(None), Campaign.planned_s.desc(), Campaign.id.desc())
    return list(session.scalars(_visible(wanted, user).limit(limit)))


def _visible(wanted, user):
    if user is None or user.everywhere:
        return wanted
    stops = select(CampaignStop.campaign_id).join(Facility, Facility.id == CampaignStop.facility_id)
    teams = select(CampaignTeam.campaign_id).join(CampaignMember).where(CampaignMember.user_id == user.id)
    seen = Campaign.id.in_(access.within(stops, user, CampaignStop.facility_id))
    return wanted.where(seen | Campaign.id.in_(teams) | (Campaign.by_id == user.id))


def add_team(session: Session, one: Campaign, user, name: str, way: str) -> CampaignTeam:
    """Add a team. Raises Refused: campaign_closed, team_name_needed, team_exists."""
    _check_open(one)
    if way not in WAYS:
        raise ValueError(f"{way!r} is none of {', '.join(WAYS)}")
    name = name.strip()[:200]
    if not name:
        raise Refused("team_name_needed")
    same = select(CampaignTeam.id).where(CampaignTeam.campaign_id == one.id, CampaignTeam.name == name)
    if session.scalar(same):
        raise Refused("team_exists")
    added = CampaignTeam(campaign_id=one.id, name=name, way=way)
    session.add(added)
    session.flush()
    log.add(session, "campaign.team", one.public_id, {"team": added.public_id, "name": name, "way": way}, user)
    return added


def team(session: Session, one: Campaign, public_id: str) -> CampaignTeam:
    """Return a team of a campaign. Raises NotFound."""
    wanted = select(CampaignTeam).where(CampaignTeam.campaign_id == one.id, CampaignTeam.public_id == public_id)
    found = session.scalar(wanted)
    if found is None:
        raise NotFound("team")
    return found


def add_member(session: Session, one: Campaign, where: CampaignTeam, user, person: dict, partner: str = STAFF):
    """
    Put somebody into a team: {"user": User}, or {"name", "agency"} for who has no account.

    Raises Refused: campaign_closed, person_name_needed, person_there.
    """
    _check_open(one)
    if partner not in PARTNERS:
        raise ValueError(f"{partner!r} is none of {', '.join(PARTNERS)}")
    account = person.get("user")
    name = account.name if account else person.get("name", "").strip()[:200]
    if not name:
        raise Refused("person_name_needed")
    if account is not None:
        mine = select(CampaignMember.id).join(CampaignTeam).where(CampaignTeam.campaign_id == one.id)
        if session.scalar(mine.where(CampaignMember.user_id == account.id)):
            raise Refused("person_there")
    added = CampaignMember(
        team_id=where.id,
        user_id=account.id if account else None,
        name=name,
        agency=person.get("agency", "").strip()[:200],
        partner=partner,
    )
    session.add(added)
    session.flush()
    aside = {"name": name, "agency": added.agency}
    log.add(session, "campaign.member", one.public_id, {"team": where.public_id, "partner": partner}, user, aside)
    return added


def add_stop(session: Session, one: Campaign, user, facility: Facility, where: CampaignTeam | None) -> CampaignStop:
    """
    Put a building on the list, behind the others.

    Raises NotFound without the right there; Refused: campaign_closed, stop_there, campaign_full(most).
    """
    _check_open(one)
    access.check(session, user, accounts.MANAGE, facility.id)
    mine = select(CampaignStop).where(CampaignStop.campaign_id == one.id)
    if session.scalar(mine.where(CampaignStop.facility_id == facility.id)):
        raise Refused("stop_there")
    if session.scalar(select(func.count()).select_from(mine.subquery())) >= MOST_STOPS:
        raise Refused("campaign_full", most=MOST_STOPS)
    last = session.scalar(select(func.max(CampaignStop.position)).where(CampaignStop.campaign_id == one.id))
    added = CampaignStop(
        campaign_id=one.id,
        facility_id=facility.id,
        team_id=where.id if where else None,
        position=(last or 0) + 1,
    )
    session.add(added)
    session.flush()
    body = {"facility": facility.public_id, "team": where.public_id if where else None}
    log.add(session, "campaign.stop", one.public_id, body, user)
    return added


def stop(session: Session, one: Campaign, facility_public_id: str) -> CampaignStop:
    """Return a campaign's stop at a facility. Raises NotFound."""
    wanted = select(CampaignStop).join(Facility).where(CampaignStop.campaign_id == one.id)
    found = session.scalar(wanted.where(Facility.public_id == facility_public_id))
    if found is None:
        raise NotFound("stop")
    return found


def move(session: Session, one: Campaign, which: CampaignStop, up: bool) -> None:
    """Let a building change places with the one before or after it. Raises Refused: campaign_closed."""
    _check_open(one)
    nearer = CampaignStop.position < which.position if up else CampaignStop.position > which.position
    order = CampaignStop.position.desc() if up else CampaignStop.position
    beside = select(CampaignStop).where(CampaignStop.campaign_id == one.id, nearer).order_by(order).limit(1)
    other = session.scalar(beside)
    if other is not None:
        which = session.get(CampaignStop, which.id)
        which.position, other.position = other.position, which.position
        session.flush()


def hand_over(session: Session, one: Campaign, which: CampaignStop, user, to: CampaignTeam, reason: str):
    """
    Give a building to another team. Raises Refused: campaign_closed, reason_needed, same_team.
    """
    _check_open(one)
    which = session.get(CampaignStop, which.id, with_for_update=True, populate_existing=True)
    if which.team_id == to.id:
        raise Refused("same_team")
    if not reason.strip() and one.started_s is not None:
        raise Refused("reason_needed")
    before = session.get(CampaignTeam, which.team_id) if which.team_id else None
    added = CampaignHandover(
        stop_id=which.id,
        from_team_id=which.team_id,
        to_team_id=to.id,
        reason=reason.strip()[:1000],
        at_s=clock.now_s(),
        by_id=user.id if user else None,
    )
    session.add(added)
    which.team_id = to.id
    session.flush()
    facility = session.get(Facility, which.facility_id)
    body = {
        "facility": facility.public_id,
        "from": before.public_id if before else None,
        "to": to.public_id,
    }
    log.add(session, "campaign.handed_over", one.public_id, body, user, {"reason": added.reason})
    return added


def act(session: Session, one: Campaign, user, room: Restroom, text: str) -> CampaignAction:
    """Record what was put right on the spot. Raises Refused: campaign_closed, campaign_not_running, reason_needed."""
    _check_open(one)
    if one.started_s is None:
        raise Refused("campaign_not_running")
    if not text.strip():
        raise Refused("reason_needed")
    which = session.scalar(
        select(CampaignStop).where(CampaignStop.campaign_id == one.id, CampaignStop.facility_id == room.facility_id)
    )
    if which is None:
        raise NotFound("stop")
    access.check(session, user, accounts.INSPECT, room.facility_id)
    added = CampaignAction(
        campaign_id=one.id,
        team_id=which.team_id,
        restroom_id=room.id,
        text=text.strip()[:2000],
        at_s=clock.now_s(),
        by_id=user.id if user else None,
    )
    session.add(added)
    session.flush()
    body = {"restroom": room.public_id, "action": added.public_id}
    log.add(session, "campaign.acted", one.public_id, body, user, {"text": added.text})
    return added


def begin(session: Session, one: Campaign, user) -> None:
    """Let a campaign run. Raises Refused: campaign_running, campaign_closed, campaign_empty."""
    one = session.get(Campaign, one.id, with_for_update=True)
    _check_open(one)
    if one.started_s is not None:
        raise Refused("campaign_running")
    if not one.stops or not one.teams:
        raise Refused("campaign_empty")
    one.started_s = clock.now_s()
    session.flush()
    log.add(session, "campaign.started", one.public_id, {"stops": len(one.stops), "teams": len(one.teams)}, user)


def close(session: Session, one: Campaign, user, closing: str) -> None:
    """
    End a campaign: no inspection, hand-over or action joins it any more.

    Raises Refused: campaign_closed, campaign_not_running.
    """
    one = session.get(Campaign, one.id, with_for_update=True)
    _check_open(one)
    if one.started_s is None:
        raise Refused("campaign_not_running")
    one.closed_s = clock.now_s()
    one.closing = closing.strip()[:2000]
    session.flush()
    log.add(session, "campaign.closed", one.public_id, {"closed_s": one.closed_s}, user, {"closing": one.closing})


def running_for(session: Session, room: Restroom, user) -> tuple:
    """Return (campaign id, team id) that an inspection of this room belongs to now, or (None, None)."""
    wanted = select(CampaignStop.campaign_id, CampaignStop.team_id).join(Campaign)
    wanted = wanted.where(
        CampaignStop.facility_id == room.facility_id, Campaign.started_s.is_not(None), Campaign.closed_s.is_(None)
    )
    found = session.execute(wanted.order_by(Campaign.started_s.desc()).limit(1)).first()
    if found is None:
        return None, None
    campaign_id, team_id = found
    if user is not None:
        # Who stands in another team of this campaign inspects for that one.
        mine = select(CampaignTeam.id).join(CampaignMember)
        mine = mine.where(CampaignTeam.campaign_id == campaign_id, CampaignMember.user_id == user.id)
        team_id = session.scalar(mine.limit(1)) or team_id
    return campaign_id, team_id


def _check_open(one):
    if one.closed_s is not None:
        raise Refused("campaign_closed")
