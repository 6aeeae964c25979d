"""Exports and backups: nothing is missing, nothing secret leaves with an export, and what comes back is the same."""

import contextlib
import io
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import tarfile
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import LargeBinary, func, select
from sqlalchemy.engine import make_url

from server import create_app, db, demo, migrations
from server import vault as vault_
from server.config import Settings
from server.models import Base, Finding, Notification, Restroom, Sensor, User
from server.services.audit import verification
from server.services.inspecting import inspections
from server.services.outside import subscriptions
from server.services.people import accounts
from server.services.people.accounts import SYSTEM
from server.services.reporting import json_lines
from server.services.sensors import fleet
from server.services.upkeep import backup
from tests.support.sensor_messages import Voice, heard
from tests.support.values import present

ADDRESS = "c0:ff:ee"


@pytest.fixture
def lived_in(settings, sessions, vault, pseudonyms):
    """An installation in which something of everything has happened; returns its settings."""
    with sessions.begin() as session:
        demo.fill(session, vault)
        user, _ = accounts.add_user(session, "kim", "Kim", "manager", "correct horse battery")
        room = session.scalar(select(Restroom))
        one = inspections.start(session, room, user, [fleet.load(session, SYSTEM, "demo-1")], [{"name": "Park"}])
        voice = Voice(fleet.load(session, SYSTEM, "demo-1"))
        voice.inspection = one.public_id
        heard(session, pseudonyms, voice.says(), voice.finds())
        subscriptions.subscribe(
            session, vault, user, "Duty", ["finding_new"], "webhook", "https://192.0.2.1/", private_targets=True
        )
    photos = settings.data / "photos" / "ab"
    photos.mkdir(parents=True)
    (photos / "abcd.jpg").write_bytes(b"picture")
    return settings


def rows_of(settings):
    """{table: sorted rows} of a whole database."""
    engine = db.open_sessions(settings.url()).engine
    out = io.BytesIO()
    json_lines.write(engine, out, whole=True)
    engine.dispose()
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    return [{**lines[0], "made_s": 0}, *lines[1:]]


def exported(settings):
    engine = db.open_sessions(settings.url()).engine
    out = io.BytesIO()
    json_lines.write(engine, out)
    engine.dispose()
    return out.getvalue().decode()


def test_an_export_has_every_table_and_says_where_it_ends(lived_in):
    lines = [json.loads(line) for line in exported(lived_in).splitlines()]

    tables = set(Base.metadata.tables) - set(json_lines.SECRET_TABLES)
    assert lines[0]["form"] == migrations.HEAD and not lines[0]["whole"]
    assert set(lines[-1]["rows"]) == tables and sum(lines[-1]["rows"].values()) == len(lines) - 2
    assert [line["row"]["name"] for line in lines if line.get("table") == "sensor"] == ["demo-1", "demo-2", "demo-3"]


def test_an_export_holds_no_secret_and_no_hardware_address(lived_in, sessions, vault):
    text = exported(lived_in)
    with sessions() as session:
        found = session.scalar(select(Finding))
        user = session.scalar(select(User))
    assert found.address and found.address not in text
    assert user.password_hash not in text and user.session_word not in text and "argon2" not in text
    for line in map(json.loads, text.splitlines()):
        hidden = json_lines.SECRET_COLUMNS.get(line.get("table"), ())
        assert not set(line.get("row", ())) & set(hidden)


def test_every_column_that_could_be_secret_has_been_thought_about():
    harmless = {
        *(
            "log_entry.hash",
            "log_head.hash",
            "log_head.token",
            "log_tip.hash",
            "signature.hash",
            "signature.record_hash",
        ),
        *(
            "report.content",
            "user.must_change_password",
            "user.password_expires_s",
            "access_event.token_id",
            "facility.address",
            "facility.sort_key_en",
            "restroom.sort_key_en",
            "restroom.address",
        ),
        "log_head.key",  # the public one
    }
    words = ("hash", "secret", "sealed", "password", "word", "token", "address", "bssid", "key_", "exact")
    for table in Base.metadata.sorted_tables:
        if table.name in json_lines.SECRET_TABLES:
            continue
        for column in table.columns:
            doubtful = isinstance(column.type, LargeBinary) or any(word in column.name for word in words)
            left_out = column.name in json_lines.SECRET_COLUMNS.get(table.name, ())
            name = f"{table.name}.{column.name}"
            assert not doubtful or left_out or name in harmless, f"{name}: is it to be exported?"


def test_a_backup_comes_back_as_it_was(lived_in, tmp_path):
    path = tmp_path / "backup.tar.gz"
    before = rows_of(lived_in)

    made = backup.make(lived_in, path, with_secret=True)
    other = Settings(data=tmp_path / "new")
    done = backup.restore(other, path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and made.photos == 1
    assert rows_of(other) == before
    assert (done.keys, done.problem, done.secret, done.photos) == (True, None, True, 1)
    assert (tmp_path / "new/photos/ab/abcd.jpg").read_bytes() == b"picture"
    assert not [one for one in tmp_path.iterdir() if one.name.startswith(".")]


def test_rows_come_back_from_json_lines_too_and_numbers_go_on(lived_in, tmp_path, empty_database):
    before = rows_of(lived_in)
    engine = db.open_sessions(lived_in.url()).engine
    out = io.BytesIO()
    json_lines.write(engine, out, whole=True)
    engine.dispose()
    other = Settings(data=tmp_path / "new")
    other.data.mkdir()
    shutil.copy(empty_database, other.data / "ansim.db")
    sessions = db.open_sessions(other.url())

    json_lines.read(sessions.engine, io.BytesIO(out.getvalue()))

    assert rows_of(other) == before
    with sessions.begin() as session:
        assert verification.verify(session).problem is None
        highest = present(session.scalar(select(func.max(Restroom.id))))
        added = Restroom(facility_id=session.scalar(select(Restroom.facility_id)), name="New", created_s=1)
        session.add(added)
        session.flush()
        assert added.id == highest + 1
    sessions.engine.dispose()


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda lines: lines[:-1], "cut off"),
        (lambda lines: lines[:5] + lines[6:], "cut off|do not fit"),
        (lambda lines: [b"{}", *lines[1:]], "not an export"),
        (lambda lines: [], "not an export"),
        (lambda lines: [lines[0], b"\xff", *lines[1:]], "damaged"),
        (lambda lines: [lines[0], b"[]", *lines[1:]], "damaged"),
        (lambda lines: [lines[0], b'{"table": "cats", "row": {}}', *lines[1:]], "'cats'"),
        (lambda lines: [lines[0], b'{"table": "organisation", "row": {"x": 1}}', *lines[1:]], "'x'"),
        (lambda lines: [lines[0], b'{"table": "organisation", "row": {}}', *lines[1:]], "has no"),
        (lambda lines: [lines[0].replace(b'"whole":true', b'"whole":false'), *lines[1:]], "without secrets"),
        (lambda lines: [lines[0].replace(b'"form":"00', b'"form":"99'), *lines[1:]], "form 99"),
    ],
)
def test_a_spoilt_export_changes_nothing(lived_in, tmp_path, empty_database, spoil, words):
    engine = db.open_sessions(lived_in.url()).engine
    out = io.BytesIO()
    json_lines.write(engine, out, whole=True)
    engine.dispose()
    shutil.copy(empty_database, tmp_path / "other.db")
    other = db.open_sessions(f"sqlite:///{tmp_path / 'other.db'}").engine

    with pytest.raises(json_lines.BadExport, match=words):
        json_lines.read(other, io.BytesIO(b"\n".join(spoil(out.getvalue().splitlines()))))

    assert json_lines.is_empty(other)
    other.dispose()


def test_an_installation_with_data_is_only_replaced_when_told_and_is_kept(lived_in, tmp_path):
    path = tmp_path / "backup.tar.gz"
    backup.make(lived_in, path)
    before = rows_of(lived_in)

    with pytest.raises(backup.CannotBackUp, match="--replace"):
        backup.restore(lived_in, path)
    assert rows_of(lived_in) == before

    backup.restore(lived_in, path, replace=True)
    assert rows_of(lived_in) == before
    assert list(lived_in.data.glob("ansim.db.before-*")) and list(lived_in.data.glob("photos.before-*"))


def test_a_backup_without_the_secret_says_that_the_keys_do_not_open(lived_in, tmp_path):
    path = tmp_path / "backup.tar.gz"
    backup.make(lived_in, path)
    other = Settings(data=tmp_path / "new")
    vault_.open_vault(other)

    assert backup.restore(other, path).keys is False


def test_a_changed_byte_in_a_backup_is_noticed(lived_in, tmp_path):
    path, spoilt = tmp_path / "backup.tar.gz", tmp_path / "spoilt.tar.gz"
    backup.make(lived_in, path)
    with tarfile.open(path) as old, tarfile.open(spoilt, "w:gz") as new:
        for one in old:
            data = present(old.extractfile(one)).read()
            if one.name.startswith("photos/"):
                data = b"Picture"
            new.addfile(one, io.BytesIO(data))

    with pytest.raises(backup.CannotBackUp, match="manifest"):
        backup.restore(Settings(data=tmp_path / "new"), spoilt)


def tar_with(path, name, kind=tarfile.REGTYPE):
    with tarfile.open(path, "w:gz") as archive:
        told = tarfile.TarInfo(name)
        told.type, told.linkname = kind, "/etc/passwd"
        archive.addfile(told, io.BytesIO(b""))


@pytest.mark.parametrize(
    "name, kind",
    [
        ("../evil", tarfile.REGTYPE),
        ("/etc/evil", tarfile.REGTYPE),
        ("photos/../../evil", tarfile.REGTYPE),
        ("photos/x", tarfile.SYMTYPE),
        ("ansim.db", tarfile.LNKTYPE),
        ("other", tarfile.REGTYPE),
    ],
)
def test_an_archive_that_reaches_elsewhere_is_refused(tmp_path, name, kind):
    tar_with(tmp_path / "evil.tar.gz", name, kind)

    with pytest.raises(backup.CannotBackUp, match="no part of a backup"):
        backup.restore(Settings(data=tmp_path / "new"), tmp_path / "evil.tar.gz")


@pytest.mark.parametrize("data", [b"", b"rubbish", b"\x1f\x8b\x08\x00"])
def test_rubbish_is_no_backup(tmp_path, data):
    (tmp_path / "x").write_bytes(data)

    with pytest.raises(backup.CannotBackUp, match="no backup|cannot read"):
        backup.restore(Settings(data=tmp_path / "new"), tmp_path / "x")


def test_a_backup_never_overwrites(lived_in, tmp_path):
    (tmp_path / "there").write_text("mine")

    with pytest.raises(backup.CannotBackUp, match="exists"):
        backup.make(lived_in, tmp_path / "there")
    with pytest.raises(backup.CannotBackUp, match="cannot write"):
        backup.make(lived_in, tmp_path / "no" / "such" / "folder")
    assert (tmp_path / "there").read_text() == "mine"


def test_the_commands_say_in_a_line_what_they_did(lived_in, tmp_path):
    runner = create_app(lived_in).test_cli_runner()
    rows, packed = tmp_path / "rows.jsonl", tmp_path / "b.tar.gz"

    assert "rows of" in runner.invoke(args=["export", str(rows)]).output
    assert "without the secret" in runner.invoke(args=["backup", str(packed)]).output
    again = runner.invoke(args=["export", str(rows)])
    refused = runner.invoke(args=["restore", str(packed)])
    replaced = runner.invoke(args=["restore", str(packed), "--replace"])

    assert again.exit_code == 1 and refused.exit_code == 1 and "--replace" in str(refused.exception or refused.output)
    assert replaced.exit_code == 0 and "the log is whole" in replaced.output
    with db.open_sessions(lived_in.url())() as session:
        assert session.scalar(select(func.count(Sensor.id))) == 3


def test_a_folder_keeps_the_newest_backups(lived_in, tmp_path):
    folder = tmp_path / "backups"
    folder.mkdir()
    for day in (1, 2, 3):
        backup.dated(folder, day * 86400).write_bytes(b"")
    (folder / "ansim-of-last-year.tar.gz").write_bytes(b"")
    runner = create_app(lived_in).test_cli_runner()

    output = runner.invoke(args=["backup", str(folder), "--keep", "2"]).output
    names = [path.name for path in sorted(folder.iterdir())]

    assert names[0] == "ansim-19700104T000000Z.tar.gz" and names[-1] == "ansim-of-last-year.tar.gz"
    assert len(names) == 3 and names[1] in output
    assert "removed ansim-19700102T000000Z.tar.gz" in output
    result = runner.invoke(args=["backup", str(tmp_path / "one.tar.gz"), "--keep", "2"])
    assert result.exit_code and "not a folder" in str(result.exception)


def test_a_backup_ends_while_others_write(lived_in, tmp_path, sessions):
    stop = threading.Event()

    def write():
        while not stop.is_set():
            with sessions.begin() as session:
                session.add(Notification(kind="chain_broken", subject="x", facts={}, at_s=1))

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        began = time.monotonic()
        backup.make(lived_in, tmp_path / "made.tgz")
        assert time.monotonic() - began < 30
    finally:
        stop.set()
        for writer in writers:
            writer.join()


def test_a_damaged_database_is_no_backup(lived_in, tmp_path, sessions):
    sessions.engine.dispose()
    path = Path(make_url(lived_in.url()).database or "")
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page_bytes = database.execute("PRAGMA page_size").fetchone()[0]
        damaged = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'sensor'").fetchone()[0]
    with path.open("r+b") as file:
        file.seek((damaged - 1) * page_bytes)
        file.write(b"\xff" * page_bytes)

    with pytest.raises(backup.CannotBackUp, match=r"damaged|cannot copy"):
        backup.make(lived_in, tmp_path / "made.tgz")
    assert not [left for left in tmp_path.iterdir() if "made" in left.name or "ansim-backup" in left.name]


def test_what_a_killed_backup_left_is_removed_by_the_next_one(lived_in, tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    left, running = tmp_path / f".ansim-backup-{ended.pid}-x", tmp_path / f".ansim-backup-{os.getpid()}-x"
    for folder in (left, running):
        folder.mkdir()
        (folder / "ansim.db").write_bytes(b"copy")

    backup.make(lived_in, tmp_path / "made.tgz")

    assert not left.exists() and running.exists()
