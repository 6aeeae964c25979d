"""Restrooms: the list, one restroom with its history, adding and editing one, and the sign for its door."""

from io import BytesIO
from typing import NamedTuple

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from server import clock, i18n, security
from server.models.findings import OPEN
from server.services import errors, paging
from server.services.findings import findings
from server.services.intake import heartbeat
from server.services.people import accounts
from server.services.places import due_dates, facilities, history, restrooms, visitor_requests
from server.web import page
from server.web.forms import SelectChoice
from server.web.inspecting import pictures
from server.web.places import forms, presenters, signs
from server.web.reporting import documents

bp = Blueprint("places", __name__)

HISTORY_ROWS = 30
OPEN_FINDINGS_SHOWN = 10
FACILITIES_SHOWN = 100  # to choose from; a country has tens of thousands


class Row(NamedTuple):
    """A row of the list: see restrooms.RestroomSummary."""

    restroom: restrooms.Restroom
    facility: restrooms.Facility
    open_findings: int
    running: str | None
    methods: list[str]
    due: presenters.Due


@bp.get("/")
def index() -> ResponseReturnValue:
    """
    Restrooms by building and name.

    ?search= words; ?state= one of restrooms.STATES; ?after= or ?before= a cursor, for the next or previous page
    """
    search = request.args.get("search", "").strip()[:100]
    state = request.args.get("state")
    state = state if state in restrooms.STATES else ""
    after, before = request.args.get("after"), request.args.get("before")
    with page.sessions()() as session:
        filters: dict = {"search": search, "state": state}
        total = None
        if search:
            only = restrooms.find_ids(session, page.user(), search, state)
            if only is not None:
                filters, total = {"only": only}, len(only)
        else:
            total = restrooms.count_restrooms(session, page.user(), state=state)
        backwards = bool(before and not after)
        found = restrooms.list_restrooms(
            session,
            page.user(),
            **filters,
            cursor=after or before,
            limit=page.PER_PAGE,
            by_name=True,
            language=i18n.language(),
            backwards=backwards,
        )
        now_s = clock.now_s()
        rows = [Row(*row, presenters.due(row.restroom, now_s)) for row in restrooms.summarise(session, found.rows)]
        more_before, more_after = (found.next, True) if backwards else (after, found.next)

        def address(**cursor):
            return url_for("places.index", search=search or None, state=state or None, **cursor)

        return render_template(
            "places/index.html",
            rows=rows,
            total=total,
            most=restrooms.MOST_FOUND,
            search=search,
            state=state or None,
            ingest_is_missing=accounts.may(page.user(), accounts.MANAGE)
            and not heartbeat.is_beating(current_app.extensions["settings"].data),
            newer=address(before=paging.encode(rows[0].restroom.id)) if rows and more_before else None,
            older=address(after=paging.encode(rows[-1].restroom.id)) if rows and more_after else None,
        )


@bp.get("/restrooms/<public_id>")
def show(public_id: str) -> ResponseReturnValue:
    """One restroom: its inspections, newest first, and its open findings; ?before= a cursor for older inspections."""
    with page.sessions()() as session:
        room = restrooms.load(session, page.user(), public_id)
        found = history.list_history(session, room, cursor=request.args.get("before"), limit=HISTORY_ROWS)
        open_findings = findings.list_findings(
            session,
            page.user(),
            status=OPEN,
            restroom=room.public_id,
            limit=OPEN_FINDINGS_SHOWN,
            newest_first=True,
        )
        running = next((row.inspection for row in found.rows if row.inspection.id == room.running_inspection_id), None)
        now_s = clock.now_s()
        sensors = due_dates.list_fixed_sensors(session, room)
        return render_template(
            "places/show.html",
            room=room,
            history=found.rows,
            running=running,
            open_findings_here=open_findings.rows,
            due=presenters.due(room, now_s),
            plan=due_dates.list_methods(room, due_dates.Intervals(session), bool(sensors), now_s),
            sensors=sensors,
            visitor_request=visitor_requests.load_open(session, room),
            visitor_reports=visitor_requests.list_reports(session, room),
            calendar=_calendar(found.rows, now_s),
            sources=facilities.list_sources(session, room.facility),
            older=found.next and url_for("places.show", public_id=room.public_id, before=found.next),
        )


def _calendar(rows, now_s):
    done = [(row.inspection, row.result.methods) for row in rows if row.result]
    return pictures.year_calendar(done, clock.local(now_s).year, i18n.language())


@bp.route("/restrooms/new", methods=["GET", "POST"])
@security.needs(accounts.MANAGE)
def new() -> ResponseReturnValue:
    """Add a restroom to a building, old or new; ?building= words to search it by."""
    form = forms.NewRestroomForm()
    search = request.args.get("building", "").strip()[:100]
    with page.sessions()() as session:
        found = facilities.list_facilities(
            session, page.user(), search=search, limit=FACILITIES_SHOWN, by_name=True, language=i18n.language()
        )
        choices = found.rows
        chosen = request.form.get("facility") or request.args.get("facility") or ""
        if chosen and chosen != forms.NEW_FACILITY and chosen not in {site.public_id for site in choices}:
            choices.insert(0, facilities.load(session, page.user(), chosen, accounts.MANAGE))
        form.facility.choices = [SelectChoice(site.public_id, i18n.local_name(site)) for site in choices]
    form.facility.choices.append(SelectChoice(forms.NEW_FACILITY, gettext("A new building or site")))
    if request.method == "GET" and chosen:
        form.facility.data = chosen
    if not form.validate_on_submit():
        many = found.next or search
        return render_template("places/new.html", form=form, has_sites=bool(choices), many=many, search=search)
    with page.sessions().begin() as session:
        if form.facility.data == forms.NEW_FACILITY:
            facility = facilities.add_own(session, page.user(), **form.facility_fields())
        else:
            facility = facilities.load(session, page.user(), form.facility.data, accounts.MANAGE)
        room = restrooms.add(session, facility, by=page.user(), **form.fields())
    page.flash_success(gettext("The restroom has been added."))
    return redirect(url_for("places.show", public_id=room.public_id))


@bp.route("/restrooms/<public_id>/edit", methods=["GET", "POST"])
@security.needs(accounts.MANAGE)
def edit(public_id: str) -> ResponseReturnValue:
    """Change a restroom's properties."""
    problem = None
    with page.sessions()() as session:
        room = restrooms.load(session, page.user(), public_id, accounts.MANAGE)
        form = forms.RestroomForm(obj=None if request.method == "POST" else room)
        if request.method == "GET":
            form.external_ids.data = "\n".join(f"{known.source}: {known.value}" for known in room.external_ids)
    if form.validate_on_submit():
        try:
            with page.sessions().begin() as session:
                room = restrooms.load(session, page.user(), public_id, accounts.MANAGE)
                restrooms.change(session, page.user(), room, **form.fields())
                restrooms.set_external_ids(session, page.user(), room, form.pairs())
            page.flash_success(gettext("Saved."))
            return redirect(url_for("places.show", public_id=public_id))
        except errors.Refused as error:
            problem = page.refusal_text(error)
    with page.sessions()() as session:  # read again: a refusal has rolled the change back
        room = restrooms.load(session, page.user(), public_id, accounts.MANAGE)
        return render_template("places/edit.html", room=room, form=form, problem=problem)


@bp.post("/restrooms/<public_id>/retire")
@security.needs(accounts.MANAGE)
def retire(public_id: str) -> ResponseReturnValue:
    """Take a restroom out of use, with a reason; or (form field `back`) put it back into use."""
    try:
        with page.sessions().begin() as session:
            room = restrooms.load(session, page.user(), public_id, accounts.MANAGE)
            if request.form.get("back"):
                restrooms.restore(session, page.user(), room)
                page.flash_success(gettext("The restroom is in use again."))
            else:
                restrooms.retire(session, page.user(), room, request.form.get("reason", ""))
                page.flash_success(gettext("The restroom is out of use. Its log is kept."))
    except errors.Refused as error:
        page.flash_warning(page.refusal_text(error))
        return redirect(url_for("places.edit", public_id=public_id))
    return redirect(url_for("places.show", public_id=public_id))


@bp.get("/restrooms/<public_id>/sign")
def sign(public_id: str) -> ResponseReturnValue:
    """The sign for the door, to be printed; ?as=pdf."""
    with page.sessions()() as session:
        room = restrooms.load(session, page.user(), public_id)
        back = url_for("places.show", public_id=room.public_id)
        pdf = f"{url_for('places.sign', public_id=public_id)}?as={documents.PDF}"
        return signs.answer(gettext("Door sign"), [room], back, i18n.local_name(room), pdf)


@bp.get("/restrooms/<public_id>/code.svg")
def code(public_id: str) -> ResponseReturnValue:
    """The QR code with the address of a restroom's public page. It holds a public id and nothing else."""
    import segno

    with page.sessions()() as session:
        address = signs.public_address(restrooms.load(session, page.user(), public_id))
    image = BytesIO()
    segno.make(address, error="m", micro=False).save(image, kind="svg", scale=8, border=2, xmldecl=False)
    return Response(image.getvalue(), mimetype="image/svg+xml")
