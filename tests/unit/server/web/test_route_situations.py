"""
Every route that takes a form, in the situations that a form meets: an expired session, an error, an unknown object.

The routes come from the application's own map: a form without sample data in tests/support/route_samples.py fails here.
"""

import re
from html import unescape

import pytest
from sqlalchemy import update

from server import clock
from server.models.people import User, UserSession
from server.services.people import accounts
from server.web import interrupted_forms
from tests.support import route_samples
from tests.unit.server.web.conftest import PASSWORD, csrf_token

WORDS = 'a dark spot above the second hinge, 문틈 위 "점" <b>'
# Take no form of a page: a token of its own, JSON, or signing in and out.
NO_FORM = {"claims.redeem", "offline.hand_over", *interrupted_forms._NEVER}


@pytest.fixture
def addresses(app, begin, say, room):
    _client, running = begin("demo-1")
    say.finding("demo-1", running)
    say.sweep("demo-1", route_samples.SWEEP_REF)
    return route_samples.addresses(app, running, room)


@pytest.fixture
def forms(app, addresses):
    """{endpoint: address} of every route that takes a form from somebody who is signed in."""
    public = {name for name, view in app.view_functions.items() if getattr(view, "public", False)}
    chosen = {
        endpoint: address
        for (endpoint, method), address in addresses.items()
        if method == "POST" and endpoint not in NO_FORM | public
    }
    assert len(chosen) > 50
    return chosen


def end_sessions(app):
    with app.extensions["sessions"].begin() as session:
        session.execute(update(UserSession).values(ended_s=clock.now_s()))


def kept(page):
    match = re.search(r'name="kept" value="([0-9a-f]+)"', page)
    return match[1] if match else None


def kept_token(page):
    """The token of the form that is kept, the last one of the page."""
    return re.findall(r'name="csrf_token" value="([^"]+)"', page)[-1]


def test_an_expired_session_keeps_what_was_typed_on_every_form(app, forms, sign_in):
    """Signed out meanwhile, on the server or by an old cookie: sign in, and the words are there to be sent again."""
    for endpoint, address in forms.items():
        client = sign_in("manager")
        token = csrf_token(client.get("/me").text)
        end_sessions(app)

        page = client.post(address, data={"note": WORDS, "reason": "kept too", "password": "x", "csrf_token": token})

        assert page.status_code == 401 and kept(page.text), endpoint
        assert WORDS not in page.text, endpoint
        form = {"login": "manager", "password": PASSWORD, "kept": kept(page.text), "csrf_token": csrf_token(page.text)}
        page = client.post("/login", data=form)
        text = unescape(page.text)
        assert page.status_code == 200 and f'name="note" value="{WORDS}"' in text, endpoint
        assert 'name="reason" value="kept too"' in text and f'action="{address}"' in text, endpoint
        assert 'name="password"' not in text, endpoint
        again = client.post(address, data={"note": WORDS, "csrf_token": kept_token(page.text)})
        assert "This form is too old" not in again.text, endpoint


def test_a_form_of_before_the_session_keeps_what_was_typed(forms, sign_in):
    client = sign_in("manager")

    for endpoint, address in forms.items():
        page = client.post(address, data={"note": WORDS, "csrf_token": "of another session"})

        assert page.status_code == 400 and f'name="note" value="{WORDS}"' in unescape(page.text), endpoint
        assert "Send it again" in page.text, endpoint


def test_an_error_of_the_server_keeps_what_was_typed(app, forms, sign_in):
    client, token = sign_in("admin"), None
    app.config["PROPAGATE_EXCEPTIONS"] = False
    token = csrf_token(client.get("/me").text)

    def fails(**_arguments):
        raise RuntimeError

    for endpoint, address in forms.items():
        view = app.view_functions[endpoint]
        fails.__dict__.clear()
        vars(fails).update({name: getattr(view, name) for name in ("right", "everywhere") if hasattr(view, name)})
        app.view_functions[endpoint] = fails
        page = client.post(address, data={"note": WORDS, "csrf_token": token})
        app.view_functions[endpoint] = view

        assert page.status_code == 500 and f'name="note" value="{WORDS}"' in unescape(page.text), endpoint


def test_the_second_factor_carries_the_form_along(app, forms, sign_in, monkeypatch):
    client = sign_in("manager")
    with app.extensions["sessions"].begin() as session:
        user = next(user for user in accounts.list_users(session) if user.login == "manager")
        user.totp_sealed = app.extensions["vault"].seal(b"JBSWY3DPEHPK3PXP")
    token, address = csrf_token(client.get("/me").text), next(iter(forms.values()))
    end_sessions(app)

    page = client.post(address, data={"note": WORDS, "csrf_token": token})
    form = {"login": "manager", "password": PASSWORD, "kept": kept(page.text), "csrf_token": csrf_token(page.text)}
    page = client.post("/login", data=form)

    assert kept(page.text) and 'autocomplete="one-time-code"' in page.text
    monkeypatch.setattr("server.services.people.second_factor.verify", lambda *_: True)
    form = {"code": "123456", "kept": kept(page.text), "csrf_token": csrf_token(page.text)}
    assert WORDS in unescape(client.post("/login/code", data=form).text)


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
def test_words_of_another_site_are_not_kept(forms, sign_in, stranger, headers):
    for client in (sign_in("manager"), stranger()):
        page = client.post(next(iter(forms.values())), data={"note": WORDS}, headers=headers)

        assert WORDS not in unescape(page.text) and kept(page.text) is None


def test_a_form_sealed_elsewhere_or_long_ago_is_not_shown(app, sign_in, stranger, monkeypatch):
    sign_in("manager")
    old = app.extensions["vault"].seal(b'[1, "/x", [["note", "old"]]]').hex()
    for text in ("zz", "00" * 40, old):
        client = stranger()
        token = csrf_token(client.get("/login").text)
        form = {"login": "manager", "password": PASSWORD, "kept": text, "csrf_token": token}
        assert client.post("/login", data=form).status_code == 302


def test_an_unknown_object_is_answered_like_one_of_another_organisation(app, addresses, sign_in):
    """GET and POST: status and text are the same, so nothing tells whether it exists."""
    from server.models import Facility
    from server.services.people import scopes
    from server.services.places import facilities, organisations

    with app.extensions["sessions"].begin() as session:
        other = facilities.add(session, organisations.add(session, "Others"), "Elsewhere")
        elsewhere_id = other.id
    client = sign_in("admin")
    with app.extensions["sessions"].begin() as session:
        user = session.query(User).filter_by(login="admin").one()
        place = scopes.Place(scopes.FACILITY, session.get_one(Facility, elsewhere_id))
        accounts.add_user(session, "second-admin", "Second", "admin")
        scopes.set_places(session, user, False, [place])
    token = csrf_token(client.get("/me").text)
    compared = 0

    for rule in app.url_map.iter_rules():
        changing = "POST" if "POST" in (rule.methods or ()) else "GET"
        if not rule.arguments or rule.endpoint in ("static", "api.enter") or "<path:" in rule.rule:
            continue
        address = addresses.get((rule.endpoint, changing))
        view = app.view_functions[rule.endpoint]
        if address is None or getattr(view, "public", False) or rule.endpoint.startswith("account."):
            continue
        values = dict.fromkeys(rule.arguments, 999999 if "<int" in rule.rule else "zzzzzzzzzz")
        if "method" in values:
            values["method"] = "eye"
        unknown = app.url_map.bind("localhost").build(rule.endpoint, values, method=changing)
        data = {"csrf_token": token, "really": "yes"} if changing == "POST" else None
        with client.session_transaction() as cookie:
            cookie.pop("_flashes", None)  # of the operation before
        answers = [client.open(url, method=changing, data=data) for url in (address, unknown)]
        texts = [
            re.sub(r'value="[^"]*"|data-token="[^"]*"|content="\d+"|\?next=[^"]*|· \w{16}</p>', "", answer.text)
            for answer in answers
        ]
        texts = [text.replace(address, "").replace(unknown, "") for text in texts]

        assert answers[0].status_code == answers[1].status_code, (rule.endpoint, [a.status_code for a in answers])
        assert texts[0] == texts[1], rule.endpoint
        compared += 1
    assert compared > 60
