"""What the start of an inspection begins with: sensors and people of the inspection before, and the next restroom."""

from typing import NamedTuple

from flask import current_app
from sqlalchemy.orm import Session

from server import clock
from server.models.inspections import Inspection
from server.models.people import User
from server.models.places import Restroom
from server.services.inspecting import my_work, participants
from server.services.people import accounts
from server.services.sensors import fleet
from server.web import forms, page
from server.web.sensors import presenters


class Suggestion(NamedTuple):
    """
    What is filled in for the start of an inspection of a restroom.

    choices     the sensors that are free, those fixed in this restroom first
    sensors     names of those that are ticked
    offered     the accounts that can take part
    colleagues  those of them that did last time
    partners    (name, agency) of the people without an account
    """

    room: Restroom
    choices: list[presenters.SensorSummary]
    sensors: list[str]
    offered: list[User]
    colleagues: list[User]
    partners: list[tuple[str, str]]

    @property
    def labels(self) -> list[str]:
        """The ticked sensors as people call them."""
        return [row.sensor.label or row.sensor.name for row in self.choices if row.sensor.name in self.sensors]

    @property
    def names(self) -> list[str]:
        """The people who come along."""
        return [user.name or user.login for user in self.colleagues] + [name for name, _agency in self.partners]


def suggest(session: Session, room: Restroom) -> Suggestion:
    """Return what the form to start an inspection of `room` begins with."""
    user = page.user()
    silent_after_s = current_app.extensions["settings"].silent_after_s
    choices = [presenters.summary(sensor, silent_after_s) for sensor in fleet.list_available(session, user)]
    choices.sort(key=lambda choice: choice.sensor.restroom_id != room.id)
    team = my_work.load_team(session, user, clock.now_s())
    offered = participants.list_candidates(session, user, room.facility_id)
    colleagues = [user for user in offered if user.public_id in team.accounts]
    return Suggestion(room, choices, _preselect(choices, room, team.sensors), offered, colleagues, team.partners)


def suggest_next(session: Session, inspection: Inspection) -> Suggestion | None:
    """Return the start of the restroom after a finished inspection of this shift; None if there is none."""
    now_s = clock.now_s()
    is_recent = inspection.finished_s is not None and inspection.finished_s > now_s - my_work.SHIFT_S
    if not is_recent or not page.may(accounts.INSPECT):
        return None
    if page.user().id not in [person.user_id for person in inspection.people]:
        return None
    room = my_work.next_room(session, page.user(), inspection, now_s, forms.site_zone())
    return suggest(session, room) if room else None


def _preselect(choices, room, remembered):
    """Return the sensors fixed in this restroom if connected, else those of the last inspection, else the only one."""
    online = [choice.sensor for choice in choices if choice.state in (fleet.ONLINE, fleet.SLEEPING)]
    fixed_here = [sensor.name for sensor in online if sensor.restroom_id == room.id]
    free = [choice.sensor.name for choice in choices if choice.sensor.name in remembered]
    return fixed_here or free or ([online[0].name] if len(online) == 1 else [])
