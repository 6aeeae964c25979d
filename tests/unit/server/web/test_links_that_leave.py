"""Links on signs, in invitations and on boards name the site by its setting, never by what a request says."""

import pytest

from server.web import page
from tests.support.form_samples import SAMPLES
from tests.unit.server.web.conftest import csrf_token

OTHERS = {"base_url": "http://evil.example"}
FROM_AFAR = {"environ_overrides": {"REMOTE_ADDR": "203.0.113.9"}}


@pytest.fixture
def ways(begin, room, sign_in):
    """[(method, address, form)] of everything that makes such a link."""
    begin()
    invite = SAMPLES["people.invite"].fields
    client = sign_in("admin")
    token = csrf_token(client.get("/me").text)
    return client, [
        ("GET", f"/restrooms/{room}/sign", None),
        ("GET", f"/restrooms/{room}/sign.svg", None),
        ("POST", "/people/invite", {**invite, "csrf_token": token}),
        ("POST", "/sensors/claims", {"csrf_token": token}),
    ]


@pytest.mark.parametrize("request_", [OTHERS, FROM_AFAR], ids=["another host's name", "from another machine"])
def test_without_the_setting_only_this_machine_gets_a_link(ways, request_):
    client, addresses = ways
    for method, address, form in addresses:
        if request_ is OTHERS and method == "POST":
            continue  # the session's cookie is not sent to another host
        answer = client.open(address, method=method, data=form, **request_)
        if answer.status_code == 404:
            continue
        assert "evil.example" not in answer.text, address
        if request_ is FROM_AFAR:
            assert answer.status_code == 409 and "ANSIM_PUBLIC_URL" in answer.text, (address, answer.status_code)


def test_a_forged_host_is_in_no_link(app):
    local = {"environ_overrides": {"REMOTE_ADDR": "127.0.0.1"}}
    for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example"):
        refused = pytest.raises(page.errors.Refused, match="public_url_needed")
        with app.test_request_context("/", base_url=f"http://{host}", **local), refused:
            page.public_base()
    for host in ("localhost:8000", "127.0.0.1:8000", "[::1]:8000"):
        with app.test_request_context("/", base_url=f"http://{host}", **local):
            assert page.public_base() == f"http://{host}"


def test_with_the_setting_every_link_names_it(app, ways):
    app.extensions["settings"] = app.extensions["settings"].model_copy(update={"public_url": "https://ansim.example/"})
    client, addresses = ways
    for method, address, form in addresses[2:]:
        answer = client.open(address, method=method, data=form, **FROM_AFAR)
        assert answer.status_code == 200 and "https://ansim.example" in answer.text, address
