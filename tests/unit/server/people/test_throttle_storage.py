"""Counts of throttled requests in the database."""

import time

from server.models import ThrottleCount
from server.throttle_storage import DatabaseStorage


def test_two_processes_share_a_count(sessions):
    first, second = DatabaseStorage(sessions=sessions), DatabaseStorage(sessions=sessions)

    assert [first.incr("10.0.0.1", 60), second.incr("10.0.0.1", 60), first.incr("10.0.0.1", 60, 5)] == [1, 2, 7]
    assert second.get("10.0.0.1") == 7 and second.get("10.0.0.2") == 0
    assert 58 < second.get_expiry("10.0.0.1") - time.time() < 62
    assert first.check()


def test_a_count_that_has_ended_begins_anew_and_is_deleted(sessions, session):
    storage = DatabaseStorage(sessions=sessions)
    storage.incr("10.0.0.1", 60)
    with sessions.begin() as writing:
        writing.query(ThrottleCount).update({"ends_s": 1})

    assert storage.get("10.0.0.1") == 0
    assert storage.incr("10.0.0.1", 60) == 1
    with sessions.begin() as writing:
        writing.query(ThrottleCount).update({"ends_s": 1})
    DatabaseStorage(sessions=sessions).incr("10.0.0.2", 60)

    assert session.query(ThrottleCount).count() == 1


def test_the_table_names_no_client(sessions, session):
    storage = DatabaseStorage(sessions=sessions)
    storage.incr("10.0.0.1", 60)
    storage.incr("10.0.0.2", 60)
    storage.clear("10.0.0.2")

    (row,) = session.query(ThrottleCount).all()

    assert "10.0.0.1" not in row.key and len(row.key) == 64
    assert storage.reset() == 1 and storage.get("10.0.0.1") == 0
