"""Every route there is, also the ones that will be added: who gets in, and what a POST needs."""

import pytest
from sqlalchemy import select

from server import headers
from server.models import Finding, Inspection

# Whoever has no account sees these.
PUBLIC = {"account.login", "account.language", "public.restroom", "static", "health", "claims.redeem"}
# Answers this machine, or a token; see server/metrics.py.
OWN_RULE = {"page"}
WHEN_SIGNED_IN = 200, 204, 302


@pytest.fixture
def addresses(app, begin, say, room):
    """{(endpoint, method): address} of every route, pointing at things that exist."""
    _client, running = begin("demo-1")
    say.finding("demo-1", running)
    with app.extensions["sessions"]() as session:
        finding = session.scalar(select(Finding.public_id))
        assert session.scalar(select(Inspection.public_id)) == running
    found = {}
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            public_id = {"findings": finding, "inspections": running}.get(rule.endpoint.split(".")[0], room)
            if rule.endpoint == "inspections.start":
                public_id = room
            values = {"public_id": public_id, "name": "demo-1", "method": "eye", "filename": "app.js"}
            address = app.url_map.bind("localhost").build(
                rule.endpoint, {name: values[name] for name in rule.arguments}
            )
            for method in rule.methods - {"HEAD", "OPTIONS"}:
                found[rule.endpoint, method] = address
    return found


def test_nobody_gets_in_without_signing_in_but_where_everybody_may(app, addresses):
    client = app.test_client()

    for (endpoint, method), address in addresses.items():
        if endpoint in PUBLIC | OWN_RULE or method != "GET":
            continue
        answer = client.get(address)
        assert answer.status_code == 302, (endpoint, answer.status_code)
        assert answer.location.startswith("/login?next="), endpoint


def test_what_everybody_may_see_is_shown_to_everybody(app, addresses):
    client = app.test_client()

    for (endpoint, method), address in addresses.items():
        if endpoint in PUBLIC and method == "GET":
            assert client.get(address).status_code == 200, endpoint


def test_a_post_without_its_token_is_refused_everywhere(app, addresses, sign_in):
    clients = [app.test_client(), sign_in("admin")]

    for (endpoint, method), address in addresses.items():
        if method == "POST":
            assert [client.post(address).status_code for client in clients] == [400, 400], endpoint


def test_nobody_posts_anything_without_signing_in(app, addresses, post):
    for (endpoint, method), address in addresses.items():
        if method == "POST" and endpoint not in PUBLIC:
            answer = post(app.test_client(), address, page="/login", follow=False)
            assert answer.status_code == 302, endpoint
            assert answer.location.startswith("/login"), endpoint


def test_an_administrator_can_open_every_page(addresses, sign_in):
    client = sign_in("admin")

    for (endpoint, method), address in addresses.items():
        if method == "GET":
            assert client.get(address).status_code in WHEN_SIGNED_IN, endpoint


def test_a_viewer_can_change_nothing_but_what_is_their_own(addresses, sign_in, post):
    client = sign_in("viewer")
    own = {"account.login", "account.logout", "account.password", "account.language", "claims.redeem"}

    for (endpoint, method), address in addresses.items():
        if method == "POST" and endpoint not in own:
            assert post(client, address, page="/me", follow=False).status_code == 403, endpoint


def test_every_answer_carries_the_headers(app, addresses, sign_in):
    client = sign_in("admin")

    for (endpoint, method), address in addresses.items():
        if method != "GET":
            continue
        answer = client.get(address)
        assert answer.headers["Content-Security-Policy"] == headers.CONTENT_SECURITY_POLICY, endpoint
        assert answer.headers["X-Content-Type-Options"] == "nosniff", endpoint


def test_no_page_has_inline_script_or_style_or_a_foreign_address(addresses, sign_in):
    client = sign_in("admin")

    for (endpoint, method), address in addresses.items():
        if method != "GET" or endpoint == "static":
            continue
        page = client.get(address).text.lower()
        for forbidden in (" style=", "<style", "onclick=", "javascript:", 'src="http', 'href="http', "hx-on"):
            assert forbidden not in page, (endpoint, forbidden)
        assert page.count("<script") == page.count("<script src="), endpoint


def test_a_fragment_asks_for_the_whole_page_when_the_session_has_ended(app, addresses):
    answer = app.test_client().get(addresses["inspections.live", "GET"], headers={"HX-Request": "true"})

    assert (answer.status_code, answer.headers["HX-Refresh"]) == (401, "true")


@pytest.mark.parametrize("language, words", [("en", "There is nothing here"), ("ko", "찾는 페이지가 없습니다")])
def test_what_is_not_there_is_said_in_the_language_of_the_person(sign_in, language, words):
    client = sign_in("viewer", language)

    for address in ("/nothing", "/restrooms/zzz", "/inspections/zzz", "/findings/zzz", "/sensors/zzz", "/r/zzz"):
        answer = client.get(address)
        assert answer.status_code == 404, address
        assert words in answer.text, address


def test_a_broken_server_says_so_in_both_languages_and_shows_no_inner_part(app, sign_in):
    client = sign_in("viewer")
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.view_functions["sensors.index"] = _fails

    answer = client.get("/sensors")

    assert answer.status_code == 500
    assert "Something is broken on this server" in answer.text
    assert "서버에 문제가 생겼습니다" in answer.text
    assert "a secret of ours" not in answer.text


def _fails():
    raise RuntimeError("a secret of ours")
