"""Campaigns: days on which teams inspect many facilities."""

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from server import ids
from server.models.base import Base, Count, Id, Name, PublicId, Text, TimeS, Word, key_of
from server.models.people import User
from server.models.places import Facility, Restroom

FOOT, CAR = "foot", "car"
WAYS = (FOOT, CAR)

STAFF, POLICE, SUPPORT, OTHER = "staff", "police", "support", "other"
PARTNERS = (STAFF, POLICE, SUPPORT, OTHER)


class Campaign(Base):
    """One campaign. Planned until it is started, running until it is closed; then nothing is added to it."""

    __tablename__ = "campaign"

    id: Mapped[Id]
    public_id: Mapped[PublicId] = mapped_column(default=ids.new)
    name: Mapped[Name]
    planned_s: Mapped[TimeS]
    note: Mapped[Text]
    created_s: Mapped[TimeS]
    by_id: Mapped[int | None] = key_of("user.id")
    started_s: Mapped[int | None]
    closed_s: Mapped[int | None] = mapped_column(index=True)
    closing: Mapped[Text]  # closing remarks

    by: Mapped[User | None] = relationship()
    teams: Mapped[list["CampaignTeam"]] = relationship(order_by="CampaignTeam.id", back_populates="campaign")
    stops: Mapped[list["CampaignStop"]] = relationship(
        order_by="CampaignStop.position, CampaignStop.id", back_populates="campaign"
    )


class CampaignTeam(Base):
    """A team of a campaign."""

    __tablename__ = "campaign_team"

    id: Mapped[Id]
    public_id: Mapped[PublicId] = mapped_column(default=ids.new)
    campaign_id: Mapped[int] = key_of("campaign.id")
    name: Mapped[Name]
    way: Mapped[Word]  # one of WAYS

    campaign: Mapped[Campaign] = relationship(back_populates="teams")
    members: Mapped[list["CampaignMember"]] = relationship(order_by="CampaignMember.id", back_populates="team")


class CampaignMember(Base):
    """A member of a team: a user, or a partner's person by name."""

    __tablename__ = "campaign_member"

    id: Mapped[Id]
    team_id: Mapped[int] = key_of("campaign_team.id")
    user_id: Mapped[int | None] = key_of("user.id")
    name: Mapped[Name]
    agency: Mapped[Name]
    partner: Mapped[Word]  # one of PARTNERS

    team: Mapped[CampaignTeam] = relationship(back_populates="members")


class CampaignStop(Base):
    """A facility to inspect. `team_id` is current: the team of the newest hand-over."""

    __tablename__ = "campaign_stop"
    __table_args__ = (UniqueConstraint("campaign_id", "facility_id"),)

    id: Mapped[Id]
    campaign_id: Mapped[int] = key_of("campaign.id", index=False)
    facility_id: Mapped[int] = key_of("facility.id")
    team_id: Mapped[int | None] = key_of("campaign_team.id")
    position: Mapped[Count]

    campaign: Mapped[Campaign] = relationship(back_populates="stops")
    facility: Mapped[Facility] = relationship()
    team: Mapped[CampaignTeam | None] = relationship()


class CampaignHandover(Base):
    """A stop given from one team to another, with the reason."""

    __tablename__ = "campaign_handover"

    id: Mapped[Id]
    stop_id: Mapped[int] = key_of("campaign_stop.id")
    from_team_id: Mapped[int | None] = key_of("campaign_team.id", index=False)
    to_team_id: Mapped[int | None] = key_of("campaign_team.id", index=False)
    reason: Mapped[Text]
    at_s: Mapped[TimeS]
    by_id: Mapped[int | None] = key_of("user.id")

    stop: Mapped[CampaignStop] = relationship()
    from_team: Mapped[CampaignTeam | None] = relationship(foreign_keys=[from_team_id])
    to_team: Mapped[CampaignTeam | None] = relationship(foreign_keys=[to_team_id])
    by: Mapped[User | None] = relationship()


class CampaignAction(Base):
    """A repair or other action on the spot, with photos from before and after."""

    __tablename__ = "campaign_action"

    id: Mapped[Id]
    public_id: Mapped[PublicId] = mapped_column(default=lambda: ids.new(12))
    campaign_id: Mapped[int] = key_of("campaign.id")
    team_id: Mapped[int | None] = key_of("campaign_team.id")
    restroom_id: Mapped[int] = key_of("restroom.id")
    text: Mapped[Text]
    at_s: Mapped[TimeS]
    by_id: Mapped[int | None] = key_of("user.id")

    team: Mapped[CampaignTeam | None] = relationship()
    restroom: Mapped[Restroom] = relationship()
    by: Mapped[User | None] = relationship()
