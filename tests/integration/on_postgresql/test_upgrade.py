"""A database of an earlier version is upgraded with all its rows."""

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from server import migrations
from server.config import Settings
from tests.support import older_database

pytestmark = pytest.mark.postgresql


@pytest.mark.parametrize("revision", ["0001", "0015"])
def test_every_table_s_rows_survive(database, tmp_path, revision):
    settings = Settings(data=tmp_path / "data", database_url=SecretStr(database()))
    engine = sa.create_engine(settings.url())
    before = older_database.build(engine, revision)
    engine.dispose()  # no connection may wait in a transaction while the tables change

    assert migrations.upgrade(settings) is True

    older_database.check(engine, before)
    engine.dispose()
