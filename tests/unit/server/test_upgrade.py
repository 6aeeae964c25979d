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


def test_times_out_of_use_before_version_19_are_taken_from_the_log(tmp_path):
    settings = Settings(data=tmp_path)
    engine = sa.create_engine(settings.url())
    older_database.build(engine, "0023")
    entry = "INSERT INTO log_entry (n, at_s, kind, subject, body, hash) VALUES (:n, :at_s, :kind, :room, '{}', '')"
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM restroom_use"))
        connection.execute(sa.text("UPDATE restroom SET created_s = 100, use_since_s = NULL, retired_s = NULL"))
        room = connection.scalar(sa.text("SELECT public_id FROM restroom"))
        number, owner = connection.execute(sa.text("SELECT id, 1 FROM restroom")).one()
        uses = [(300, 900)]  # retired at 900 and back at 1000 with version 19: from 300, because 400 to 500 was unknown
        connection.execute(sa.text("UPDATE restroom SET use_since_s = 1000"))
        for from_s, to_s in uses:
            values = {"room": number, "owner": owner, "from_s": from_s, "to_s": to_s}
            connection.execute(
                sa.text(
                    "INSERT INTO restroom_use (restroom_id, organisation_id, from_s, to_s) "
                    "VALUES (:room, :owner, :from_s, :to_s)"
                ),
                values,
            )
        moments = [(400, "retired"), (500, "back"), (900, "retired"), (1000, "back"), (1200, "retired"), (1300, "back")]
        for n, (at_s, kind) in enumerate(moments, 900):
            connection.execute(sa.text(entry), {"n": n, "at_s": at_s, "kind": f"restroom.{kind}", "room": room})

    migrations.upgrade(settings)

    with engine.connect() as connection:
        found = connection.execute(sa.text("SELECT from_s, to_s FROM restroom_use ORDER BY from_s")).all()
        assert [tuple(row) for row in found] == [(300, 400), (500, 900), (1000, 1200)]
        assert connection.scalar(sa.text("SELECT use_since_s FROM restroom")) == 1300
    engine.dispose()
