"""Users, their roles and places, and invitations."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy.orm import Session

from server import security, throttling
from server.models.people import ROLES, User
from server.services import errors
from server.services.people import access_log, accounts, data_subjects, invitations, scopes, tokens
from server.web import page
from server.web.people import forms

bp = Blueprint("people", __name__)

OFFERED_PLACES = 30


class PlaceChoice(NamedTuple):
    """
    The places that a form offers.

    selected  public ids of the selected ones
    search    the words that the others were searched by
    """

    places: list[scopes.Place]
    selected: set[str]
    search: str


@bp.get("/people")
@security.needs(accounts.ADMINISTER)
def index() -> ResponseReturnValue:
    """The users that this administrator may manage, and the open invitations."""
    with page.sessions()() as session:
        users = scopes.list_users(session, page.user())
        open_invitations = invitations.list_open(session, page.user())
        return render_template("people/index.html", users=users, invitations=open_invitations)


@bp.get("/people/<public_id>")
@security.needs(accounts.ADMINISTER)
def show(public_id: str) -> ResponseReturnValue:
    """One user; ?place= searches for places by name."""
    with page.sessions()() as session:
        person = scopes.load_user(session, page.user(), public_id)
        choice = _offer_places(session, scopes.list_places(session, person))
        page.record_access(access_log.SAW_PERSON, person.public_id)
        own_tokens = tokens.list_tokens(session, person)
        return render_template("people/show.html", person=person, roles=ROLES, choice=choice, tokens=own_tokens)


def _offer_places(session: Session, chosen: list[scopes.Place], selected: Iterable[str] = ()) -> PlaceChoice:
    """Offer the chosen places first, then others that the administrator may grant."""
    search = request.args.get("place", "").strip()[:100]
    grantable = scopes.list_grantable(session, page.user(), search, OFFERED_PLACES)
    chosen_ids = {place.row.public_id for place in chosen}
    others = [place for place in grantable if place.row.public_id not in chosen_ids]
    return PlaceChoice([*chosen, *others][: OFFERED_PLACES + len(chosen)], chosen_ids | set(selected), search)


@bp.post("/people/<public_id>/scope")
@security.needs(accounts.ADMINISTER)
def scope(public_id: str) -> ResponseReturnValue:
    """Change a user's role and where it holds."""

    def change(session: Session, person: User) -> None:
        everywhere = request.form.get("everywhere") == "yes"
        places = [] if everywhere else scopes.load_grantable(session, page.user(), request.form.getlist("places"))
        accounts.set_role(session, person, request.form.get("role", ""), page.user())
        scopes.set_places(session, person, everywhere, places, page.user())

    return _change(public_id, change, gettext("Changed. It counts from their next click on."))


@bp.post("/people/<public_id>/disable")
@security.needs(accounts.ADMINISTER)
def disable(public_id: str) -> ResponseReturnValue:
    """Disable an account and end its sessions."""
    success = gettext("The account is closed and its sessions have ended.")
    return _change(public_id, lambda session, person: accounts.disable(session, person, page.user()), success)


@bp.post("/people/<public_id>/enable")
@security.needs(accounts.ADMINISTER)
def enable(public_id: str) -> ResponseReturnValue:
    """Enable a disabled account."""
    success = gettext("The account is open again.")
    return _change(public_id, lambda session, person: accounts.enable(session, person, page.user()), success)


@bp.post("/people/<public_id>/second-factor")
@security.needs(accounts.ADMINISTER)
def reset_second_factor(public_id: str) -> ResponseReturnValue:
    """Remove a lost second factor."""
    success = gettext("The second factor is off. They can set up another one after they sign in.")
    return _change(
        public_id, lambda session, person: accounts.reset_second_factor(session, person, page.user()), success
    )


@bp.post("/people/<public_id>/password")
@security.needs(accounts.ADMINISTER)
def reset_password(public_id: str) -> ResponseReturnValue:
    """Set a one-time password; it is shown once."""
    with page.sessions().begin() as session:
        person = scopes.load_user(session, page.user(), public_id)
        password = accounts.reset_password(session, person, page.user())
        return render_template("people/one_time_password.html", person=person, password=password)


@bp.post("/people/<public_id>/tokens/<token>/revoke")
@security.needs(accounts.ADMINISTER)
def revoke_token(public_id: str, token: str) -> ResponseReturnValue:
    """Revoke a token of a user."""
    success = gettext("The token no longer works.")
    return _change(public_id, lambda session, person: tokens.revoke(session, person, token, page.user()), success)


@bp.post("/people/<public_id>/erase")
@security.needs(accounts.ADMINISTER)
def erase(public_id: str) -> ResponseReturnValue:
    """Erase a user's personal data."""
    if request.form.get("really") != "yes":
        page.flash_warning(gettext("Nothing was done: tick the box to erase the person's data."))
        return redirect(url_for("people.show", public_id=public_id))
    success = gettext("The personal data is erased. The records remain, without the name.")
    return _change(
        public_id,
        lambda session, person: data_subjects.erase(session, person, page.user()),
        success,
        url_for("people.index"),
    )


def _change(public_id: str, change: Callable[[Session, User], object], success: str, next_address: str | None = None):
    """Change a user in one transaction and go to next_address, by default back to the user."""
    show_address = url_for("people.show", public_id=public_id)
    try:
        with page.sessions().begin() as session:
            change(session, scopes.load_user(session, page.user(), public_id))
    except errors.Refused as error:
        page.flash_warning(page.refusal_text(error))
        return redirect(show_address)
    page.flash_success(success)
    return redirect(next_address or show_address)


@bp.route("/people/invite", methods=["GET", "POST"])
@security.needs(accounts.ADMINISTER)
def invite() -> ResponseReturnValue:
    """Invite a person. POST shows the link, once."""
    name, role = request.form.get("name", "").strip()[:200], request.form.get("role", "inspector")
    everywhere, place_ids = request.form.get("everywhere") == "yes", request.form.getlist("places")
    problem, status = None, 200
    if request.method == "POST":
        try:
            with page.sessions().begin() as session:
                places = [] if everywhere else scopes.load_grantable(session, page.user(), place_ids)
                invitation, code = invitations.invite(session, page.user(), name, role, everywhere, places)
        except errors.Refused as error:
            problem, status = page.refusal_text(error), 422
        else:
            link = page.public_address("people.accept") + "#" + code
            return render_template("people/invited.html", invitation=invitation, link=link)
    with page.sessions()() as session:
        html = render_template(
            "people/invite.html",
            roles=ROLES,
            choice=_offer_places(session, [], place_ids),
            name=name,
            role=role,
            everywhere=everywhere,
            problem=problem,
        )
        return html, status


@bp.post("/people/invitations/<public_id>/withdraw")
@security.needs(accounts.ADMINISTER)
def withdraw(public_id: str) -> ResponseReturnValue:
    """End an open invitation."""
    with page.sessions().begin() as session:
        invitations.withdraw(session, public_id, page.user())
    page.flash_success(gettext("The invitation is no longer valid."))
    return redirect(url_for("people.index"))


@bp.route("/invitation", methods=["GET", "POST"])
@security.public
@throttling.limit_code
def accept() -> ResponseReturnValue:
    """Make an account with an invitation's code."""
    form, problem = forms.InvitationForm(), None
    if form.validate_on_submit():
        try:
            with page.sessions().begin() as session:
                data = form.data
                user = invitations.accept(session, data["code"], data["login"], data["name"].strip(), data["new"])
        except errors.Refused as error:
            problem = page.refusal_text(error)
        else:
            security.sign_in(user)
            page.flash_success(gettext("Welcome. Your account is ready."))
            return redirect(url_for("start.index"))
    elif request.method == "POST" and not form.errors:
        abort(400)
    status = 403 if problem else 200
    return render_template(
        "people/account/invitation.html", form=form, problem=problem, min_password=accounts.MIN_PASSWORD
    ), status
