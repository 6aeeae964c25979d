"""Campaigns: planning a sweep day, its live board, hand-overs, what was put right, and the closing report."""

from datetime import datetime, time

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask_babel import gettext

from server import clock, security
from server.models.campaigns import FOOT, PARTNERS, STAFF, WAYS
from server.models.photos import AFTER, BEFORE
from server.services import errors
from server.services.errors import NotFound, Refused
from server.services.inspecting import campaign_board as boards
from server.services.inspecting import campaigns, participants, photos
from server.services.people import accounts
from server.services.places import facilities, restrooms
from server.web import forms, page
from server.web.inspecting.photos import folder

bp = Blueprint("campaigns", __name__)

SITES_SHOWN = 200


@bp.get("/campaigns")
def index():
    """Campaigns: those that run first."""
    with page.sessions()() as session:
        return render_template("inspecting/campaigns/index.html", rows=campaigns.list_campaigns(session, page.user()))


@bp.route("/campaigns/new", methods=["GET", "POST"])
@security.needs(accounts.MANAGE)
def new():
    """Plan one."""
    problem = None
    if request.method == "POST":
        try:
            day = datetime.strptime(request.form.get("day", ""), "%Y-%m-%d").date()
            planned_s = int(datetime.combine(day, time(9), forms.site_zone()).timestamp())
            with page.sessions().begin() as session:
                made = campaigns.add(
                    session, page.user(), request.form.get("name", ""), planned_s, request.form.get("note", "")
                )
        except ValueError:
            problem = gettext("Please give the day.")
        except errors.Refused as error:
            problem = page.refusal_text(error)
        else:
            return redirect(url_for("campaigns.plan", campaign=made.public_id))
    today = datetime.fromtimestamp(clock.now_s(), forms.site_zone()).date().isoformat()
    return render_template("inspecting/campaigns/new.html", problem=problem, today=today)


@bp.get("/campaigns/<campaign>")
def show(campaign):
    """The board of a running campaign, or the closing report of one that is over."""
    with page.sessions()() as session:
        one = campaigns.campaign(session, campaign, page.user())
        return render_template(
            "inspecting/campaigns/report.html" if one.closed_s else "inspecting/campaigns/show.html",
            **_board(session, one),
        )


@bp.get("/campaigns/<campaign>/live")
def live(campaign):
    """The board alone, or 204 if nothing has changed since the mark ?since=."""
    with page.sessions()() as session:
        one = campaigns.campaign(session, campaign, page.user())
        if one.closed_s is not None:
            return Response(headers={"HX-Refresh": "true"})
        if request.args.get("since") == boards.mark(session, one):
            return Response(status=204)
        return render_template("inspecting/campaigns/_board.html", **_board(session, one))


def _board(session, one):
    return {
        "campaign": one,
        "since": boards.mark(session, one),
        "board": boards.board(session, one),
        "actions": boards.actions(session, one),
        "handovers": boards.handovers(session, one),
        "inspections": boards.inspections_of(session, one) if one.closed_s else [],
    }


@bp.get("/campaigns/<campaign>/plan")
@security.needs(accounts.MANAGE)
def plan(campaign):
    """Teams, people and buildings; ?search= words for a building."""
    search = request.args.get("search", "").strip()[:100]
    with page.sessions()() as session:
        one = campaigns.campaign(session, campaign, page.user(), accounts.MANAGE)
        if one.closed_s is not None:
            return redirect(url_for("campaigns.show", campaign=one.public_id))
        there = {stop.facility_id for stop in one.stops}
        sites = facilities.list_facilities(session, page.user(), search=search, limit=SITES_SHOWN, by_name=True)
        return render_template(
            "inspecting/campaigns/plan.html",
            campaign=one,
            ways=WAYS,
            partners=PARTNERS,
            colleagues=participants.candidates(session, page.user(), others_only=False),
            sites=[site for site in sites.rows if site.id not in there],
            search=search,
        )


@bp.post("/campaigns/<campaign>/plan")
@security.needs(accounts.MANAGE)
def change(campaign):
    """One change of the plan; `do` says which."""
    back = url_for("campaigns.plan", campaign=campaign, _anchor=request.form.get("do", ""))
    doing = _CHANGES.get(request.form.get("do"))
    if doing is None:
        page.flash_error(gettext("Please choose one."))
        return redirect(back)
    try:
        with page.sessions().begin() as session:
            one = campaigns.campaign(session, campaign, page.user(), accounts.MANAGE)
            back = doing(session, one, request.form) or back
    except errors.Refused as error:
        page.flash_error(page.refusal_text(error))
    return redirect(back)


def _add_team(session, one, form):
    way = form.get("way")
    campaigns.add_team(session, one, page.user(), form.get("name", ""), way if way in WAYS else FOOT)


def _add_member(session, one, form):
    team = campaigns.team(session, one, form.get("team", ""))
    known = {
        colleague.public_id: colleague for colleague in participants.candidates(session, page.user(), others_only=False)
    }
    account = known.get(form.get("colleague", ""))
    person = {"name": form.get("name", ""), "agency": form.get("agency", "")}
    partner = form.get("partner") if form.get("partner") in PARTNERS else STAFF
    if account is not None:
        person["user"] = account
    campaigns.add_member(session, one, team, page.user(), person, partner)


def _add_stops(session, one, form):
    team = campaigns.team(session, one, form["team"]) if form.get("team") else None
    for public_id in form.getlist("facility"):
        campaigns.add_stop(session, one, page.user(), facilities.load(session, page.user(), public_id), team)


def _move(session, one, form):
    campaigns.move(session, one, campaigns.stop(session, one, form.get("facility", "")), form.get("up") == "1")


def _begin(session, one, _form):
    campaigns.begin(session, one, page.user())
    return url_for("campaigns.show", campaign=one.public_id)


def _close(session, one, form):
    campaigns.close(session, one, page.user(), form.get("closing", ""))
    return url_for("campaigns.show", campaign=one.public_id)


_CHANGES = {
    "team": _add_team,
    "member": _add_member,
    "stops": _add_stops,
    "move": _move,
    "begin": _begin,
    "close": _close,
}


@bp.route("/campaigns/<campaign>/stops/<facility>", methods=["GET", "POST"])
@security.needs(accounts.INSPECT)
def stop(campaign, facility):
    """One building of a campaign: its restrooms, handing it over, and what was put right there."""
    problem = None
    if request.method == "POST":
        try:
            with page.sessions().begin() as session:
                one = campaigns.campaign(session, campaign, page.user(), accounts.INSPECT)
                _at_stop(session, one, campaigns.stop(session, one, facility))
        except Refused as error:
            problem = page.refusal_text(error)
        else:
            return redirect(url_for("campaigns.stop", campaign=campaign, facility=facility))
    with page.sessions()() as session:
        one = campaigns.campaign(session, campaign, page.user())
        which = campaigns.stop(session, one, facility)
        return render_template(
            "inspecting/campaigns/stop.html",
            campaign=one,
            stop=which,
            rooms=boards.rooms(session, one, which),
            actions=[
                line for line in boards.actions(session, one) if line.action.restroom.facility_id == which.facility_id
            ],
            problem=problem,
        )


def _at_stop(session, one, which):
    form = request.form
    if form.get("do") == "hand_over":
        team = campaigns.team(session, one, form.get("team", ""))
        campaigns.hand_over(session, one, which, page.user(), team, form.get("reason", ""))
        return
    if form.get("do") != "act":
        raise NotFound("action")
    room = restrooms.load(session, page.user(), form.get("room", ""), accounts.INSPECT)
    if room.facility_id != which.facility_id:
        raise NotFound("restroom")
    action = campaigns.act(session, one, page.user(), room, form.get("text", ""))
    for name, kind in (("before", BEFORE), ("after", AFTER)):
        file = request.files.get(name)
        data = file.read(photos.MOST_BYTES + 1) if file else b""
        if data:
            photos.take(session, folder(), data, page.user(), kind, room.facility_id, action=action)
