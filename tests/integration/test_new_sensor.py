"""
A board out of the box becomes a sensor of a server by one command: the real firmware on the emulated
board, the server's own broker with TLS, and the server's sensors page.
"""

import json

import pytest

from server import create_app
from server.services.people import accounts
from server.services.people.accounts import SYSTEM
from server.services.sensors import fleet
from tests.support import brokers
from tests.support.board_kit import tool
from tests.support.server_kit import Server
from tests.support.session_cookies import cookie_of
from tools.hardware import device, on_board
from tools.hardware.emulated_board import Board

PASSWORD = "correct-horse-battery"


@pytest.fixture
def server(tmp_path):
    """A server whose broker speaks TLS only."""
    authority = brokers.certificate(tmp_path, "ca")
    brokers.certificate(tmp_path, "broker", authority, "localhost")
    made = Server(
        tmp_path / "data",
        mqtt_host="localhost",
        mqtt_cert=tmp_path / "broker.pem",
        mqtt_key=tmp_path / "broker.key",
        mqtt_ca=tmp_path / "ca.pem",
    )
    yield made.start()
    made.end()


@pytest.fixture
def board(tmp_path):
    with Board(tmp_path / "board", networks=["office"]) as board:
        yield board


@pytest.fixture
def command(tmp_path, server, board):
    """The command line of the installer, without the program that talks to the board."""
    (tmp_path / "wifi.json").write_text(json.dumps([{"ssid": "office", "password": PASSWORD}]))
    where = ["--port", board.port, "--data", server.folder, "--broker", "localhost", "--broker-port", server.port]
    more = ["--set", "upload_every_s=10", "--set", 'ntp=""', "--label", "Hall", "--wait-online"]
    return ["--provision", "hall-1", *where, "--ca", tmp_path / "ca.pem", "--wifi-file", tmp_path / "wifi.json", *more]


def sensors_page(server):
    """Return the text of the sensors page."""
    app = create_app(server.settings)
    with server.sessions.begin() as session:
        viewer, _ = accounts.add_user(session, "viewer", "Viewer", accounts.ADMIN, password=PASSWORD)
        signed_in = cookie_of(session, viewer)
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie.update(signed_in)
    return client.get("/sensors").text


def secrets_of(server):
    with server.sessions() as session:
        key = server.vault.unseal(fleet.load(session, SYSTEM, "hall-1").key_sealed)
    return [key.hex(), PASSWORD]


@pytest.mark.parametrize("via", [device.TRANSPORTS[0], pytest.param(device.TRANSPORTS[1], marks=pytest.mark.long)])
def test_one_command_brings_a_fresh_board_online(server, board, command, via):
    done = tool("flash", "--via", via, *command)

    assert "compared by hash; Ansim " in done.stdout and "online: hall-1" in done.stdout
    assert not [secret for secret in secrets_of(server) if secret in done.stdout + done.stderr]
    page = sensors_page(server)
    assert "hall-1" in page and "Hall" in page
    with server.sessions() as session:
        one = fleet.load(session, SYSTEM, "hall-1")
        assert one.last_seen_s and one.info
        assert fleet.state_of(one, one.last_seen_s, 300) in (fleet.ONLINE, fleet.SLEEPING)
        assert one.info["board"] == "esp32_devkit"

    text = tool("diagnose", "--via", via, "--no-listen", "--port", board.port).stdout
    report = json.loads(text)
    assert report["installed"]["differences"] == [], report
    measured = report["measurements"]
    _check_measurements(measured, via)
    assert not [word for word in (*secrets_of(server), "hall-1", "office", "localhost") if word in text]


def _check_measurements(measured, via):
    if via == "rshell":  # which waits for none that is silent for a second
        assert set(measured) == set(on_board.MEASUREMENTS) and all(measured.values())
        return
    assert measured["chip"]["idf_heap"] and measured["chip"]["heap_free_bytes"] > 0
    assert len(measured["flash"]["write_ms"]) == 10
    assert measured["scan"]["networks_by_channel"] == {"1": 1} or measured["scan"]["networks_by_channel"] == {}
    assert len(measured["sniffer"]["channel_frames_undecodable_dropped_in_1_s"]) == 13
    assert measured["bluetooth"]["on_ms"] >= 200
    assert 0 < measured["uplink"]["join_ms"] < 15_000
