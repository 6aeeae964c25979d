"""The plan: what is overdue or due soon, the work of the coming weeks, the next route, and the intervals."""

from typing import Any, NamedTuple

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from server import clock, security
from server.models.places import BLOCKS, Facility, Organisation, Restroom
from server.services import errors
from server.services.people import accounts
from server.services.places import (
    calendar_rules,
    due_dates,
    facilities,
    organisations,
    restrooms,
    routes,
    visitor_requests,
)
from server.web import forms, page
from server.web.places import presenters

bp = Blueprint("plans", __name__)

OVERDUE, SOON, ASKED = SHOWN = "overdue", "soon", "asked"
SOON_S = 28 * due_dates.DAY_S
DAY_CHOICES = (7, 14, 30, 61, 91, due_dates.LEGAL_DAYS)


class Row(NamedTuple):
    """A row of the list of due restrooms."""

    room: Restroom
    due: presenters.Due


class Scope(NamedTuple):
    """
    The places that a page of intervals is about: an organisation, a facility or a restroom; all None for everything.

    place  the narrowest of them
    """

    place: Organisation | Facility | Restroom | None
    organisation: Organisation | None
    facility: Facility | None
    room: Restroom | None

    @property
    def ids(self) -> tuple[int | None, int | None, int | None]:
        """Row ids of organisation, facility and restroom."""
        organisation_id, facility_id, restroom_id = (place.id if place else None for place in self[1:])
        return organisation_id, facility_id, restroom_id


@bp.get("/plan")
def index() -> ResponseReturnValue:
    """
    Overdue restrooms, longest first; ?show=soon adds four weeks; ?show=asked lists visitors' requests.

    ?block= one kind of room, ?after= a cursor for the next page
    """
    show = request.args.get("show") if request.args.get("show") in SHOWN else OVERDUE
    block = request.args.get("block")
    block = block if block in BLOCKS else ""
    within_s = SOON_S if show == SOON else 0
    now_s = clock.now_s()
    user = page.user()
    with page.sessions()() as session:
        requests = visitor_requests.list_open(session, user) if show == ASKED else []
        found = due_dates.list_due(
            session,
            user,
            now_s,
            within_s=within_s,
            block=block,
            cursor=request.args.get("after"),
            limit=page.PER_PAGE,
        )
        weeks = due_dates.list_workload(session, user, now_s)
        most = max([week.restrooms for week in weeks[1:]], default=0)
        return render_template(
            "places/plans/index.html",
            rows=[Row(room, presenters.due(room, now_s)) for room in found.rows],
            total=due_dates.count_due(session, user, now_s, within_s=within_s, block=block),
            weeks=weeks,
            most=most or 1,
            visitor_requests=requests,
            requests_count=visitor_requests.count_open(session, user),
            show=show,
            block=block or None,
            older=found.next and url_for("plans.index", show=show, block=block or None, after=found.next),
        )


@bp.get("/plan/route")
def route() -> ResponseReturnValue:
    """
    The next buildings for an inspector.

    ?at= "latitude,longitude" of the start, ?block= once for each kind of room, ?way= foot or car
    """
    blocks = [block for block in request.args.getlist("block") if block in BLOCKS]
    mode = routes.CAR if request.args.get("way") == routes.CAR else routes.FOOT
    start = _position(request.args.get("at", ""))
    with page.sessions()() as session:
        planned = routes.plan_route(session, page.user(), clock.now_s(), forms.site_zone(), start, blocks, mode)
        return render_template("places/plans/route.html", route=planned, blocks=blocks, mode=mode, start=start)


def _position(text):
    try:
        latitude, longitude = (float(part) for part in text.split(","))
    except ValueError:
        return None
    return (latitude, longitude) if -90 <= latitude <= 90 and -180 <= longitude <= 180 else None


@bp.route("/plan/intervals", methods=["GET", "POST"])
@security.needs(accounts.MANAGE)
def intervals() -> ResponseReturnValue:
    """The intervals of everything, or of ?organisation=, ?facility= or ?restroom=."""
    with page.sessions()() as session:
        scope = _load_scope(session)
        settings = due_dates.Intervals(session).at(*scope.ids)
    if request.method == "POST":
        try:
            _set_policies(settings)
        except errors.Refused as error:
            page.flash_warning(page.refusal_text(error))
        except ValueError:
            page.flash_warning(gettext("An interval is a whole number of days."))
        else:
            page.flash_success(gettext("The intervals are set."))
        return redirect(request.full_path.rstrip("?"))
    return render_template(
        "places/plans/intervals.html",
        scope=scope,
        settings=settings,
        legal=due_dates.LEGAL_DAYS,
        choices=DAY_CHOICES,
        rules=calendar_rules.RULES,
    )


def _set_policies(settings):
    """Set the intervals of the form that differ from the present ones. Raises ValueError."""
    intervals: dict[str, due_dates.Interval | None] = {}
    for setting in settings:
        text, rule = request.form.get(setting.method, "").strip(), request.form.get(f"{setting.method}-rule", "")
        if rule and rule not in calendar_rules.RULES:
            raise ValueError(rule)
        intervals[setting.method] = (
            due_dates.Interval(0, rule) if rule else due_dates.Interval(int(text)) if text else None
        )
    with page.sessions().begin() as session:
        scope = _load_scope(session)
        place: dict[str, Any] = {}
        if scope.room:
            place = {"restroom": scope.room}
        elif scope.facility:
            place = {"facility": scope.facility}
        elif scope.organisation:
            place = {"organisation": scope.organisation}
        for setting in settings:
            interval = intervals[setting.method]
            if interval != setting.own:
                days = interval.days if interval and not interval.rule else None
                rule = interval.rule if interval else ""
                due_dates.set_policy(session, page.user(), setting.method, days, rule=rule, **place)


def _load_scope(session) -> Scope:
    """Return the scope that the request's address names. Raises NotFound."""
    user = page.user()
    if public_id := request.args.get("restroom"):
        room = restrooms.load(session, user, public_id, accounts.MANAGE)
        return Scope(room, room.facility.organisation, room.facility, room)
    if public_id := request.args.get("facility"):
        facility = facilities.load(session, user, public_id, accounts.MANAGE)
        return Scope(facility, facility.organisation, facility, None)
    if public_id := request.args.get("organisation"):
        organisation = organisations.load(session, user, public_id, accounts.MANAGE)
        return Scope(organisation, organisation, None, None)
    if not user.everywhere:
        raise errors.NotFound("scope")
    return Scope(None, None, None, None)
