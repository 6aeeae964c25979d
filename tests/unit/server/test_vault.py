"""The secret: a lost or wrong one beside a full database is refused, and never replaced."""

import pytest
from pydantic import SecretStr

from server import create_app, migrations, setup, vault
from server.config import BadSettings, Settings
from server.services.sensors import enrolment


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
