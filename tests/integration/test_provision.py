"""tools/provision.py against the emulated board: settings arrive whole or not at all."""

import json

import pytest

from server import db, migrations
from server import vault as vaults
from server.config import Settings
from server.services.people.accounts import SYSTEM
from server.services.sensors import fleet
from tests.support.board_kit import mpremote, tool
from tools import provision
from tools.hardware import device
from tools.hardware.emulated_board import Board
from tools.lib.errors import ToolError

PASSWORD = "correct-horse-battery"


@pytest.fixture
def board(tmp_path):
    with Board(tmp_path / "board") as board:
        yield board


@pytest.fixture
def data(tmp_path):
    settings = Settings(data=tmp_path / "data")
    vaults.open_vault(settings)
    migrations.upgrade(settings)
    return settings.data


@pytest.fixture
def command(tmp_path, data, board):
    (tmp_path / "wifi.json").write_text(json.dumps([{"ssid": "office", "password": PASSWORD}]))
    return [
        "--port",
        board.port,
        "--data",
        data,
        "--broker",
        "b.example",
        "--plain",
        "--wifi-file",
        tmp_path / "wifi.json",
    ]


def settings_on(board):
    return json.loads(mpremote(board, "cat", ":settings.json"))


def key_in(data, name):
    settings = Settings(data=data)
    sessions = db.open_sessions(settings.url())
    with sessions() as session:
        found = vaults.open_vault(settings).unseal(fleet.load(session, SYSTEM, name).key_sealed).hex()
    sessions.engine.dispose()
    return found


@pytest.mark.parametrize("via", device.TRANSPORTS)
def test_the_board_and_the_server_share_the_key_and_nobody_else_sees_it(board, data, command, via):
    done = tool("provision", "hall-1", "--via", via, *command)

    on_board = settings_on(board)
    assert on_board["key"] == key_in(data, "hall-1")
    assert on_board["wifi"] == [{"ssid": "office", "password": PASSWORD}]
    assert "hall-1: settings are on the board" in done.stdout
    assert on_board["key"] not in done.stdout + done.stderr and PASSWORD not in done.stdout + done.stderr


def test_a_name_that_is_taken_leaves_the_board_as_it_is(board, command):
    tool("provision", "hall-1", *command)
    before = settings_on(board)

    again = tool("provision", "hall-1", *command, check=False)

    assert again.returncode == 1
    assert again.stderr.startswith("error: hall-1 is enrolled already") and again.stderr.count("\n") == 1
    assert settings_on(board) == before


def test_settings_that_do_not_arrive_enrol_nothing(board, monkeypatch):
    enrolled = []
    sensor = provision.Provision("hall-1", {"device": "hall-1"}, lambda: enrolled.append("hall-1"))
    send = device.MpremoteBoard.put
    monkeypatch.setattr(
        device.MpremoteBoard,
        "put",
        lambda line, files: send(line, {path: content[:-1] for path, content in files.items()}),
    )

    with pytest.raises(ToolError, match="arrived damaged"), device.connect(board.port) as line:
        line.call("identify")
        provision.write(line, sensor)

    assert not enrolled
    assert "settings.json" not in mpremote(board, "ls")
