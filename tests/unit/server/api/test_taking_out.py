"""What leaves by the API as files: exports, photos, certificates and proofs."""

import csv
import hashlib
import io
import json

import pytest
from sqlalchemy import select

from server.models import AccessEvent, Inspection
from server.services.audit import heads, signing_key
from server.services.inspecting import holes, photos
from server.services.people.accounts import SYSTEM
from server.services.reporting import exports
from tests.support import pictures
from tools import verify_proof


@pytest.fixture
def finished(program, room, say):
    """The id of a finished inspection with a judged finding."""
    ask = program("inspector")
    running = ask.post("/inspections", {"restroom": room, "sensors": ["demo-1"]}).json["id"]
    say.finding("demo-1", running)
    ask.post(f"/inspections/{running}/steps", {"method": "lens", "outcome": "none_found"})
    for row in ask.get("/findings").json["items"]:
        ask.post(f"/findings/{row['id']}/dispositions", {"kind": "false", "reason": "A speaker"})
    ask.post(f"/inspections/{running}/finish", {"result": "none_found"})
    return running


@pytest.mark.parametrize("table", ["inspections", "findings"])
def test_an_export_has_every_row_of_the_list_in_both_forms(program, room, finished, table, monkeypatch):
    monkeypatch.setattr(exports, "BATCH", 1)
    ask = program("inspector")
    ask.post("/inspections", {"restroom": room})
    listed = ask.get(f"/{table}").json["items"]

    lines = ask.get(f"/exports/{table}")
    table_file = ask.get(f"/exports/{table}", format="csv")

    assert lines.content_type.startswith("application/jsonl") and "attachment" in lines.headers["Content-Disposition"]
    assert [json.loads(line) for line in lines.text.splitlines()] == listed
    rows = list(csv.DictReader(io.StringIO(table_file.data.decode("utf-8-sig"))))
    assert [row["id"] for row in rows] == [row["id"] for row in listed]
    assert sorted(rows[0]) == sorted(listed[0]) and next(iter(rows[0])) == "id"


def test_an_export_can_be_limited_and_is_recorded(app, program, finished):
    ask = program("viewer")
    started_s = ask.get(f"/inspections/{finished}").json["started_s"]

    within = ask.get("/exports/inspections", since_s=started_s, until_s=started_s + 60).text
    after = ask.get("/exports/inspections", since_s=started_s + 60).text

    assert finished in within and after == ""
    with app.extensions["sessions"]() as session:
        events = session.scalars(select(AccessEvent.subject).where(AccessEvent.kind == "exported")).all()
    assert events.count("inspections") == 2


def test_a_text_that_a_spreadsheet_would_execute_is_neutral_in_csv():
    content = b"".join(exports.csv_lines(["id"], [{"id": "=1+1"}, {"id": None}, {"id": ["eye", "rf"]}, {"id": True}]))

    assert content.decode("utf-8-sig").splitlines() == ["id", "'=1+1", '""', "eye rf", "1"]


def test_photos_are_listed_with_the_digest_of_the_log_and_served_without_exif(app, program, room):
    ask = program("inspector")
    running = ask.post("/inspections", {"restroom": room}).json["id"]
    data = pictures.jpeg()
    with app.extensions["sessions"].begin() as session:
        row = session.scalar(select(Inspection))
        folder = photos.folder(app.extensions["settings"])
        facility_id = row.restroom.facility_id
        photo = photos.add(session, folder, data, SYSTEM, "eye", facility_id, "Sink", inspection=row).public_id
        hole = holes.add(session, row.restroom, SYSTEM, 0, "door", row)
        photos.add(session, folder, data, SYSTEM, "hole", facility_id, hole=hole)
        hole_id = hole.public_id

    listed = ask.get(f"/inspections/{running}/photos").json["items"]
    whole, small = ask.get(f"/photos/{photo}"), ask.get(f"/photos/{photo}", small="true")

    assert [row["id"] for row in listed] == [photo]
    assert listed[0]["sha256"] == hashlib.sha256(data).hexdigest() and listed[0]["note"] == "Sink"
    assert (whole.status_code, whole.content_type) == (200, "image/jpeg")
    assert whole.data[:2] == small.data[:2] == b"\xff\xd8" and b"Exif" not in whole.data
    assert len(ask.get(f"/holes/{hole_id}/photos").json["items"]) == 1
    assert [row["id"] for row in ask.get("/holes").json["items"]] == [hole_id]


def test_a_photo_that_is_not_what_was_received_is_not_served(app, program, room):
    ask = program("inspector")
    ask.post("/inspections", {"restroom": room})
    folder = photos.folder(app.extensions["settings"])
    with app.extensions["sessions"].begin() as session:
        row = session.scalar(select(Inspection))
        photo = photos.add(session, folder, pictures.jpeg(), SYSTEM, "eye", row.restroom.facility_id, inspection=row)
        public_id = photo.public_id
    for path in (folder / "original").rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            path.write_bytes(path.read_bytes() + b"x")

    answer = ask.get(f"/photos/{public_id}")

    assert (answer.status_code, answer.json["code"]) == (410, "photo_changed")


def test_a_certificate_says_what_was_signed_and_whether_it_stands(program, finished):
    ask = program("inspector")

    made = ask.get(f"/inspections/{finished}/certificate").json

    entry = next(
        row for row in ask.get(f"/inspections/{finished}/log").json["items"] if row["kind"] == "inspection.finished"
    )
    assert made["inspection"]["id"] == finished and made["inspection"]["result"] == "none_found"
    assert made["log_entry"] == {"n": entry["n"], "hash": entry["hash"]}
    assert made["record_hash"] == entry["body"]["record_hash"] and made["record_unchanged"]
    assert made["superseded_s"] is None and made["late_findings"] == []


def test_a_running_inspection_has_no_certificate(program, room):
    ask = program("inspector")
    running = ask.post("/inspections", {"restroom": room}).json["id"]

    assert ask.get(f"/inspections/{running}/certificate").json["code"] == "running"


@pytest.mark.parametrize("names", ["false", "true"])
def test_a_proof_verifies_with_the_tool_for_outsiders(app, program, finished, names):
    key = heads.public_key(signing_key.load(app.extensions["vault"]))

    answer = program("inspector").get(f"/inspections/{finished}/proof", names=names)

    entries = verify_proof.check(answer.text, key)
    assert "inspection.finished" in [row["kind"] for row in entries]
    assert any(row["personal"] for row in entries) == (names == "true")
    assert program("viewer").get(f"/inspections/{finished}/proof").json["code"] == "scope_missing"
