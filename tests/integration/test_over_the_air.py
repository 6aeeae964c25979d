"""
A new version over the air, end to end: the real firmware on an emulated board with LittleFS, the server's own
broker and ingest. Old, then new, then a broken one that is rolled back; the power is cut on the way.
"""

import json
import shutil

import pytest

from server.services.people.accounts import SYSTEM
from server.services.sensors import fleet, rollout
from tests.conftest import ROOT
from tests.support.board_kit import tool
from tests.support.server_kit import Server
from tests.support.waiting import wait_for
from tools import release as releasing
from tools.hardware.emulated_board import Board

NAME = "hall-1"


@pytest.fixture
def server(tmp_path):
    made = Server(tmp_path / "data")
    yield made.start()
    made.end()


@pytest.fixture
def board(tmp_path, server):
    (tmp_path / "wifi.json").write_text(json.dumps([{"ssid": "office", "password": "correct-horse"}]))
    with Board(tmp_path / "board", networks=["office"], heap="1M") as board:
        where = ["--port", board.port, "--data", server.folder, "--broker", "127.0.0.1", "--broker-port", server.port]
        more = ["--set", "upload_every_s=10", "--set", 'ntp=""', "--plain", "--wifi-file", tmp_path / "wifi.json"]
        tool("flash", "--provision", NAME, *where, *more, "--wait-online")
        yield board


def release(server, folder, version, **changed):
    """Add this checkout as another version, with some files replaced: {"firmware/network/mqtt": source}."""
    for part in ("ansim", "firmware"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "ansim" / "__init__.py").write_text(f'VERSION = "{version}"\n')
    for path, content in changed.items():
        target = (folder / path).with_suffix(".py")
        assert target.exists()
        target.write_text(content)
    files = releasing.collect_files(root=folder)
    with server.sessions.begin() as session:
        return rollout.add_release(session, version, files).public_id


def roll_out(server, public_id):
    with server.sessions.begin() as session:
        made = rollout.begin(session, rollout.load_release(session, public_id), fleet.list_all(session, SYSTEM))
        return made.public_id


def end_of(server, public_id):
    """Wait until the rollout has ended; return (stopped, why, info of the sensor)."""

    def result():
        with server.sessions() as session:
            row = rollout.load(session, public_id)
            info = fleet.load(session, SYSTEM, NAME).info
            return (row.stopped, row.why, info or {}) if row.ended_s else None

    ended = wait_for(result, 240)
    assert ended
    return ended


@pytest.mark.long  # two minutes: three starts with their pauses
def test_old_new_broken_and_rolled_back(server, board, tmp_path):
    new = release(server, tmp_path / "new", "9.0.0")
    began = roll_out(server, new)
    wait_for(lambda: parts_asked(server) > 20, 120)
    board.power_cut()  # in the middle of it

    stopped, _, info = end_of(server, began)
    assert not stopped and (info["version"], info["slot"]) == ("9.0.0", "a")

    broken = release(
        server, tmp_path / "broken", "9.1.0", **{"firmware/network/server_connection": "raise ValueError('not good')\n"}
    )
    began = roll_out(server, broken)
    stopped, why, info = end_of(server, began)

    assert (stopped, why) == (True, rollout.CANARY_FAILED)
    assert (info["version"], info["slot"]) == ("9.0.0", "a")
    with server.sessions() as session:
        assert info["failed_update"] == rollout.load_release(session, broken).sha256


def parts_asked(server):
    with server.sessions() as session:
        return fleet.load_counters(session, fleet.load(session, SYSTEM, NAME)).get("taken", 0)
