"""The secret: a lost or wrong one beside a full database is refused, and never replaced."""

import os
import stat
import subprocess
import sys

import pytest
from pydantic import SecretStr

from server import create_app, migrations, setup, vault
from server.config import BadSettings, Settings
from server.services.sensors import enrolment
from tests.conftest import ROOT


@pytest.fixture
def enrolled(settings, sessions, vault):
    with sessions.begin() as session:
        enrolment.enrol(session, vault, "hall")
    return settings.model_copy(update={"secret": SecretStr("")})


@pytest.fixture
def secret(enrolled, settings):
    path = enrolled.data / "secret"
    path.write_text(settings.secret.get_secret_value() or path.read_text())
    return path


def test_a_missing_secret_is_not_made_anew_beside_data(enrolled, secret):
    secret.unlink()

    for start in (vault.open_vault, setup.prepare, create_app):
        with pytest.raises(BadSettings, match="the secret is not the one of this database: .* is missing"):
            start(enrolled)
    assert not secret.exists()


def test_a_wrong_secret_is_refused(enrolled, secret, sessions):
    vault.check(enrolled, sessions)
    setup.prepare(enrolled)

    secret.write_text("ab" * 32)

    with pytest.raises(BadSettings, match="does not open the keys"):
        vault.check(enrolled, sessions)
    with pytest.raises(BadSettings):
        setup.prepare(enrolled)


def test_an_empty_database_gets_a_secret(tmp_path):
    made = Settings(data=tmp_path)
    migrations.upgrade(made)

    vault.open_vault(made)

    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_gunicorn_refuses_a_wrong_secret_with_the_words_of_the_other_processes(enrolled, secret):
    """create_app() without settings, as `gunicorn "server:create_app()"` calls it; and what it makes is private."""
    secret.write_text("0" * 64)
    command = [sys.executable, "-c", "from server import create_app; create_app()"]
    environ = {**os.environ, "ANSIM_DATA": str(enrolled.data)}
    others = [[sys.executable, "-m", f"server.{name}"] for name in ("front", "ingest", "broker", "notify")]

    for run in (command, *others):
        done = subprocess.run(run, env=environ, capture_output=True, text=True, cwd=ROOT, timeout=120)
        assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
        assert "the secret is not the one of this database: it does not open the keys" in done.stderr


def test_every_file_is_for_its_owner_only_from_the_first_moment(tmp_path):
    """Whatever the umask of the shell, and whichever program comes first."""
    programs = {
        "cli": ["-m", "flask", "--app", "server", "db-upgrade"],
        "wsgi": ["-c", "from server import create_app; create_app().test_client().get('/healthz')"],
        "setup": [
            "-c",
            "from server import config, migrations; config.make_files_private();"
            "migrations.upgrade(config.from_environment())",
        ],
    }
    for name, arguments in programs.items():
        data = tmp_path / name
        environ = {**os.environ, "ANSIM_DATA": str(data)}
        done = subprocess.run(
            [sys.executable, *arguments], env=environ, cwd=ROOT, timeout=120, capture_output=True, text=True, umask=0
        )
        assert done.returncode == 0, done.stderr
        files = [data, *data.rglob("*")]
        assert len(files) > 1
        assert not [str(path) for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077], name
