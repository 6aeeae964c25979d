"""Restrooms: the list, one restroom with its log, a new one, and the sign for its door."""

from collections import namedtuple
from io import BytesIO

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from flask_babel import gettext
from wtforms.fields.choices import SelectChoice

from server import clock, i18n, security
from server.services import findings, inspections, people, places
from server.web import facts, forms, page

bp = Blueprint("places", __name__)

STATES = (places.RUNNING, places.NEVER, places.WITH_FINDINGS)
LOG_ROWS = 30
OPEN_FINDINGS_SHOWN = 10

# A services.places.RestroomRow, and when the next inspection is due.
Row = namedtuple("Row", (*places.RestroomRow._fields, "due"))


@bp.get("/")
def index():
    """All restrooms; ?search= for words, ?state= running, never or findings, ?page= from 1."""
    search = request.args.get("search", "").strip()[:100]
    state = request.args.get("state")
    state = state if state in STATES else None
    number = page.page_number()
    with page.store()() as session:
        total = places.count_restrooms(session, search, state=state)
        offset = (number - 1) * page.PER_PAGE
        found = places.list_restrooms(session, search, state=state, limit=page.PER_PAGE, offset=offset)
        now_s = clock.now_s()
        rows = [Row(*row, facts.due(row.restroom, now_s)) for row in found]
        more = offset + len(rows) < total

        def at(other):
            return url_for("places.index", search=search or None, state=state, page=other)

        return render_template(
            "places/index.html",
            rows=rows,
            total=total,
            search=search,
            state=state,
            newer=at(number - 1) if number > 1 else None,
            older=at(number + 1) if more else None,
        )


@bp.get("/restrooms/<public_id>")
def show(public_id):
    """One restroom: its log, newest first, and its open findings; ?before= an inspection for older ones."""
    with page.store()() as session:
        room = places.restroom(session, public_id)
        before = request.args.get("before")
        before_id = inspections.inspection(session, before).id if before else None
        log = places.log(session, room, LOG_ROWS + 1, before_id)
        log, more = log[:LOG_ROWS], len(log) > LOG_ROWS
        still_open = findings.list_findings(session, restroom=room, limit=OPEN_FINDINGS_SHOWN)
        running = next((row.inspection for row in log if row.inspection.id == room.running_inspection_id), None)
        older = log[-1].inspection.public_id if more else None
        return render_template(
            "places/show.html",
            room=room,
            log=log,
            running=running,
            open_findings_here=still_open,
            due=facts.due(room, clock.now_s()),
            older=url_for("places.show", public_id=room.public_id, before=older) if older else None,
        )


@bp.route("/restrooms/new", methods=["GET", "POST"])
@security.needs(people.MANAGE)
def new():
    """Add a restroom, in a building that is there or a new one."""
    form = forms.RestroomForm()
    with page.store()() as session:
        sites = places.facilities(session)
        form.facility.choices = [SelectChoice(site.public_id, i18n.local_name(site)) for site in sites]
    form.facility.choices.append(SelectChoice(forms.NEW_FACILITY, gettext("A new building or site")))
    if not form.validate_on_submit():
        return render_template("places/new.html", form=form, has_sites=bool(sites))
    with page.store().begin() as session:
        room = _add(session, form)
    page.said(gettext("The restroom has been added."))
    return redirect(url_for("places.show", public_id=room.public_id))


def _add(session, form):
    sites = {site.public_id: site for site in places.facilities(session)}
    site = sites.get(form.facility.data)
    if site is None:
        owner = next((known.organisation for known in sites.values()), None)
        owner = owner or places.add_organisation(session, form.facility_name.data.strip())
        name, address = form.facility_name.data.strip(), (form.facility_address.data or "").strip()
        site = places.add_facility(session, owner, name, address=address)
    fields = {
        "name_en": (form.name_en.data or "").strip(),
        "block": form.block.data,
        "floor": (form.floor.data or "").strip(),
        "stalls": form.stalls.data or 0,
    }
    return places.add_restroom(session, site, form.name.data.strip(), **fields)


@bp.get("/restrooms/<public_id>/sign")
def sign(public_id):
    """The sign for the door, to be printed."""
    with page.store()() as session:
        room = places.restroom(session, public_id)
        return render_template("places/sign.html", room=room, address=public_address(room))


@bp.get("/restrooms/<public_id>/code.svg")
def code(public_id):
    """The QR code of a restroom's public page. It holds a public id and nothing else."""
    import segno

    with page.store()() as session:
        address = public_address(places.restroom(session, public_id))
    drawn = BytesIO()
    segno.make(address, error="m", micro=False).save(drawn, kind="svg", scale=8, border=2, xmldecl=False)
    return Response(drawn.getvalue(), mimetype="image/svg+xml")


def public_address(room) -> str:
    """The address that stands in a restroom's QR code."""
    base = current_app.extensions["settings"].public_url.rstrip("/")
    if base:
        return base + url_for("public.restroom", public_id=room.public_id)
    return url_for("public.restroom", public_id=room.public_id, _external=True)
