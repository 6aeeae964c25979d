"""The plan: what is overdue or due soon, the work of the coming weeks, the next route, and the intervals."""

from collections import namedtuple

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext

from server import clock, security
from server.models.places import BLOCKS
from server.services import errors
from server.services.people import access, accounts
from server.services.places import editing, plans, restrooms, routes, visitor_requests
from server.web import facts, forms, page

bp = Blueprint("plans", __name__)

OVERDUE, SOON, ASKED = SHOWN = "overdue", "soon", "asked"
SOON_S = 28 * plans.DAY_S
DAY_CHOICES = (7, 14, 30, 61, 91, plans.LEGAL_DAYS)

Row = namedtuple("Row", ("room", "due"))
# What a page of intervals is about: all places, an organisation, a facility or a restroom; the last three Nones for all.
Scope = namedtuple("Scope", ("title", "organisation", "facility", "room"))


@bp.get("/plan")
def index():
    """
    What is overdue, longest first; ?show=soon adds four weeks; ?show=asked is what visitors ask for.

    ?block= one kind of room, ?after= for the next page
    """
    show = request.args.get("show") if request.args.get("show") in SHOWN else OVERDUE
    block = request.args.get("block")
    block = block if block in BLOCKS else None
    within_s = SOON_S if show == SOON else 0
    now_s = clock.now_s()
    with page.sessions()() as session:
        wishes = visitor_requests.open_ones(session, page.user()) if show == ASKED else []
        after = _after(session)
        rooms = plans.overdue(session, page.user(), now_s, within_s, after, page.PER_PAGE + 1, block)
        rooms, more = rooms[: page.PER_PAGE], len(rooms) > page.PER_PAGE
        total = plans.count_overdue(session, page.user(), now_s, within_s, block)
        weeks = plans.workload(session, page.user(), now_s)
        older = None
        if more:
            older = url_for("plans.index", show=show, block=block, after=rooms[-1].public_id)
        most = max([week.restrooms for week in weeks[1:]], default=0)
        return render_template(
            "places/plans/index.html",
            rows=[Row(room, facts.due(room, now_s)) for room in rooms],
            total=total,
            weeks=weeks,
            most=most or 1,
            wishes=wishes,
            asked=visitor_requests.count_open(session, page.user()),
            show=show,
            block=block,
            older=older,
        )


def _after(session):
    try:
        mark = request.args.get("after")
        room = restrooms.restroom(session, mark) if mark else None
    except errors.NotFound:
        return None
    return (room.due_s, room.id) if room and room.due_s is not None else None


@bp.get("/plan/route")
def route():
    """
    The next buildings for an inspector.

    ?at= "latitude,longitude" to begin at, ?block= once for each kind of room, ?way= foot or car
    """
    blocks = [block for block in request.args.getlist("block") if block in BLOCKS]
    way = routes.CAR if request.args.get("way") == routes.CAR else routes.FOOT
    start = _position(request.args.get("at", ""))
    with page.sessions()() as session:
        found = routes.next_route(session, page.user(), clock.now_s(), forms.site_zone(), start, blocks, way)
        return render_template("places/plans/route.html", route=found, blocks=blocks, way=way, given=start)


def _position(text):
    try:
        latitude, longitude = (float(part) for part in text.split(","))
    except ValueError:
        return None
    return (latitude, longitude) if -90 <= latitude <= 90 and -180 <= longitude <= 180 else None


@bp.route("/plan/intervals", methods=["GET", "POST"])
@security.needs(accounts.MANAGE)
def intervals():
    """How often what: for everything, or ?organisation=, ?facility= or ?restroom=."""
    with page.sessions()() as session:
        scope = _scope(session)
        said = plans.Intervals(session).at(*(one.id if one else None for one in scope[1:]))
    if request.method == "POST":
        try:
            _set(said)
        except errors.Refused as error:
            flash(page.refusal_text(error), "warn")
        except ValueError:
            flash(gettext("An interval is a whole number of days."), "warn")
        else:
            page.flash_success(gettext("The intervals are set."))
        return redirect(request.full_path.rstrip("?"))
    return render_template(
        "places/plans/intervals.html", scope=scope, said=said, legal=plans.LEGAL_DAYS, choices=DAY_CHOICES
    )


def _set(said):
    """Record the intervals that differ from what was said before."""
    wanted = {}
    for one in said:
        text = request.form.get(one.method, "").strip()
        wanted[one.method] = int(text) if text else None
    with page.sessions().begin() as session:
        scope = _scope(session)
        narrowest = {"room": scope.room} if scope.room else {"facility": scope.facility} if scope.facility else {}
        if not narrowest and scope.organisation:
            narrowest = {"organisation": scope.organisation}
        for one in said:
            if wanted[one.method] != one.days:
                plans.set_policy(session, page.user(), one.method, wanted[one.method], **narrowest)


def _scope(session):
    """What the intervals are for. Raises NotFound for what is somebody else's."""
    user = page.user()
    if name := request.args.get("restroom"):
        room = restrooms.restroom(session, name)
        access.check(session, user, accounts.MANAGE, room.facility_id)
        return Scope(room, room.facility.organisation, room.facility, room)
    if name := request.args.get("facility"):
        one = editing.facility(session, name)
        access.check(session, user, accounts.MANAGE, one.id)
        return Scope(one, one.organisation, one, None)
    if name := request.args.get("organisation"):
        one = editing.organisation(session, name)
        if not editing.speaks_for(session, user, one.id):
            raise errors.NotFound("organisation")
        return Scope(one, one, None, None)
    if not editing.speaks_for(session, user, None):
        raise errors.NotFound("organisation")
    return Scope(None, None, None, None)
