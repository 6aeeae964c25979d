"""Provisioning without a board: settings, enrolment and claim."""

import argparse
import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ansim.envelope import KEY_BYTES
from server import db, migrations
from server import vault as vaults
from server.config import Settings
from server.services.people.accounts import SYSTEM
from server.services.sensors import fleet
from tools import provision
from tools.lib.errors import ToolError

WIFI = [{"ssid": "office", "password": "a good password"}]
CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


@pytest.fixture(scope="module")
def fresh_server(tmp_path_factory):
    """The data folder of a server that has run once."""
    settings = Settings(data=tmp_path_factory.mktemp("server"))
    vaults.open_vault(settings)
    migrations.upgrade(settings)
    return settings.data


@pytest.fixture
def data(tmp_path, fresh_server):
    """A copy of it that a test may change."""
    return Path(shutil.copytree(fresh_server, tmp_path / "site"))


@pytest.fixture
def ca(tmp_path):
    path = tmp_path / "ca.pem"
    path.write_text(CA)
    return path


@pytest.fixture
def options(data, ca):
    """A function that returns parsed options."""

    def parse(*arguments, usual=True):
        parser = argparse.ArgumentParser()
        provision.add_options(parser)
        given = ["--data", data, "--broker", "broker.example", "--ca", ca] if usual else []
        return parser.parse_args([str(one) for one in (*given, *arguments)])

    return parse


def key_of(data, name):
    settings = Settings(data=data)
    sessions = db.open_sessions(settings.url())
    try:
        with sessions() as session:
            return vaults.open_vault(settings).unseal(fleet.load(session, SYSTEM, name).key_sealed)
    finally:
        sessions.engine.dispose()


def test_the_settings_are_complete_and_nothing_is_enrolled_yet(data, options):
    sensor = provision.prepare("hall-1", options("--set", "upload_every_s=30"), WIFI)

    assert sensor.settings["device"] == "hall-1" and sensor.settings["broker"] == "broker.example"
    assert (sensor.settings["port"], sensor.settings["tls"], sensor.settings["ca"]) == (8883, True, CA)
    assert sensor.settings["wifi"] == WIFI and sensor.settings["upload_every_s"] == 30
    with pytest.raises(Exception, match="sensor"):
        key_of(data, "hall-1")


def test_enrolling_stores_the_key_on_the_server(data, options):
    sensor = provision.prepare("hall-1", options("--label", "Hall"), WIFI)

    sensor.enrol()

    assert key_of(data, "hall-1") == bytes.fromhex(sensor.settings["key"])


def test_every_sensor_has_a_key_of_its_own(options):
    keys = {provision.prepare(name, options(), WIFI).settings["key"] for name in ("a", "b", "c")}

    assert len(keys) == 3 and {len(key) for key in keys} == {2 * KEY_BYTES}


def test_an_enrolled_name_is_refused_without_new_key(data, options):
    first = provision.prepare("hall-1", options(), WIFI)
    first.enrol()

    with pytest.raises(ToolError, match="--new-key"):
        provision.prepare("hall-1", options(), WIFI)
    second = provision.prepare("hall-1", options("--new-key"), WIFI)
    second.enrol()

    assert key_of(data, "hall-1") == bytes.fromhex(second.settings["key"]) != bytes.fromhex(first.settings["key"])


def test_a_new_key_needs_an_enrolled_sensor(options):
    with pytest.raises(ToolError, match="there is no sensor hall-9"):
        provision.prepare("hall-9", options("--new-key"), WIFI)


def test_the_error_for_a_folder_without_a_server_names_what_to_do(tmp_path, options):
    with pytest.raises(ToolError, match="start the server once"):
        provision.prepare("hall-1", options("--data", tmp_path / "elsewhere"), WIFI)


def test_a_lab_can_do_without_tls(options):
    sensor = provision.prepare("hall-1", options("--plain"), WIFI)

    assert (sensor.settings["tls"], sensor.settings["port"]) == (False, 1883)


def test_a_wired_board_needs_no_wifi(options):
    sensor = provision.prepare("hall-1", options("--ethernet", "--board", "esp32_ethernet"), [])

    assert (sensor.settings["uplink"], sensor.settings["board"]) == ("ethernet", "esp32_ethernet")


@pytest.mark.parametrize(
    ("name", "arguments", "wifi", "said"),
    [
        ("Hall 1", (), WIFI, "cannot be a sensor's name"),
        ("hall-1", (), [], "wifi should list at least one network"),
        ("hall-1", ("--set", "channels=[99]"), WIFI, "channels"),
        ("hall-1", ("--set", "ntp=plain"), WIFI, "should be JSON"),
        ("hall-1", ("--set", "brocker=1"), WIFI, "brocker is not known"),
        ("hall-1", ("--ca", "nowhere.pem"), WIFI, "cannot read nowhere.pem"),
        ("hall-1", ("--server", "https://x"), WIFI, "--server and --claim go together"),
    ],
)
def test_wrong_settings_are_refused_before_the_board_is_changed(options, name, arguments, wifi, said):
    with pytest.raises(ToolError, match=said) as problem:
        provision.prepare(name, options(*arguments), wifi)

    assert "a good password" not in str(problem.value)


def test_tls_without_an_authority_is_refused(data, options):
    with pytest.raises(ToolError, match="--ca"):
        provision.prepare("hall-1", options("--data", data, "--broker", "b", usual=False), WIFI)


def test_wifi_passwords_come_from_a_file(tmp_path, options):
    (tmp_path / "wifi.json").write_text(json.dumps(WIFI))

    assert provision.read_networks(options("--wifi-file", tmp_path / "wifi.json")) == WIFI


def test_a_password_is_not_asked_for_where_nobody_can_response(options, monkeypatch):
    monkeypatch.setattr("sys.stdin", open("/dev/null"))  # noqa: SIM115

    with pytest.raises(ToolError, match="--wifi-file"):
        provision.read_networks(options("--wifi", "office"))


class ClaimServer(BaseHTTPRequestHandler):
    """Responds to a claim as the server's API does."""

    requests: list[tuple[str, dict]] = []

    def do_POST(self):
        claim = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.requests.append((self.path, claim))
        good = claim["code"] == "GOOD"
        response = (
            {
                "device": claim["device"],
                "key": "ab" * 32,
                "broker": "granted.example",
                "port": 8884,
                "tls": True,
                "ca": CA,
            }
            if good
            else {"title": "Unauthorized", "detail": "the code was used already"}
        )
        self.send_response(201 if good else 403)
        self.end_headers()
        self.wfile.write(json.dumps(response).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def claims():
    """(URL, requests) of a server that accepts claims."""
    server = HTTPServer(("127.0.0.1", 0), ClaimServer)
    ClaimServer.requests = []
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", ClaimServer.requests
    server.shutdown()
    server.server_close()


def test_a_claim_code_brings_the_key_and_the_link(claims, options):
    url, requests = claims

    sensor = provision.prepare("hall-1", options("--server", url, "--claim", "GOOD", usual=False), WIFI)

    assert requests == [("/api/v1/claims", {"code": "GOOD", "device": "hall-1", "label": ""})]
    assert sensor.settings["key"] == "ab" * 32
    assert (sensor.settings["broker"], sensor.settings["port"], sensor.settings["ca"]) == ("granted.example", 8884, CA)


def test_the_error_for_a_used_code_has_the_servers_text(claims, options):
    with pytest.raises(ToolError, match="the code was used already; make a new one"):
        provision.prepare("hall-1", options("--server", claims[0], "--claim", "USED", usual=False), WIFI)


@pytest.mark.parametrize("url", ["http://ansim.example", "http://127.0.0.1.example", "ftp://localhost", "localhost"])
def test_a_claim_needs_an_encrypted_connection(url):
    with pytest.raises(ToolError, match="https://"):
        provision.claim(url, "GOOD", "hall-1")


def test_an_unreachable_server_is_an_error_of_one_line():
    with pytest.raises(ToolError, match="does not answer"):
        provision.claim("http://127.0.0.1:1", "GOOD", "hall-1")
