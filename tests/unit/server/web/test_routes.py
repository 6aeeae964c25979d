"""Every route there is, also the ones that will be added: who gets in, and what a change needs."""

import inspect
import re

import pytest
from sqlalchemy import func, select

from server import response_headers
from server.models import Facility, LogEntry, Restroom, Sensor, User
from server.models.people import ROLES
from server.services import paging
from server.services.intake import heartbeat
from server.services.people import accounts, scopes
from server.services.places import facilities, organisations
from tests.conftest import ROOT
from tests.support import route_samples
from tests.support.values import present

CHANGES = {"POST", "PUT", "PATCH", "DELETE"}
# Whoever has no account sees these. A new public route has to be told here as well as in its view.
PUBLIC = {
    "account.code",
    "account.language",
    "account.login",
    "api.enter",
    "claims.redeem",
    "health",
    "readiness_page",
    "log.heads",
    "log.heads_json",
    "log.verify",
    "offline.shell",
    "offline.worker",
    "people.accept",
    "privacy.index",
    "public.ask",
    "public.restroom",
    "static",
}
# Answer this machine, or a token; see server/metrics.py and server/broker/http_access.py.
OWN_RULE = {"page", "broker_authenticate", "broker_authorize"}
# Take their own proof instead of a form's token: a code that works once, or the broker's bearer token.
NO_FORM_TOKEN = {"broker_authenticate", "broker_authorize", "claims.redeem"}
# Everybody who is signed in may change these: they are their own.
OWN = {
    "account.end_session",
    "account.logout",
    "account.make_token",
    "account.password",
    "account.revoke_token",
    "account.second_factor",
}
# Look at the right themselves, because reading needs less than changing; a test of their own shows it.
RIGHT_INSIDE = {"findings.show"}
# Public, or about nobody's place: no foreign facility to refuse.
NO_PLACE = PUBLIC | OWN_RULE | OWN
# What a form has to hold before its view looks at whose thing it is.
FORMS = {
    "campaigns.change": {"do": "team"},
    "people.erase": {"really": "yes"},
    "sensors.revoke": {"really": "yes"},
}
# What a change whose address names nothing has in its form (or behind ?), naming the city hall; None: it names no
# place. A new one has to be told here.
BODIES = {
    "campaigns.new": None,
    "emitters.add": {"facility": "{facility}", "address": "c0:ff:ee:00:00:02", "kind": "neighbour", "why": "seen"},
    "imports.index": None,  # for those whose role holds everywhere
    "offline.hand_over": None,  # no form: test_offline.py hands over a visit of a foreign place
    "notifications.new": {
        "place": "{facility}",
        "name": "x",
        "kinds": "finding_new",
        "way": "webhook",
        "pace": "at_once",
    },
    "reports.freeze": None,  # its place stands in the query: test_route_situations.py
    "people.invite": {"places": "{facility}", "name": "x", "role": "viewer"},
    "places.new": {"facility": "{facility}", "name": "x", "block": "women", "stalls": "1"},
    "plans.intervals": {"?facility": "{facility}", "eye": "30"},
    "sensors.claim": None,
}
WHEN_SIGNED_IN = 200, 204, 302


@pytest.fixture
def addresses(app, begin, say, room):
    """{(endpoint, method): address} of every route, pointing at things that exist."""
    _client, running = begin("demo-1")
    say.finding("demo-1", running)
    say.sweep("demo-1", route_samples.SWEEP_REF)
    return route_samples.addresses(app, running, room)


@pytest.fixture
def stranger_to_the_hall(app, sign_in):
    """A function that signs in somebody whose role holds in another organisation only."""

    def make(role):
        client = sign_in(role)
        with app.extensions["sessions"].begin() as session:
            other = session.scalar(select(Facility).where(Facility.name == "Elsewhere"))
            if other is None:
                other = facilities.add(session, organisations.add(session, "Others"), "Elsewhere")
            user = session.scalar(select(User).where(User.login == role))
            scopes.set_places(session, user, False, [scopes.Place(scopes.FACILITY, other)])
        return client

    return make


def rights(app, endpoint):
    """What a view is marked with: (public, right)."""
    view = app.view_functions[endpoint]
    view = getattr(view, "view_class", view)
    return getattr(view, "public", False), getattr(view, "right", None)


def has_arguments(app, endpoint):
    """True if a route is about one thing that its address names."""
    return any(rule.arguments for rule in app.url_map.iter_rules(endpoint))


def test_what_is_public_is_told_twice(app):
    assert {endpoint for endpoint in app.view_functions if rights(app, endpoint)[0]} == (PUBLIC - {"static"}) | OWN_RULE


def test_what_changes_something_says_which_right_it_needs(app, addresses):
    for endpoint, method in addresses:
        if method in CHANGES and endpoint not in PUBLIC | OWN_RULE | OWN | RIGHT_INSIDE:
            assert rights(app, endpoint)[1] in accounts.RIGHTS["admin"], f"{endpoint}: @security.needs(...) is missing"


def test_a_role_without_the_right_is_refused(app, addresses, sign_in, post):
    for role in ROLES:
        client = sign_in(role)
        for (endpoint, method), address in addresses.items():
            right = rights(app, endpoint)[1]
            if right and right not in accounts.RIGHTS[role]:
                answer = client.get(address) if method == "GET" else post(client, address, page="/me", follow=False)
                assert answer.status_code == 403, (role, endpoint, method)


@pytest.mark.parametrize("role", ["admin", "manager"])
def test_somebody_of_another_facility_gets_to_nothing_of_this_one(app, addresses, stranger_to_the_hall, post, role):
    client = stranger_to_the_hall(role)

    for (endpoint, method), address in addresses.items():
        if endpoint in NO_PLACE or not has_arguments(app, endpoint):
            continue
        form = FORMS.get(endpoint)
        answer = client.get(address) if method == "GET" else post(client, address, form, page="/me", follow=False)
        assert answer.status_code in (403, 404), (endpoint, method, answer.status_code)


@pytest.mark.parametrize("role", ["admin", "manager"])
def test_a_form_that_names_a_place_of_somebody_else_changes_nothing(app, addresses, stranger_to_the_hall, post, role):
    client, names = stranger_to_the_hall(role), {"facility": addresses["facilities.show", "GET"].rpartition("/")[2]}
    plain = {
        endpoint
        for endpoint, method in addresses
        if method in CHANGES and endpoint not in NO_PLACE and not has_arguments(app, endpoint)
    }
    assert plain == set(BODIES)

    for endpoint in sorted(name for name in plain if BODIES[name]):
        before = entries(app)
        body = {name: value.format(**names) for name, value in BODIES[endpoint].items()}
        address = addresses[endpoint, "POST"]
        for name in [name for name in body if name.startswith("?")]:
            address += f"{name}={body.pop(name)}"
        answer = post(client, address, body, page="/me", follow=False)
        assert answer.status_code in (200, 403, 404, 422), (endpoint, answer.status_code)
        assert entries(app) == before, endpoint


def entries(app):
    with app.extensions["sessions"]() as session:
        return session.scalar(select(func.max(LogEntry.n)))


def test_the_lists_of_somebody_of_another_facility_show_nothing_of_this_one(app, addresses, stranger_to_the_hall):
    client = stranger_to_the_hall("manager")
    named = {address.rpartition("/")[2] for (endpoint, _), address in addresses.items() if endpoint == "findings.show"}
    words = {"예시시청", "City Hall", "demo-1", *named}

    for (endpoint, method), address in addresses.items():
        if method == "GET" and endpoint not in NO_PLACE and not has_arguments(app, endpoint):
            shown = client.get(address, follow_redirects=True).text
            assert not [word for word in words if word in shown], endpoint


# Lists whose pages begin at a row: the cursor is that row's number.
CURSORS = {
    "places.index": ("after", Restroom),
    "plans.index": ("after", Restroom),
    "sensors.index": ("after", Sensor),
}


@pytest.mark.parametrize("endpoint", CURSORS)
def test_a_cursor_of_another_facility_is_answered_like_one_of_no_row(app, addresses, stranger_to_the_hall, endpoint):
    client, (name, table) = stranger_to_the_hall("manager"), CURSORS[endpoint]
    with app.extensions["sessions"]() as session:
        foreign = session.scalar(select(table.id).limit(1))

    answers = [
        client.get(addresses[endpoint, "GET"], query_string={name: paging.encode(number)})
        for number in (foreign, 999_999)
    ]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert without_address(answers[0]) == without_address(answers[1])


def without_address(answer):
    """A page without the cursor that its own links repeat, its time, its request's number, and the tokens of forms."""
    text = re.sub(r'YWZ0ZXI[\w%=-]*|name="server-time" content="\d+"|· \w{16}</p>', "", answer.text)
    return re.sub(r'(data-token|name="(?:csrf[_-]token|once)" (?:content|value))="[^"]*"', r"\1", text)


def test_nobody_gets_in_without_signing_in_but_where_everybody_may(app, addresses):
    client = app.test_client()

    for (endpoint, method), address in addresses.items():
        if endpoint in PUBLIC | OWN_RULE or method != "GET":
            continue
        answer = client.get(address)
        assert answer.status_code == 302, (endpoint, answer.status_code)
        assert answer.location.startswith("/login?next="), endpoint


def test_what_everybody_may_see_is_shown_to_everybody(app, addresses):
    heartbeat.beat(app.extensions["settings"].data)  # else /readyz answers 503
    client = app.test_client()

    for (endpoint, method), address in addresses.items():
        if endpoint in PUBLIC - {"account.code"} and method == "GET":
            assert client.get(address).status_code == 200, endpoint


def test_a_post_without_its_token_is_refused_everywhere(app, addresses, sign_in):
    clients = [app.test_client(), sign_in("admin")]

    for (endpoint, method), address in addresses.items():
        if method in CHANGES and endpoint not in NO_FORM_TOKEN:
            answers = [client.open(address, method=method).status_code for client in clients]
            assert answers == [400, 400], endpoint


def test_nobody_posts_anything_without_signing_in(app, addresses, post):
    for (endpoint, method), address in addresses.items():
        if method == "POST" and endpoint not in PUBLIC | OWN_RULE:
            answer = post(app.test_client(), address, page="/login", follow=False)
            assert answer.status_code == 302, endpoint
            assert answer.location.startswith("/login"), endpoint


def test_an_administrator_can_open_every_page(addresses, sign_in):
    client = sign_in("admin")

    for (endpoint, method), address in addresses.items():
        if method == "GET":
            # No ingest runs here, so the installation is not ready.
            expected = (503,) if endpoint == "readiness_page" else WHEN_SIGNED_IN
            assert client.get(address).status_code in expected, endpoint


def test_a_viewer_can_change_nothing_but_what_is_their_own(addresses, sign_in, post):
    client = sign_in("viewer")

    for (endpoint, method), address in addresses.items():
        if method == "POST" and endpoint not in OWN | OWN_RULE | PUBLIC:
            assert post(client, address, page="/me", follow=False).status_code == 403, endpoint


def test_every_answer_carries_the_headers(app, addresses, sign_in):
    client = sign_in("admin")

    for (endpoint, method), address in addresses.items():
        if method != "GET":
            continue
        answer = client.get(address)
        assert answer.headers["Content-Security-Policy"] == response_headers.CONTENT_SECURITY_POLICY, endpoint
        assert answer.headers["X-Content-Type-Options"] == "nosniff", endpoint


def test_no_page_has_inline_script_or_style_or_a_foreign_address(addresses, sign_in):
    client = sign_in("admin")

    for (endpoint, method), address in addresses.items():
        if method != "GET" or endpoint == "static":
            continue
        answer = client.get(address)
        if answer.mimetype not in ("text/html", "image/svg+xml"):
            continue
        page = answer.text.lower()
        for forbidden in (" style=", "<style", "onclick=", "javascript:", 'src="http', 'href="http', "hx-on"):
            assert forbidden not in page, (endpoint, forbidden)
        assert page.count("<script") == page.count("<script src="), endpoint


def test_a_fragment_asks_for_the_whole_page_when_the_session_has_ended(app, addresses):
    answer = app.test_client().get(addresses["inspections.live", "GET"], headers={"HX-Request": "true"})

    assert (answer.status_code, answer.headers["HX-Refresh"]) == (401, "true")


@pytest.mark.parametrize("language, words", [("en", "Page not found"), ("ko", "찾는 페이지가 없습니다")])
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


# What somebody could type into an address instead of what belongs there.
RUBBISH = ("9" * 30, "-1", "a\0b", "'\"<script>", "한" * 300)
ASKED = re.compile(r'request\.(?:args|values)\.(?:get|getlist)\(\s*"(\w+)"')


def test_no_page_breaks_on_rubbish_in_its_address(app, addresses, sign_in):
    client = sign_in("admin")
    app.config["PROPAGATE_EXCEPTIONS"] = False
    tried = 0

    for (endpoint, method), address in addresses.items():
        source = inspect.getsource(present(inspect.getmodule(inspect.unwrap(app.view_functions[endpoint]))))
        for name in sorted(set(ASKED.findall(source))) if method == "GET" else ():
            for rubbish in RUBBISH:
                answer = client.get(address, query_string={name: rubbish})
                assert answer.status_code < 500, (endpoint, name, rubbish)
                assert b"'\"<script>" not in answer.data, endpoint
                tried += 1
    assert tried > 300


def test_no_form_breaks_on_rubbish_in_its_fields(app, addresses, sign_in, post):
    client = sign_in("admin")
    app.config["PROPAGATE_EXCEPTIONS"] = False
    pages = "".join(path.read_text() for path in (ROOT / "server/templates").rglob("*.html"))
    names = set(re.findall(r' name="(\w+)"', pages)) - {"csrf_token"}
    assert len(names) > 60

    for (endpoint, method), address in addresses.items():
        if method != "POST" or endpoint == "account.logout":
            continue
        for rubbish in (*RUBBISH, "yes", ""):
            form = {**dict.fromkeys(names, rubbish), **FORMS.get(endpoint, {})}
            answer = post(client, address, form, page="/me", follow=False)
            assert answer.status_code < 500, (endpoint, rubbish)


def test_an_id_of_another_facility_behind_the_question_mark_shows_nothing_of_it(
    app, addresses, stranger_to_the_hall, room
):
    """Filters, searches and exports: also as PDF, CSV and XLSX."""
    client, tried = stranger_to_the_hall("manager"), 0
    shown_by = ("facilities.show", "organisations.show", "findings.show")
    ids = {addresses[endpoint, "GET"].rpartition("/")[2] for endpoint in shown_by}
    words = ("예시시청", "City Hall", "demo-1", "1층 여자화장실")

    for (endpoint, method), address in addresses.items():
        if method != "GET" or endpoint in NO_PLACE or has_arguments(app, endpoint):
            continue
        source = inspect.getsource(present(inspect.getmodule(inspect.unwrap(app.view_functions[endpoint]))))
        for name in sorted(set(ASKED.findall(source))):
            for foreign in (*ids, room, "demo-1"):
                for extra in ({}, {"as": "pdf"}) if "as" in source else ({},):
                    answer = client.get(address, query_string={name: foreign, **extra})
                    assert answer.status_code < 500, (endpoint, name)
                    shown = answer.text.replace(foreign, "") if answer.mimetype.startswith("text/") else ""
                    assert not [word for word in words if word != foreign and word in shown], (endpoint, name, foreign)
                    tried += 1
    assert tried > 300
