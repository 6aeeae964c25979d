"""Readiness: each code has its cause, and /readyz tells strangers no details."""

import shutil
import time
from collections import namedtuple

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from server import create_app
from server.services.intake import heartbeat
from server.services.sensors import enrolment
from server.services.upkeep import readiness
from server.vault import Vault

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def problems(sessions, settings, vault):
    """A function that lists the problems of an installation with one sensor, whose ingest has just shown itself."""
    with sessions.begin() as session:
        enrolment.enrol(session, vault, "hall-1", "First")
    heartbeat.beat(settings.data)
    return lambda vault=vault: readiness.list_problems(sessions, settings, vault)


def test_an_installation_that_does_its_work_has_no_problem(problems):
    assert problems() == []


def test_a_secret_that_does_not_open_a_sensors_key_is_a_problem(problems):
    assert problems(Vault(b"x" * 32)) == [readiness.SECRET]


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE alembic_version SET version_num = '0001'", readiness.MIGRATIONS),
        ("DROP TABLE alembic_version", readiness.DATABASE),
    ],
)
def test_a_database_of_another_schema_is_a_problem(problems, sessions, statement, code):
    with sessions.begin() as session:
        session.execute(text(statement))

    assert problems() == [code]


def test_a_full_disk_is_a_problem(problems, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**12, 10**12, 49_999_999))

    assert problems() == [readiness.DISK]


@pytest.mark.parametrize(("later_s", "beating"), [(0, True), (60, True), (61, False), (-1, False)])
def test_a_heartbeat_is_good_for_a_minute_and_not_after_a_restart_of_the_machine(
    tmp_path, monkeypatch, later_s, beating
):
    now_s = time.monotonic()
    monkeypatch.setattr(heartbeat.time, "monotonic", lambda: now_s)
    assert not heartbeat.is_beating(tmp_path)
    heartbeat.beat(tmp_path)
    heartbeat.beat(tmp_path)
    now_s += later_s

    assert heartbeat.is_beating(tmp_path) == beating


def test_a_heartbeat_that_cannot_be_written_or_read_is_missed(tmp_path):
    heartbeat.beat(tmp_path / "none")
    (tmp_path / ".ingest").write_text("no number")

    assert not heartbeat.is_beating(tmp_path)


def test_readyz_changes_with_one_line_and_tells_strangers_no_details(settings):
    client = create_app(settings).test_client()
    with capture_logs() as logs:
        answers = [client.get("/readyz") for _ in range(2)]
        stranger = client.get("/readyz", environ_base={"REMOTE_ADDR": "192.0.2.1"})
        heartbeat.beat(settings.data)
        answers.append(client.get("/readyz"))

    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].json == {"ready": False, "problems": ["ingest"]}
    assert answers[2].json == {"ready": True, "problems": []}
    assert (stranger.status_code, stranger.json) == (503, {"ready": False})
    assert [line["problems"] for line in logs] == [["ingest"], []]
    assert client.get("/healthz").status_code == 200
