"""Restrooms: the list, one restroom with its log, a new one, and the sign for its door."""

from collections import namedtuple
from io import BytesIO

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from flask_babel import gettext
from wtforms.fields.choices import SelectChoice

from server import clock, i18n, security
from server.services import errors
from server.services.findings import judging
from server.services.inspecting import inspections
from server.services.people import access, accounts
from server.services.places import editing, plans, restrooms, visitor_requests
from server.web import facts, forms, page, reach

bp = Blueprint("places", __name__)

STATES = (restrooms.RUNNING, restrooms.NEVER, restrooms.WITH_FINDINGS)
LOG_ROWS = 30
OPEN_FINDINGS_SHOWN = 10
SITES_SHOWN = 100  # buildings to choose from; a country has tens of thousands

# A services.places.RestroomRow, and when the next inspection is due.
Row = namedtuple("Row", (*restrooms.RestroomRow._fields, "due"))


@bp.get("/")
def index():
    """
    All restrooms by building and name.

    ?search= words; ?state= running, never or findings; ?after= or ?before= a restroom, for the next or previous page
    """
    search = request.args.get("search", "").strip()[:100]
    state = request.args.get("state")
    state = state if state in STATES else None
    with page.sessions()() as session:
        asked = {"search": search, "state": state}
        total = None
        if search:
            only = restrooms.find(session, **asked, user=page.user())
            if only is not None:
                asked, total = {"only": only}, len(only)
        else:
            total = restrooms.count_restrooms(session, state=state, user=page.user())
        after, before = (_mark(session, request.args.get(name)) for name in ("after", "before"))
        found = restrooms.list_restrooms(
            session, **asked, limit=page.PER_PAGE + 1, user=page.user(), after=after, before=before
        )
        more = len(found) > page.PER_PAGE
        # The row too many only tells that there is more; it stands at the end that was walked towards.
        found = found[-page.PER_PAGE :] if before else found[: page.PER_PAGE]
        now_s = clock.now_s()
        rows = [Row(*row, facts.due(row.restroom, now_s)) for row in found]

        def at(**where):
            return url_for("places.index", search=search or None, state=state, **where)

        back = rows and (more if before else after is not None)
        onward = rows and (before is not None or more)
        return render_template(
            "places/index.html",
            rows=rows,
            total=total,
            most=restrooms.MOST_FOUND,
            search=search,
            state=state,
            newer=at(before=rows[0].restroom.public_id) if back else None,
            older=at(after=rows[-1].restroom.public_id) if onward else None,
        )


def _mark(session, public_id):
    """The restroom a page begins behind or ends ahead of; None if it is not there."""
    try:
        return restrooms.restroom(session, public_id) if public_id else None
    except errors.NotFound:
        return None


@bp.get("/restrooms/<public_id>")
def show(public_id):
    """One restroom: its log, newest first, and its open findings; ?before= an inspection for older ones."""
    with page.sessions()() as session:
        room = restrooms.restroom(session, public_id)
        access.check(session, page.user(), accounts.SEE, room.facility_id)
        before = request.args.get("before")
        before_id = inspections.inspection(session, before).id if before else None
        log = restrooms.log(session, room, LOG_ROWS + 1, before_id)
        log, more = log[:LOG_ROWS], len(log) > LOG_ROWS
        still_open = judging.list_findings(session, restroom=room, limit=OPEN_FINDINGS_SHOWN)
        running = next((row.inspection for row in log if row.inspection.id == room.running_inspection_id), None)
        older = log[-1].inspection.public_id if more else None
        now_s = clock.now_s()
        fixed = plans.fixed_sensors(session, room)
        return render_template(
            "places/show.html",
            room=room,
            log=log,
            running=running,
            open_findings_here=still_open,
            due=facts.due(room, now_s),
            plan=plans.due_of(room, plans.Intervals(session), bool(fixed), now_s),
            fixed=fixed,
            wish=visitor_requests.open_one(session, room),
            sources=editing.sources_of(session, room.facility),
            older=url_for("places.show", public_id=room.public_id, before=older) if older else None,
        )


@bp.route("/restrooms/new", methods=["GET", "POST"])
@security.needs(accounts.MANAGE)
def new():
    """Add a restroom, in a building that is there or a new one; ?building= words to find it by."""
    form = forms.RestroomForm()
    words = request.args.get("building", "").strip()[:100]
    with page.sessions()() as session:
        found = editing.facilities(session, page.user(), search=words, limit=SITES_SHOWN + 1)
        sites = [row.facility for row in found[:SITES_SHOWN]]
        chosen = request.form.get("facility") or request.args.get("facility") or ""
        if chosen and chosen != forms.NEW_FACILITY and chosen not in {site.public_id for site in sites}:
            site = editing.facility(session, chosen)
            access.check(session, page.user(), accounts.MANAGE, site.id)
            sites.insert(0, site)
        form.facility.choices = [SelectChoice(site.public_id, i18n.local_name(site)) for site in sites]
    form.facility.choices.append(SelectChoice(forms.NEW_FACILITY, gettext("A new building or site")))
    if request.method == "GET" and chosen:
        form.facility.data = chosen
    if not form.validate_on_submit():
        many = len(found) > SITES_SHOWN or words
        return render_template("places/new.html", form=form, has_sites=bool(sites), many=many, words=words)
    with page.sessions().begin() as session:
        room = _add(session, form)
    page.flash_success(gettext("The restroom has been added."))
    return redirect(url_for("places.show", public_id=room.public_id))


def _add(session, form):
    if form.facility.data == forms.NEW_FACILITY:
        name, address = form.facility_name.data.strip(), (form.facility_address.data or "").strip()
        own = editing.facilities(session, page.user(), limit=1)
        owner = own[0].facility.organisation if own else restrooms.add_organisation(session, name)
        site = restrooms.add_facility(session, owner, name, address=address)
    else:
        site = editing.facility(session, form.facility.data)
        access.check(session, page.user(), accounts.MANAGE, site.id)
    fields = {
        "name_en": (form.name_en.data or "").strip(),
        "block": form.block.data,
        "floor": (form.floor.data or "").strip(),
        "stalls": form.stalls.data or 0,
    }
    return restrooms.add_restroom(session, site, form.name.data.strip(), by=page.user(), **fields)


@bp.get("/restrooms/<public_id>/sign")
def sign(public_id):
    """The sign for the door, to be printed."""
    with page.sessions()() as session:
        room = reach.room(session, public_id)
        return render_template("places/sign.html", room=room, address=public_address(room))


@bp.get("/restrooms/<public_id>/code.svg")
def code(public_id):
    """The QR code of a restroom's public page. It holds a public id and nothing else."""
    import segno

    with page.sessions()() as session:
        address = public_address(reach.room(session, public_id))
    drawn = BytesIO()
    segno.make(address, error="m", micro=False).save(drawn, kind="svg", scale=8, border=2, xmldecl=False)
    return Response(drawn.getvalue(), mimetype="image/svg+xml")


def public_address(room) -> str:
    """The address that stands in a restroom's QR code."""
    base = current_app.extensions["settings"].public_url.rstrip("/")
    if base:
        return base + url_for("public.restroom", public_id=room.public_id)
    return url_for("public.restroom", public_id=room.public_id, _external=True)
