"""Signing in, the one-time password, and the language."""

import pytest
from sqlalchemy import select

from server.models import User
from server.services.people import accounts
from tests.unit.server.web.conftest import PASSWORD, csrf_token


@pytest.fixture
def once(app):
    """(login, one-time password) of the first administrator."""
    with app.extensions["sessions"].begin() as session:
        return accounts.create_first_admin(session)


def log_in(client, post, login, password, address="/login"):
    return post(client, address, {"login": login, "password": password})


def test_the_first_sign_in_leads_to_a_new_password_and_then_to_the_restrooms(stranger, post, once):
    client = stranger()

    page = log_in(client, post, *once)
    assert page.request.path == "/password"
    assert client.get("/").location == "/password"

    form = {"old": once[1], "new": "four words are enough", "again": "four words are enough"}
    page = post(client, "/password", form)
    assert page.request.path == "/start"
    assert "The new password is set" in page.text

    assert log_in(stranger(), post, once[0], once[1]).status_code == 403
    assert log_in(stranger(), post, once[0], "four words are enough").request.path == "/start"


@pytest.mark.parametrize(
    "form, words",
    [
        ({"old": "wrong", "new": "four words are enough", "again": "four words are enough"}, "current password"),
        ({"new": "short", "again": "short"}, "at least 12 characters"),
        ({"new": "password password", "again": "password password"}, "first that others would try"),
        ({"new": "four words are enough", "again": "four words are not"}, "not the same"),
    ],
)
def test_a_bad_new_password_is_refused_with_the_reason(stranger, post, once, form, words):
    client = stranger()
    log_in(client, post, *once)

    page = post(client, "/password", {"old": once[1], **form})

    assert page.request.path == "/password"
    assert words in page.text


def test_a_wrong_password_tells_neither_which_of_the_two_was_wrong(stranger, post, sign_in):
    sign_in("viewer")

    unknown = log_in(stranger(), post, "nobody", PASSWORD)
    wrong = log_in(stranger(), post, "viewer", "wrong")

    assert unknown.status_code == wrong.status_code == 403
    assert "Wrong sign-in name or password." in unknown.text
    assert "Wrong sign-in name or password." in wrong.text


def test_after_some_wrong_passwords_the_page_says_to_wait(stranger, post, sign_in):
    sign_in("viewer")
    client = stranger()

    answers = [log_in(client, post, "viewer", "wrong").status_code for _ in range(6)]

    assert answers == [403] * 5 + [429]


def test_a_whole_shift_signs_in_from_one_address(stranger, post, sign_in):
    sign_in("viewer")

    answers = [log_in(stranger(), post, "viewer", PASSWORD).status_code for _ in range(12)]

    assert answers == [200] * 12  # the restrooms, where signing in leads


def test_signing_in_leads_on_to_the_page_that_was_asked_for(stranger, post, sign_in):
    sign_in("viewer")

    page = log_in(stranger(), post, "viewer", PASSWORD, "/login?next=/sensors")

    assert page.request.path == "/sensors"


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:1", "/a\nb"]
)
def test_signing_in_never_leads_to_another_server(stranger, post, sign_in, target):
    sign_in("viewer")
    client = stranger()
    form = {"login": "viewer", "password": PASSWORD, "csrf_token": csrf_token(client.get("/login").text)}

    answer = client.post("/login", query_string={"next": target}, data=form)

    assert answer.location == "/start"


def test_signing_out_ends_the_session(sign_in, post):
    client = sign_in("viewer")

    post(client, "/logout", page="/me")

    assert client.get("/").location.startswith("/login")


def test_the_language_is_the_browsers_until_a_person_picks_one(stranger, post):
    client = stranger()

    assert "로그인" in client.get("/login", headers={"Accept-Language": "ko-KR,ko;q=0.9"}).text
    assert "Sign in" in client.get("/login", headers={"Accept-Language": "en-GB"}).text
    page = post(client, "/language", {"language": "ko", "next": "/login"}, page="/login")
    assert page.request.path == "/login"
    assert '<html lang="ko">' in page.text
    assert "로그인" in client.get("/login", headers={"Accept-Language": "en-GB"}).text


def test_the_language_switch_keeps_the_page_and_what_it_was_asked(sign_in, post):
    client = sign_in("viewer", "en")

    page = client.get("/findings?status=closed")
    assert 'name="next" value="/findings?status=closed"' in page.text
    page = post(client, "/language", {"language": "ko", "next": "/findings?status=closed"}, page="/findings")

    assert page.request.path == "/findings"
    assert page.request.args["status"] == "closed"
    assert "처리됨" in page.text


def test_a_disabled_person_is_out_at_once(app, sign_in):
    client = sign_in("viewer")
    with app.extensions["sessions"].begin() as session:
        accounts.disable(session, session.scalar(select(User).where(User.login == "viewer")))

    assert client.get("/").location.startswith("/login")
