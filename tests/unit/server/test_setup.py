import itertools
import json
import stat
import subprocess
import sys

import pytest
from alembic import op
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, func, select, text

from server import db, migrations, setup
from server.config import Settings
from server.models import Base, Restroom, Sensor, User
from server.services.people import accounts
from tests.conftest import ROOT
from tests.support.values import present
from tests.support.waiting import PATIENCE


def test_head_is_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", str(ROOT / "server" / "migrations"))

    assert ScriptDirectory.from_config(config).get_current_head() == migrations.HEAD


def test_the_migrations_make_what_the_models_say(settings):
    engine = create_engine(settings.url())
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    engine.dispose()

    assert differences == []


def test_a_second_upgrade_does_nothing(settings):
    assert migrations.upgrade(settings) is False


@pytest.mark.parametrize("after", [1, 20, 50])
def test_an_upgrade_that_was_interrupted_goes_on_at_the_next_start(tmp_path, monkeypatch, after):
    calls = itertools.count()

    def interrupted(*arguments, **options):
        if next(calls) == after:
            raise KeyboardInterrupt
        return create_table(*arguments, **options)

    create_table, settings = op.create_table, Settings(data=tmp_path)
    monkeypatch.setattr(op, "create_table", interrupted)
    with pytest.raises(KeyboardInterrupt):
        migrations.upgrade(settings)

    assert migrations.upgrade(settings) is True
    assert migrations.upgrade(settings) is False


def test_a_database_of_a_newer_program_is_told_in_one_line(settings):
    engine = create_engine(settings.url())
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()

    with pytest.raises(migrations.WrongForm, match="newer version"):
        migrations.upgrade(settings)


def test_several_processes_may_upgrade_at_once(tmp_path):
    code = f"from server import migrations, config; print(migrations.upgrade(config.Settings(data={str(tmp_path)!r})))"
    started = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]

    answers = [process.communicate(timeout=60 * PATIENCE)[0].strip() for process in started]

    assert sorted(answers) == ["False", "False", "True"]


def test_setting_up_twice_changes_nothing(tmp_path):
    settings = Settings(data=tmp_path / "new")

    login, password = present(setup.prepare(settings, demo=True))
    first = (tmp_path / "new" / "sensors.json").read_text()
    with db.open_sessions(settings.url()).begin() as session:
        accounts.authenticate(session, login, password)
    again = setup.prepare(settings, demo=True)

    assert login == "admin" and again is None
    assert (tmp_path / "new" / "sensors.json").read_text() == first
    with db.open_sessions(settings.url())() as session:
        counts = [session.scalar(select(func.count(table.id))) for table in (Restroom, Sensor, User)]
        placed = session.scalars(select(Sensor.restroom_id)).all()
    assert counts == [10, 3, 1] and None not in placed


def test_a_one_time_password_that_nobody_has_used_is_replaced(tmp_path):
    settings = Settings(data=tmp_path)
    login, lost = present(setup.prepare(settings))

    same, password = present(setup.prepare(settings))

    assert same == login
    with db.open_sessions(settings.url()).begin() as session:
        with pytest.raises(accounts.BadLogin):
            accounts.authenticate(session, login, lost)
        assert accounts.authenticate(session, login, password).must_change_password


def test_the_demo_sensors_file_is_for_its_owner_and_names_scenes_that_exist(tmp_path):
    setup.prepare(Settings(data=tmp_path), demo=True)

    path = tmp_path / "sensors.json"
    rows = json.loads(path.read_text())

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [row["device"] for row in rows] == ["demo-1", "demo-2", "demo-3"]
    assert all(len(row["key"]) == 64 and (ROOT / "tools" / "scenes" / row["scene"]).is_file() for row in rows)


def test_without_the_demo_there_are_no_samples(tmp_path):
    setup.prepare(Settings(data=tmp_path))

    assert not (tmp_path / "sensors.json").exists()


@pytest.mark.parametrize("arguments", [["db-upgrade"], ["create-admin"], ["reset-password", "Admin"], ["demo"]])
def test_each_command_works_and_says_what_it_did(tmp_path, arguments):
    def run(*more):
        return subprocess.run(
            [sys.executable, "-m", "flask", "--app", "server", *more],
            cwd=ROOT,
            env={"ANSIM_DATA": str(tmp_path), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=60 * PATIENCE,
        )

    if arguments != ["db-upgrade"]:
        assert run("db-upgrade").returncode == 0
    if arguments[0] == "reset-password":
        assert run("create-admin").returncode == 0
        assert run("reset-password", "nobody").stderr == "error: there is no user nobody\n"
    done = run(*arguments)

    assert done.returncode == 0 and len(done.stdout.splitlines()) == 1, done.stderr
