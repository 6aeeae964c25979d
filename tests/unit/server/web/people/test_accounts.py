"""People, the second factor, tokens, the log and privacy, as people use them."""

import json
import re

import pytest
from pyotp.totp import TOTP
from sqlalchemy import select

from server import clock
from server.models import AccessEvent, Facility, InspectionPerson, LogPersonal, Restroom, User
from server.services.audit import verification
from server.services.people import second_factor, tokens
from tests.support.values import match, present
from tests.unit.server.web.conftest import PASSWORD
from tools import verify_proof


@pytest.fixture
def stored(app):
    """A session that reads what the pages have stored."""
    with app.extensions["sessions"]() as session:
        yield session


def person(stored, login):
    stored.rollback()  # to see what has been stored since the last look
    return stored.scalar(select(User).where(User.login == login).execution_options(populate_existing=True))


def invitation_link(page):
    return match(r"http://[^<\s]+/invitation#([0-9a-z]+)", page.text)


def test_an_invitation_leads_to_an_account_with_the_places_that_were_ticked(sign_in, stranger, post, stored):
    site = stored.scalar(select(Facility).where(Facility.name == "가상역"))
    page = post(sign_in("admin"), "/people/invite", {"name": "Lee", "role": "inspector", "places": [site.public_id]})
    code = invitation_link(page).group(1)

    client = stranger()
    form = {"code": code, "name": "Lee Min", "login": "Lee@example.org", "new": PASSWORD, "again": PASSWORD}
    page = post(client, "/invitation", form)

    assert "Your account is ready" in page.text
    lee = person(stored, "lee@example.org")
    assert (lee.role, lee.everywhere, lee.name) == ("inspector", False, "Lee Min")
    rooms = client.get("/").text
    assert "Women&#39;s, concourse" in rooms and "ground floor" not in rooms
    assert "was used, withdrawn, or is too old" in post(stranger(), "/invitation", form).text


def test_an_invitation_needs_a_place_or_everywhere(sign_in, post):
    page = post(sign_in("admin"), "/people/invite", {"name": "Lee", "role": "inspector"})

    assert page.status_code == 422
    assert "choose at least one place" in page.text


def test_a_withdrawn_invitation_lets_nobody_in(sign_in, stranger, post):
    client = sign_in("admin")
    page = post(client, "/people/invite", {"name": "Lee", "role": "viewer", "everywhere": "yes"})
    code = invitation_link(page).group(1)
    address = match(r"/people/invitations/\w+/withdraw", client.get("/people").text).group()

    post(client, address, page="/people")

    form = {"code": code, "name": "Lee", "login": "lee", "new": PASSWORD, "again": PASSWORD}
    assert post(stranger(), "/invitation", form).status_code == 403


def test_a_changed_scope_counts_from_the_next_click_on(sign_in, post, stored, room):
    inspector, admin = sign_in("inspector"), sign_in("admin")
    assert inspector.get(f"/restrooms/{room}").status_code == 200
    park = stored.scalar(select(Facility).where(Facility.name == "본보기공원"))
    address = f"/people/{person(stored, 'inspector').public_id}"

    page = post(admin, f"{address}/scope", {"role": "viewer", "places": [park.public_id]}, page=address)

    assert "Changed." in page.text
    assert inspector.get(f"/restrooms/{room}").status_code == 404
    assert inspector.get(f"/restrooms/{room}/inspect").status_code == 403
    assert "ground floor" not in inspector.get("/").text and "Lakeside" in inspector.get("/").text


def test_a_closed_account_is_out_at_once_and_can_be_opened_again(sign_in, post, stored):
    viewer, admin = sign_in("viewer"), sign_in("admin")
    address = f"/people/{person(stored, 'viewer').public_id}"

    assert "sessions have ended" in post(admin, f"{address}/disable", page=address).text
    assert viewer.get("/").status_code == 302
    assert "open again" in post(admin, f"{address}/enable", page=address).text


def test_the_last_administrator_cannot_close_or_erase_their_own_account(sign_in, post, stored):
    admin = sign_in("admin")
    address = f"/people/{person(stored, 'admin').public_id}"

    for change, form in (("disable", {}), ("erase", {"really": "yes"}), ("scope", {"role": "viewer"})):
        assert "last administrator" in post(admin, f"{address}/{change}", form, page=address).text, change


def test_a_one_time_password_is_shown_once_and_has_to_be_changed(sign_in, stranger, post, stored):
    sign_in("viewer")
    address = f"/people/{person(stored, 'viewer').public_id}"

    page = post(sign_in("admin"), f"{address}/password", page=address)
    once = match(r'mono big">([^<]+)<', page.text).group(1)

    assert post(stranger(), "/login", {"login": "viewer", "password": once}).request.path == "/password"


def set_up(client, post, **more):
    """Set the second factor up as a person does; return (secret, recovery codes)."""
    page = client.get("/me/second-factor").text
    secret = match(r'mono wrap-anywhere">([A-Z2-7 ]+)<', page).group(1).replace(" ", "")
    token = match(r'name="csrf_token" value="([^"]+)"', page).group(1)
    answer = client.post(
        "/me/second-factor", data={"code": TOTP(secret).now(), "old": PASSWORD, "csrf_token": token, **more}
    )
    return secret, re.findall(r"<li>(\w{4} \w{4} \w{4})</li>", answer.text)


def test_with_a_second_factor_the_password_alone_opens_nothing(sign_in, stranger, post, monkeypatch):
    client = sign_in("viewer")
    secret, codes = set_up(client, post)
    assert len(codes) == 10 and client.get("/").status_code == 200

    other = stranger()
    page = post(other, "/login?next=/sensors", {"login": "viewer", "password": PASSWORD})
    assert page.request.path == "/login/code" and other.get("/").status_code == 302
    assert post(other, "/login/code?next=/sensors", {"code": "000000"}).status_code == 403
    later = clock.now_s() + second_factor.STEP_S
    monkeypatch.setattr(clock, "now_s", lambda: later)
    page = post(other, "/login/code?next=/sensors", {"code": TOTP(secret).at(later)})

    assert page.request.path == "/sensors"


def test_another_second_factor_wants_the_password(sign_in, stored, post):
    client = sign_in("viewer")
    set_up(client, post)
    first = person(stored, "viewer").totp_sealed

    assert set_up(client, post, old="")[1] == []
    assert person(stored, "viewer").totp_sealed == first
    assert len(set_up(client, post, old=PASSWORD)[1]) == 10


def test_a_recovery_code_opens_once(sign_in, stranger, post):
    codes = set_up(sign_in("viewer"), post)[1]
    answers = []
    for _ in range(2):
        client = stranger()
        post(client, "/login", {"login": "viewer", "password": PASSWORD})
        answers.append(post(client, "/login/code", {"code": codes[0]}).status_code)

    assert answers == [200, 403]


def test_a_right_password_waits_five_minutes_for_the_code(sign_in, stranger, post, monkeypatch):
    codes = set_up(sign_in("viewer"), post)[1]
    client = stranger()
    post(client, "/login", {"login": "viewer", "password": PASSWORD})
    later = clock.now_s() + 301
    monkeypatch.setattr(clock, "now_s", lambda: later)

    assert client.get("/login/code").location == "/login"
    assert codes


def test_guessing_codes_is_throttled(sign_in, stranger, post):
    set_up(sign_in("viewer"), post)
    client = stranger()
    post(client, "/login", {"login": "viewer", "password": PASSWORD})

    answers = [post(client, "/login/code", {"code": "000000"}, page="/login/code").status_code for _ in range(6)]

    assert answers == [403] * 5 + [429]


def test_a_role_that_needs_a_second_factor_gets_nowhere_without(app, sign_in, post):
    app.extensions["settings"] = app.extensions["settings"].model_copy(update={"second_factor_for": "admin,manager"})
    client = sign_in("manager")

    assert client.get("/").location == "/me/second-factor"
    assert sign_in("viewer").get("/").status_code == 200
    set_up(client, post)
    assert client.get("/").status_code == 200


def test_a_token_is_shown_once_and_ends_when_it_is_ended(sign_in, post, stored):
    client = sign_in("manager")
    page = post(
        client, "/me/tokens", {"name": "Report", "scopes": ["see"], "days": "30", "password": PASSWORD}, page="/me"
    )
    shown = match(r"ansim_\w+", page.text).group()
    assert present(tokens.authenticate(stored, shown)).name == "Report"
    assert shown not in client.get("/me").text

    address = match(r"/me/tokens/\w+/revoke", client.get("/me").text).group()
    post(client, address, page="/me")

    stored.rollback()
    assert tokens.authenticate(stored, shown) is None


def test_a_token_cannot_do_more_than_its_person(sign_in, post):
    page = post(
        sign_in("viewer"),
        "/me/tokens",
        {"name": "X", "scopes": ["admin"], "days": "30", "password": PASSWORD},
        page="/me",
    )

    assert "A token cannot do more than you." in page.text


def test_an_inspections_log_is_shown_and_its_proof_holds_for_an_outsider(app, begin, say, post, sign_in):
    client, running = begin("demo-1", partner="Park Ji-su")
    say.finding("demo-1", running)

    page = client.get(f"/inspections/{running}/log")
    assert "Inspection started" in page.text and "Transmission reported" in page.text
    answer = post(client, f"/inspections/{running}/proof", page=f"/inspections/{running}/log")
    named = post(client, f"/inspections/{running}/proof", {"names": "yes"}, page=f"/inspections/{running}/log")

    key = json.loads(client.get("/log/heads.json").text)["key"]
    shown = verify_proof.check(answer.text, key)
    assert [one["kind"] for one in shown] == ["inspection.started", "finding.raised"]
    assert "Park" not in answer.text and "Park Ji-su" in named.text
    assert verify_proof.check(named.text, key)[0]["personal"]["by"]["name"] == "Inspector"


def test_the_whole_log_is_for_administrators_of_everything(sign_in, begin):
    begin("demo-1")
    page = sign_in("admin").get("/log?kind=inspection.")

    assert "Inspection started" in page.text and "Sensor added" not in page.text
    assert sign_in("manager").get("/log").status_code == 403


def test_everybody_sees_the_signed_heads_and_no_entry(stranger, post, begin):
    client, running = begin("demo-1")
    post(client, f"/inspections/{running}/proof", page=f"/inspections/{running}/log")

    page = stranger().get("/log/heads")

    assert page.status_code == 200 and "Public key" in page.text
    assert running not in page.text and "nspector" not in page.text


def test_looking_at_a_finding_is_written_down(begin, say, stored, sign_in):
    client, running = begin("demo-1")
    say.finding("demo-1", running)
    address = match(r"/findings/\w{12}", client.get("/findings").text).group()
    client.get(address)

    page = sign_in("admin").get(f"/privacy/accesses?subject={address.rpartition('/')[2]}")

    assert "Saw a finding" in page.text and "Inspector" in page.text


def test_signing_in_and_failing_to_is_written_down(stranger, post, sign_in, stored):
    sign_in("viewer")
    post(stranger(), "/login", {"login": "viewer", "password": "wrong"})
    post(stranger(), "/login", {"login": "viewer", "password": PASSWORD})

    assert list(stored.scalars(select(AccessEvent.kind).order_by(AccessEvent.id))) == ["sign_in_failed", "signed_in"]


def test_an_erased_person_is_gone_and_the_log_still_verifies(app, begin, sign_in, post, stored):
    _client, running = begin("demo-1")
    inspector = person(stored, "inspector")
    address = f"/people/{inspector.public_id}"
    admin = sign_in("admin")
    assert "tick the box" in post(admin, f"{address}/erase", page=address).text

    page = post(admin, f"{address}/erase", {"really": "yes"}, page=address)

    stored.rollback()
    assert "is erased" in page.text and admin.get(address).status_code == 404
    assert stored.get(User, inspector.id).name == "–"
    assert stored.scalar(select(InspectionPerson.name)) == "–"
    assert not [one for one in stored.scalars(select(LogPersonal.content)) if "Inspector" in one]
    assert verification.verify(stored).problem is None
    assert admin.get(f"/inspections/{running}").status_code == 200
    assert "forgotten" in admin.get(f"/inspections/{running}/log").text


def test_a_site_has_its_privacy_sign_with_what_its_manager_adds(sign_in, post, stored, room):
    site = stored.get(Facility, stored.scalar(select(Restroom.facility_id).where(Restroom.public_id == room)))
    address = f"/facilities/{site.public_id}/privacy-sign"

    page = post(sign_in("manager"), address, {"text": "담당: 홍길동", "text_en": "Ask <Kim>"})

    assert "Ask &lt;Kim&gt;" in page.text and "Sample City" in page.text and "7 days" in page.text
    assert "담당: 홍길동" in sign_in("viewer", "ko").get(address).text
    assert "담당: 홍길동</textarea>" not in sign_in("viewer", "ko").get(address).text


def test_the_privacy_page_says_how_long_things_are_kept(stranger):
    page = stranger().get("/privacy")

    assert "raw reports 7 days" in page.text and "cases for the police 10 years" in page.text


def test_a_token_needs_the_password_and_administrators_see_and_end_it(app, sign_in, post):
    client, admin = sign_in("manager"), sign_in("admin")
    form = {"name": "Report", "scopes": ["see"], "days": "30"}
    assert "The current password is not right." in post(client, "/me/tokens", form, page="/me").text
    shown = match(r"ansim_\w+", post(client, "/me/tokens", {**form, "password": PASSWORD}, page="/me").text).group()
    with app.extensions["sessions"]() as session:
        person = session.scalar(select(User.public_id).where(User.login == "manager"))

    page = admin.get(f"/people/{person}").text
    assert "Report" in page
    post(admin, match(r"/people/\w+/tokens/\w+/revoke", page).group(), {}, page=f"/people/{person}")

    with app.extensions["sessions"]() as session:
        assert tokens.authenticate(session, shown) is None


def test_ones_sessions_are_listed_and_can_be_ended(sign_in, post):
    here, elsewhere = sign_in("manager"), sign_in("manager")
    page = here.get("/me").text
    assert page.count("Test</p>") == 2 and "this session" in page

    post(here, match(r"/me/sessions/\w+/end", page).group(), {}, page="/me")

    assert elsewhere.get("/me").status_code == 302
    assert here.get("/me").status_code == 200
