"""A database of an earlier version is upgraded with all its rows."""

import pytest
import sqlalchemy as sa

from server import migrations
from server.config import Settings
from tests.support import older_database


@pytest.mark.parametrize("revision", ["0001", "0008", "0015", f"{int(migrations.HEAD) - 1:04}"])
def test_every_table_s_rows_survive(tmp_path, revision):
    settings = Settings(data=tmp_path)
    engine = sa.create_engine(settings.url())
    before = older_database.build(engine, revision)

    assert migrations.upgrade(settings) is True

    older_database.check(engine, before)
    assert migrations.upgrade(settings) is False
    with engine.connect() as connection:
        # Rows made from the schema alone point to nothing where the other table comes later, and to no wrong row.
        assert connection.execute(sa.text("PRAGMA foreign_key_check")).all() == []
        assert connection.scalar(sa.text("PRAGMA integrity_check")) == "ok"
    engine.dispose()
