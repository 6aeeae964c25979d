"""Campaigns: plan, live board, hand-overs, actions on the spot, and the closing report."""

from datetime import datetime, time

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from server import clock, i18n, security
from server.models.campaigns import FOOT, PARTNERS, STAFF, WAYS
from server.models.photos import AFTER, BEFORE
from server.services import errors
from server.services.inspecting import campaign_board, campaigns, participants, photos
from server.services.people import accounts
from server.services.places import facilities, restrooms
from server.web import forms, page
from server.web.inspecting.photos import folder, read_photo

bp = Blueprint("campaigns", __name__)

SITES_SHOWN = 200


@bp.get("/campaigns")
def index() -> ResponseReturnValue:
    """All campaigns, those that are not closed first."""
    with page.sessions()() as session:
        return render_template("inspecting/campaigns/index.html", rows=campaigns.list_campaigns(session, page.user()))


@bp.route("/campaigns/new", methods=["GET", "POST"])
@security.needs(accounts.MANAGE)
def new() -> ResponseReturnValue:
    """Plan a campaign."""
    problem = None
    if request.method == "POST":
        try:
            day = datetime.strptime(request.form.get("day", ""), "%Y-%m-%d").date()
            planned_s = int(datetime.combine(day, time(9), forms.site_zone()).timestamp())
            with page.sessions().begin() as session:
                campaign = campaigns.add(
                    session, page.user(), request.form.get("name", ""), planned_s, request.form.get("note", "")
                )
        except ValueError:
            problem = gettext("Please give the day.")
        except errors.Refused as error:
            problem = page.refusal_text(error)
        else:
            return redirect(url_for("campaigns.plan", campaign=campaign.public_id))
    today = datetime.fromtimestamp(clock.now_s(), forms.site_zone()).date().isoformat()
    return render_template("inspecting/campaigns/new.html", problem=problem, today=today)


@bp.get("/campaigns/<campaign>")
def show(campaign: str) -> ResponseReturnValue:
    """The board of a campaign, or its closing report once it is closed."""
    with page.sessions()() as session:
        row = campaigns.load(session, page.user(), campaign)
        return render_template(
            "inspecting/campaigns/report.html" if row.closed_s else "inspecting/campaigns/show.html",
            **_board_values(session, row),
        )


@bp.get("/campaigns/<campaign>/live")
def live(campaign: str) -> ResponseReturnValue:
    """The board alone, or 204 if nothing has changed since the mark ?since=."""
    with page.sessions()() as session:
        row = campaigns.load(session, page.user(), campaign)
        if row.closed_s is not None:
            return Response(headers={"HX-Refresh": "true"})
        if request.args.get("since") == campaign_board.mark(session, row):
            return Response(status=204)
        return render_template("inspecting/campaigns/_board.html", **_board_values(session, row))


def _board_values(session, row):
    return {
        "campaign": row,
        "since": campaign_board.mark(session, row),
        "board": campaign_board.load(session, row),
        "actions": campaign_board.list_actions(session, row),
        "handovers": campaign_board.list_handovers(session, row),
        "inspections": campaign_board.list_inspections(session, row) if row.closed_s else [],
    }


@bp.get("/campaigns/<campaign>/plan")
@security.needs(accounts.MANAGE)
def plan(campaign: str) -> ResponseReturnValue:
    """Teams, people and buildings; ?search= words for a building."""
    search = request.args.get("search", "").strip()[:100]
    with page.sessions()() as session:
        row = campaigns.load(session, page.user(), campaign, accounts.MANAGE)
        if row.closed_s is not None:
            return redirect(url_for("campaigns.show", campaign=row.public_id))
        stops = {stop.facility_id for stop in row.stops}
        found = facilities.list_facilities(
            session, page.user(), search=search, limit=SITES_SHOWN, by_name=True, language=i18n.language()
        )
        return render_template(
            "inspecting/campaigns/plan.html",
            campaign=row,
            ways=WAYS,
            partners=PARTNERS,
            colleagues=participants.list_candidates(session, page.user(), others_only=False),
            sites=[facility for facility in found.rows if facility.id not in stops],
            search=search,
        )


@bp.post("/campaigns/<campaign>/plan")
@security.needs(accounts.MANAGE)
def change(campaign: str) -> ResponseReturnValue:
    """Make one change of the plan: `do` names it."""
    name = request.form.get("do", "")
    back = url_for("campaigns.plan", campaign=campaign, _anchor=name)
    apply = _CHANGES.get(name)
    if apply is None:
        page.flash_error(gettext("Please choose one."))
        return redirect(back)
    try:
        with page.sessions().begin() as session:
            row = campaigns.load(session, page.user(), campaign, accounts.MANAGE)
            back = apply(session, row, request.form) or back
    except errors.Refused as error:
        page.flash_error(page.refusal_text(error))
    return redirect(back)


def _add_team(session, campaign, form):
    way = form.get("way")
    campaigns.add_team(session, campaign, page.user(), form.get("name", ""), way if way in WAYS else FOOT)


def _add_member(session, campaign, form):
    team = campaigns.load_team(session, campaign, form.get("team", ""))
    candidates = participants.list_candidates(session, page.user(), others_only=False)
    person = {"name": form.get("name", ""), "agency": form.get("agency", "")}
    partner = form.get("partner") if form.get("partner") in PARTNERS else STAFF
    account = next((user for user in candidates if user.public_id == form.get("colleague")), None)
    if account is not None:
        person["user"] = account
    campaigns.add_member(session, campaign, team, page.user(), person, partner)


def _add_stops(session, campaign, form):
    team = campaigns.load_team(session, campaign, form["team"]) if form.get("team") else None
    for public_id in form.getlist("facility"):
        facility = facilities.load(session, page.user(), public_id, accounts.MANAGE)
        campaigns.add_stop(session, campaign, page.user(), facility, team)


def _move(session, campaign, form):
    stop = campaigns.load_stop(session, campaign, form.get("facility", ""))
    campaigns.move_stop(session, campaign, stop, form.get("up") == "1")


def _begin(session, campaign, _form):
    campaigns.begin(session, campaign, page.user())
    return url_for("campaigns.show", campaign=campaign.public_id)


def _close(session, campaign, form):
    campaigns.close(session, campaign, page.user(), form.get("closing", ""))
    return url_for("campaigns.show", campaign=campaign.public_id)


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
def stop(campaign: str, facility: str) -> ResponseReturnValue:
    """One stop of a campaign: its restrooms, hand-overs and actions."""
    problem = None
    if request.method == "POST":
        # Before photos are read: a foreign campaign is answered like an unknown one, and costs no decoding.
        with page.sessions()() as session:
            campaigns.load_stop(session, campaigns.load(session, page.user(), campaign, accounts.INSPECT), facility)
        try:
            pictures = {BEFORE: read_photo("before"), AFTER: read_photo("after")}
            with page.sessions().begin() as session:
                row = campaigns.load(session, page.user(), campaign, accounts.INSPECT)
                _change_stop(session, row, campaigns.load_stop(session, row, facility), pictures)
        except errors.Refused as error:
            problem = page.refusal_text(error)
        else:
            return redirect(url_for("campaigns.stop", campaign=campaign, facility=facility))
    with page.sessions()() as session:
        row = campaigns.load(session, page.user(), campaign)
        stop_row = campaigns.load_stop(session, row, facility)
        actions = campaign_board.list_actions(session, row)
        return render_template(
            "inspecting/campaigns/stop.html",
            campaign=row,
            stop=stop_row,
            rooms=campaign_board.list_rooms(session, row, stop_row),
            actions=[line for line in actions if line.action.restroom.facility_id == stop_row.facility_id],
            problem=problem,
        )


def _change_stop(session, campaign, stop, pictures):
    form = request.form
    if form.get("do") == "hand_over":
        team = campaigns.load_team(session, campaign, form.get("team", ""))
        campaigns.hand_over(session, campaign, stop, page.user(), team, form.get("reason", ""))
        return
    if form.get("do") != "act":
        raise errors.NotFound("action")
    room = restrooms.load(session, page.user(), form.get("room", ""), accounts.INSPECT)
    if room.facility_id != stop.facility_id:
        raise errors.NotFound("restroom")
    action = campaigns.record_action(session, campaign, page.user(), room, form.get("text", ""))
    for kind, photo in pictures.items():
        if photo:
            photos.add(session, folder(), photo, page.user(), kind, room.facility_id, action=action)
