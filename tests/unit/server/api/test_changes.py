"""The change feed: complete, in order, resumable, and limited to the user's places."""

from sqlalchemy import select

from server.models import Restroom
from server.services.audit import log
from server.services.inspecting import holes
from server.services.outside import change_feed
from server.services.people.accounts import SYSTEM


def read_all(ask, limit=50, **query):
    """Return [(kind, id), ...] of the feed, and its cursor."""
    found, cursor = [], ""
    while True:
        answer = ask.get("/changes", limit=limit, **({"cursor": cursor} if cursor else query)).json
        assert len(answer["items"]) <= limit
        found += [(row["kind"], row["id"]) for row in answer["items"]]
        cursor = answer["cursor"]
        if not answer["more"]:
            return found, cursor


def work(app, program, say, room):
    """One inspection with a finding and a hole; return what the feed must say."""
    ask = program("inspector")
    running = ask.post("/inspections", {"restroom": room, "sensors": ["demo-1"]}).json["id"]
    say.finding("demo-1", running)
    finding = ask.get("/findings").json["items"][0]["id"]
    with app.extensions["sessions"].begin() as session:
        place = session.scalar(select(Restroom).where(Restroom.public_id == room))
        hole = holes.add(session, place, SYSTEM, 0, "door").public_id
    ask.post(f"/inspections/{running}/steps", {"method": "lens", "outcome": "none_found"})
    ask.post(f"/findings/{finding}/dispositions", {"kind": "false", "reason": "A speaker"})
    ask.post(f"/inspections/{running}/finish", {"result": "none_found"})
    ask.post(f"/inspections/{running}/corrections", {"result": "not_completed", "reason": "A stall was locked"})
    return [
        ("inspection.started", running),
        ("finding.raised", finding),
        ("hole.found", hole),
        ("inspection.step", running),
        ("finding.disposed", finding),
        ("inspection.finished", running),
        ("inspection.corrected", running),
    ]


def test_the_feed_has_every_change_once_whatever_the_size_of_its_pages(app, program, say, room):
    expected = work(app, program, say, room)

    for limit in (1, 2, 50):
        found, _ = read_all(program("viewer"), limit)
        assert found == expected


def test_a_reader_that_keeps_its_cursor_gets_only_what_is_new(app, program, say, room):
    ask = program("viewer")
    _, cursor = read_all(ask)
    expected = work(app, program, say, room)

    answer = ask.get("/changes", cursor=cursor).json
    again = ask.get("/changes", cursor=answer["cursor"]).json

    assert [(row["kind"], row["id"]) for row in answer["items"]] == expected
    assert again["items"] == [] and not again["more"]


def test_a_change_has_its_facts_and_its_object_as_it_is_now(app, program, say, room):
    work(app, program, say, room)

    rows = program("viewer").get("/changes").json["items"]

    finished = next(row for row in rows if row["kind"] == "inspection.finished")
    assert finished["facts"]["result"] == "none_found" and finished["inspection"]["result"] == "not_completed"
    assert (finished["type"], finished["finding"], finished["hole"]) == ("inspection", None, None)
    disposed = next(row for row in rows if row["kind"] == "finding.disposed")
    assert (disposed["facts"]["kind"], disposed["finding"]["status"]) == ("false", "closed")
    assert next(row for row in rows if row["type"] == "hole")["hole"]["place"] == "door"


def test_the_start_is_found_by_time(app, program, say, room, monkeypatch):
    now_s = changes_time = 2_000_000_000
    monkeypatch.setattr("server.clock.now_s", lambda: now_s)
    expected = work(app, program, say, room)
    ask = program("viewer")

    assert read_all(ask, changed_since=changes_time)[0] == expected
    assert read_all(ask, changed_since=changes_time + 1)[0] == []
    assert read_all(ask, changed_since=0)[0] == expected


def test_changes_elsewhere_do_not_exist_and_do_not_stop_the_feed(app, program, say, room, monkeypatch):
    monkeypatch.setattr(change_feed, "BATCH", 2)
    monkeypatch.setattr(change_feed, "MOST_READ", 2)
    work(app, program, say, room)
    ask = program("manager", elsewhere=True)

    found, cursor = read_all(ask)

    assert found == [] and not ask.get("/changes", cursor=cursor).json["more"]


def test_entries_of_other_kinds_are_passed_over(app, program):
    with app.extensions["sessions"].begin() as session:
        newest = log.newest_n(session)
    answer = program("viewer").get("/changes").json

    assert newest and answer["items"] == [] and not answer["more"]
