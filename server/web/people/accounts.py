"""People: who there is, what they may do and where, invitations, and what an invitation leads to."""

from collections import namedtuple

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import gettext

from server import security
from server.models.people import ROLES
from server.services import errors
from server.services.people import access_log, accounts, data_subjects, invitations, scopes
from server.web import page
from server.web.people import forms

bp = Blueprint("people", __name__)

FOUND_PLACES = 30

# What a form offers: the Places to tick, which of them are ticked, and the words they were found by.
Choice = namedtuple("Choice", ("places", "ticked", "words"))


@bp.get("/people")
@security.needs(accounts.ADMINISTER)
def index():
    """Everybody whom this administrator looks after, and the invitations that wait."""
    with page.sessions()() as session:
        rows = scopes.users(session, page.user())
        waiting = invitations.open_ones(session, page.user())
        return render_template("people/index.html", rows=rows, waiting=waiting)


@bp.get("/people/<public_id>")
@security.needs(accounts.ADMINISTER)
def show(public_id):
    """One person: role, places, and what can be done for or about them; ?place= words to find a place by."""
    with page.sessions()() as session:
        person = scopes.person(session, public_id, page.user())
        choice = _choice(session, scopes.places_of(session, person))
        page.record_access(access_log.SAW_PERSON, person.public_id)
        return render_template("people/show.html", person=person, roles=ROLES, choice=choice)


def _choice(session, chosen):
    words = request.args.get("place", "").strip()[:100]
    offered = scopes.offered(session, page.user(), words, FOUND_PLACES)
    ticked = {place.row.public_id for place in chosen}
    others = [place for place in offered if place.row.public_id not in ticked]
    return Choice([*chosen, *others][: FOUND_PLACES + len(chosen)], ticked, words)


@bp.post("/people/<public_id>/scope")
@security.needs(accounts.ADMINISTER)
def scope(public_id):
    """Change a person's role and where it holds."""

    def change(session, person):
        everywhere = request.form.get("everywhere") == "yes"
        chosen = [] if everywhere else scopes.choose(session, page.user(), request.form.getlist("places"))
        if not everywhere and not chosen and not page.user().everywhere:
            raise errors.Refused("scope_empty")
        accounts.set_role(session, person, request.form.get("role", ""), page.user())
        scopes.set_places(session, person, everywhere, chosen, page.user())

    return _do(public_id, change, gettext("Changed. It counts from their next click on."))


@bp.post("/people/<public_id>/disable")
@security.needs(accounts.ADMINISTER)
def disable(public_id):
    """End an account and its sessions."""
    done = gettext("The account is closed and its sessions have ended.")
    return _do(public_id, lambda session, person: accounts.disable(session, person, page.user()), done)


@bp.post("/people/<public_id>/enable")
@security.needs(accounts.ADMINISTER)
def enable(public_id):
    """Open a closed account again."""
    done = gettext("The account is open again.")
    return _do(public_id, lambda session, person: accounts.enable(session, person, page.user()), done)


@bp.post("/people/<public_id>/second-factor")
@security.needs(accounts.ADMINISTER)
def reset_second_factor(public_id):
    """Take a lost second factor away."""
    done = gettext("The second factor is off. They can set up another one after they sign in.")
    return _do(public_id, lambda session, person: accounts.reset_second_factor(session, person, page.user()), done)


@bp.post("/people/<public_id>/password")
@security.needs(accounts.ADMINISTER)
def reset_password(public_id):
    """Give a person a one-time password; it is shown once."""
    with page.sessions().begin() as session:
        person = scopes.person(session, public_id, page.user())
        once = accounts.reset_password(session, person, page.user())
        return render_template("people/once.html", person=person, once=once)


@bp.post("/people/<public_id>/erase")
@security.needs(accounts.ADMINISTER)
def erase(public_id):
    """Erase a person's data for good."""
    if request.form.get("really") != "yes":
        page.flash_warning(gettext("Nothing was done: tick the box to erase the person's data."))
        return redirect(url_for("people.show", public_id=public_id))
    done = gettext("The personal data is erased. The records remain, without the name.")
    return _do(
        public_id, lambda session, person: data_subjects.erase(session, person, page.user()), done, "people.index"
    )


def _do(public_id, change, done, onward="people.show"):
    try:
        with page.sessions().begin() as session:
            change(session, scopes.person(session, public_id, page.user()))
    except errors.Refused as error:
        page.flash_warning(page.refusal_text(error))
        return redirect(url_for("people.show", public_id=public_id))
    page.flash_success(done)
    return redirect(url_for(onward, public_id=public_id) if onward == "people.show" else url_for(onward))


@bp.route("/people/invite", methods=["GET", "POST"])
@security.needs(accounts.ADMINISTER)
def invite():
    """Invite somebody: POST shows the link, once."""
    name, role = request.form.get("name", "").strip()[:200], request.form.get("role", "inspector")
    everywhere = request.form.get("everywhere") == "yes"
    problem, status = None, 200
    if request.method == "POST":
        try:
            with page.sessions().begin() as session:
                chosen = [] if everywhere else scopes.choose(session, page.user(), request.form.getlist("places"))
                made, code = invitations.invite(session, page.user(), name, role, everywhere, chosen)
        except errors.Refused as error:
            problem, status = page.refusal_text(error), 422
        else:
            link = page.public_address("people.accept") + "#" + code
            return render_template("people/invited.html", made=made, link=link)
    with page.sessions()() as session:
        ticked = set(request.form.getlist("places"))
        choice = _choice(session, [])._replace(ticked=ticked)
        page_text = render_template(
            "people/invite.html",
            roles=ROLES,
            choice=choice,
            name=name,
            role=role,
            everywhere=everywhere,
            problem=problem,
        )
        return page_text, status


@bp.post("/people/invitations/<public_id>/withdraw")
@security.needs(accounts.ADMINISTER)
def withdraw(public_id):
    """End an invitation that waits."""
    with page.sessions().begin() as session:
        invitations.withdraw(session, public_id, page.user())
    page.flash_success(gettext("The invitation is no longer valid."))
    return redirect(url_for("people.index"))


@bp.route("/invitation", methods=["GET", "POST"])
@security.public
@security.limit_code
def accept():
    """Make one's account with an invitation's code."""
    form, problem = forms.InvitationForm(), None
    if form.validate_on_submit():
        try:
            with page.sessions().begin() as session:
                data = form.data
                made = invitations.accept(session, data["code"], data["login"], data["name"].strip(), data["new"])
        except errors.Refused as error:
            problem = page.refusal_text(error)
        else:
            security.sign_in(made)
            page.flash_success(gettext("Welcome. Your account is ready."))
            return redirect(url_for("places.index"))
    elif request.method == "POST" and not form.errors:
        abort(400)
    status = 403 if problem else 200
    return render_template(
        "people/account/invitation.html", form=form, problem=problem, least=accounts.LEAST_PASSWORD
    ), status
