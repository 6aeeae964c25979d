"""The web server behind Caddy, as server/deploy/Caddyfile sets it up."""

import http.client
import json
import ssl
import sys

import pytest

from server import migrations
from server.config import Settings
from tests.conftest import ROOT
from tests.support.ports import free_port
from tests.support.server_kit import Process, is_open
from tests.support.waiting import PATIENCE, wait_for

pytestmark = pytest.mark.caddy
AGENT = "a-visitor's-browser"


@pytest.fixture
def site(tmp_path):
    """A function that requests a path of the site by HTTPS, and the log of Caddy."""
    migrations.upgrade(Settings(data=tmp_path / "data"))
    web_port, port = free_port(), free_port()
    web = Process(
        [sys.executable, "-m", "server.front"],
        tmp_path / "web.log",
        ANSIM_DATA=str(tmp_path / "data"),
        ANSIM_PORT=str(web_port),
        ANSIM_HTTPS="1",
        ANSIM_PROXIES="1",
        ANSIM_PUBLIC_URL=f"https://localhost:{port}",
    ).start()
    caddy = Process(
        ["caddy", "run", "--config", ROOT / "server/deploy/Caddyfile"],
        tmp_path / "caddy.log",
        **{name: str(tmp_path) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")},
        SITE=f"localhost:{port}",
        UPSTREAM=f"127.0.0.1:{web_port}",
        CADDY_ADMIN=f"localhost:{free_port()}",
        HTTP_PORT=str(free_port()),
    ).start()
    authority = tmp_path / "caddy/pki/authorities/local/root.crt"
    try:
        wait_for(lambda: is_open(web_port) and is_open(port) and authority.exists(), 30)
        context = ssl.create_default_context(cafile=str(authority))

        def ask(path, method="GET", **headers):
            connection = http.client.HTTPSConnection("localhost", port, timeout=20 * PATIENCE, context=context)
            connection.request(method, path, headers={"User-Agent": AGENT, **headers})
            answer = connection.getresponse()
            return answer, answer.read()

        wait_for(lambda: _is_well(ask), 30)
        yield ask, caddy
    finally:
        caddy.end()
        web.end()


def _is_well(ask):
    """Return True once Caddy has issued its certificate and has found the web server healthy."""
    try:
        return ask("/healthz")[0].status == 200
    except OSError:
        return False


def test_pages_come_by_https_with_secure_cookies_and_metrics_stay_inside(site):
    ask, caddy = site

    answer, _ = ask("/login", Cookie="ansim=not-a-session", **{"X-Request-ID": "chosen-by-a-stranger"})
    assert answer.status == 200 and "max-age" in answer.headers["Strict-Transport-Security"]
    assert "Secure" in answer.headers["Set-Cookie"] and answer.headers["X-Request-ID"] != "chosen-by-a-stranger"
    for path in ("/metrics", "/readyz"):
        assert ask(path)[0].status == 404
    assert ask("/login", Accept_Encoding="gzip")[0].headers.get("Server") == "Caddy"

    lines = [json.loads(line) for line in caddy.output.splitlines() if '"handled request"' in line]
    assert lines and "not-a-session" not in caddy.output and AGENT not in caddy.output
    assert {line["request"]["remote_ip"] for line in lines} <= {"127.0.0.0", "::"}
