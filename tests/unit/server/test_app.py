import time

import pytest
from flask import current_app, render_template_string, request
from pydantic import SecretStr

from server import clock, create_app, i18n, security, throttling
from server.config import Settings
from server.models import Restroom, User
from server.services.errors import NotFound
from server.services.people import accounts
from tests.support.session_cookies import cookie_of

AT_S = 1_800_000_000  # 2027-01-15 08:00 UTC, 17:00 in Seoul


@security.public
@throttling.limit_logins
def login():
    with current_app.extensions["sessions"].begin() as session:
        user = accounts.authenticate(session, request.form["login"], request.form["password"])
    security.sign_in(user)
    return "in"


@pytest.fixture
def app(settings, sessions, hashed):
    """The application with a few views of its own, and one person of each role."""
    made = create_app(settings)
    made.config.update(TESTING=True, WTF_CSRF_ENABLED=False, RATELIMIT_ENABLED=True)

    @made.get("/t/plain")
    def plain():
        return "plain"

    @made.get("/t/inspect")
    @security.needs(accounts.INSPECT)
    def inspect():
        return "inspect"

    @made.get("/t/admin")
    @security.needs(accounts.ADMINISTER)
    def administer():
        return "admin"

    @made.get("/t/public")
    @security.public
    def public():
        return "public"

    @made.get("/t/missing")
    @security.public
    def missing():
        raise NotFound("restroom")

    @made.get("/t/when")
    @security.public
    def when():
        at_s = None if request.args.get("none") else AT_S
        room = Restroom(name="여자화장실", name_en="Women's")
        text = "{{ at|when }} | {{ at|day }} | {{ at|clock }} | {{ 3725|duration }} | {{ room|local_name }}"
        return render_template_string(text, at=at_s, room=room)

    @made.get("/t/language/<language>")
    @security.public
    def language(language):
        return str(i18n.remember(language))

    made.add_url_rule("/t/login", view_func=login, methods=["POST"])
    throttling.limiter.reset()
    with sessions.begin() as session:
        for role in ("viewer", "inspector", "manager", "admin"):
            session.add(
                User(login=role, role=role, password_hash=hashed, session_word="0" * 32, created_s=clock.now_s())
            )
    return made


def sign_in(app, who):
    client = app.test_client()
    with client.session_transaction() as session, app.extensions["sessions"].begin() as store:
        user = next(one for one in accounts.list_users(store) if one.login == who)
        session.update(cookie_of(store, user))
    return client


def test_without_a_session_only_public_views_answer(app):
    client = app.test_client()

    assert client.get("/t/public").text == "public"
    assert client.get("/t/plain").status_code == 302
    assert client.get("/t/plain").headers["Location"].startswith("/login")
    assert client.get("/t/nothing").status_code == 404


def test_a_fragment_is_not_replaced_by_the_login_page(app):
    answer = app.test_client().get("/t/plain", headers={"HX-Request": "true"})

    assert (answer.status_code, answer.text, answer.headers["HX-Refresh"]) == (401, "", "true")


@pytest.mark.parametrize(
    ("who", "plain", "inspect", "admin"),
    [("viewer", 200, 403, 403), ("inspector", 200, 200, 403), ("manager", 200, 200, 403), ("admin", 200, 200, 200)],
)
def test_a_right_is_asked_for(app, who, plain, inspect, admin):
    client = sign_in(app, who)

    assert [client.get("/t/" + name).status_code for name in ("plain", "inspect", "admin")] == [plain, inspect, admin]


def test_a_session_ends_when_the_person_is_disabled(app, sessions):
    client = sign_in(app, "viewer")
    assert client.get("/t/plain").status_code == 200

    with sessions.begin() as session:
        accounts.disable(session, accounts.authenticate(session, "viewer", "correct horse battery"))

    assert client.get("/t/plain").status_code == 302


def test_a_one_time_password_leads_to_choosing_another_and_nowhere_else(app, sessions):
    with sessions.begin() as session:
        accounts.reset_password(session, accounts.authenticate(session, "viewer", "correct horse battery"))

    answer = sign_in(app, "viewer").get("/t/plain")

    assert answer.status_code == 302 and "password" in answer.headers["Location"]


def test_signing_in_makes_a_new_session(app):
    client = app.test_client()
    with client.session_transaction() as session:
        session["planted"] = "by somebody else"
        session["language"] = "en"

    assert client.post("/t/login", data={"login": "viewer", "password": "correct horse battery"}).text == "in"

    with client.session_transaction() as session:
        assert "planted" not in session and session["language"] == "en"
    cookie = client.get_cookie("ansim")
    assert cookie.http_only and cookie.same_site == "Lax"


def test_guessing_is_throttled_by_address(app):
    app.config["TESTING"] = False
    client = app.test_client()
    app.config["PROPAGATE_EXCEPTIONS"] = False

    answers = [client.post("/t/login", data={"login": f"nobody-{n}", "password": "x"}) for n in range(32)]

    assert [answer.status_code for answer in answers] == [500] * 30 + [429] * 2


def test_signing_out_ends_the_session_on_the_server(app):
    client = sign_in(app, "viewer")
    kept = client.get_cookie("ansim").value
    assert client.get("/t/plain").status_code == 200

    answer = client.post("/logout")

    assert answer.headers["Clear-Site-Data"] == '"cache"'
    client.set_cookie("ansim", kept)
    assert client.get("/t/plain").status_code == 302


def test_a_form_without_its_token_is_refused(settings, app):
    app.config["WTF_CSRF_ENABLED"] = True

    assert app.test_client().post("/t/login", data={"login": "viewer"}).status_code == 400


def test_what_a_service_does_not_find_is_404(app):
    assert app.test_client().get("/t/missing").status_code == 404


def test_every_answer_carries_the_headers(app):
    for path in ("/t/public", "/t/plain", "/t/nothing", "/healthz"):
        headers = app.test_client().get(path).headers
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert "Strict-Transport-Security" not in headers


def test_with_https_cookies_are_secure(settings):
    made = create_app(settings.model_copy(update={"https": True}))

    assert made.config["SESSION_COOKIE_SECURE"] is True
    assert "max-age" in made.test_client().get("/healthz").headers["Strict-Transport-Security"]


def test_health_is_the_databases(app, settings):
    assert app.test_client().get("/healthz").text == "ok\n"

    elsewhere = create_app(
        Settings(data=settings.data, database_url=SecretStr(f"sqlite:////{settings.data}/none/x.db"), port=1)
    )
    (settings.data / "none").rmdir()
    elsewhere.config["PROPAGATE_EXCEPTIONS"] = False
    assert elsewhere.test_client().get("/healthz").status_code == 500


def test_metrics_are_for_this_machine(app):
    client = app.test_client()
    client.get("/t/public")

    page = client.get("/metrics").text

    assert 'ansim_web_requests_total{endpoint="public",method="GET",status="200"} 1.0' in page
    assert "# TYPE ansim_messages_total counter" in page
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "10.0.0.1"}).status_code == 403


def test_no_method_path_or_user_agent_of_a_client_becomes_a_label(app):
    client = app.test_client()
    for number in range(20):
        client.open(f"/made-up-{number}", method=f"MADEUP{number}", headers={"User-Agent": f"agent-{number}"})

    page = client.get("/metrics").text
    assert "MADEUP" not in page and "made-up" not in page and "agent-" not in page
    assert 'method="other"' in page


def test_metrics_can_have_a_token_instead(settings):
    made = create_app(Settings(data=settings.data, metrics_token=SecretStr("s3cret")))

    def status(**headers):
        return made.test_client().get("/metrics", headers=headers).status_code

    assert (status(), status(Authorization="Bearer wrong"), status(Authorization="Bearer s3cret")) == (403, 403, 200)


def test_times_have_24_hours_in_both_languages(app):
    def told(language):
        return app.test_client().get("/t/when", headers={"Accept-Language": language}).text

    korean, english = told("ko"), told("en-GB")

    assert korean == "2027. 1. 15. (금) 17:00 | 2027. 1. 15. (금) | 17:00:00 | 1시간 2분 | 여자화장실"
    assert english == "15 Jan 2027, 17:00 | Fri 15 Jan 2027 | 17:00:00 | 1 h 2 min | Women&#39;s"


def test_no_time_is_a_dash(app):
    assert app.test_client().get("/t/when?none=1").text.startswith("– | – | – |")


def test_the_language_can_be_chosen(app):
    client = app.test_client()
    assert "금" in client.get("/t/when").text

    assert client.get("/t/language/en").text == "True"
    assert client.get("/t/language/xx").text == "False"

    assert "15 Jan 2027" in client.get("/t/when", headers={"Accept-Language": "ko"}).text


def test_translations_are_compiled_when_they_are_newer(tmp_path):
    folder = tmp_path / "ko" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    source = folder / "messages.po"
    source.write_text('msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\nmsgid "yes"\nmsgstr "네"\n')

    i18n.compile_translations(tmp_path)
    first = (folder / "messages.mo").stat().st_mtime_ns
    i18n.compile_translations(tmp_path)

    assert (folder / "messages.mo").stat().st_mtime_ns == first
    assert [path.name for path in folder.iterdir() if path.suffix == ".tmp"] == []
    assert time.time_ns() > first
