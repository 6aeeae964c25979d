"""
Every operation of the API in the situations of programs: repeated, stale, and about objects of others.

The operations come from the OpenAPI document; a POST without a sample in test_api.GOOD fails here.
"""

import re

import pytest
from sqlalchemy import func, select

from server.models import User
from server.models.audit import LogEntry
from server.services.audit import log
from tests.unit.server.api.test_api import GOOD, PROBLEM, ask_any, operations, samples  # noqa: F401

# POSTs that replace nothing of others, so that If-Match is read and never refused: {last part of the path}.
ADDING = {"inspections", "answers", "steps", "commands", "webhooks", "test", "end"}


def newest(app):
    with app.extensions["sessions"]() as session:
        return log.newest_n(session)


def posts(app):
    chosen = [path for method, path in operations(app) if method == "post"]
    assert {path.rpartition("/")[2] for path in chosen} == {*GOOD, "inspections"}
    return chosen


def test_an_object_of_another_facility_is_answered_like_an_unknown_one(app, samples, program, room):  # noqa: F811
    ask, compared = program("admin", elsewhere=True), 0

    for method, path in operations(app):
        if "{" not in path:
            continue
        unknown = path.replace("{public_id}", "zzzzzzzzzz").replace("{name}", "zzzzzzzzzz")
        answers = [ask_any(ask, method, text, room) for text in (samples(path), unknown)]
        assert [answer.status_code for answer in answers] == [404, 404], path
        assert answers[0].json == answers[1].json and answers[0].content_type == PROBLEM, path
        compared += 1
    assert compared > 12


def test_the_example_of_every_operation_s_body_is_accepted(app, samples, program, room):  # noqa: F811
    ask, sent = program("admin"), 0
    document = app.test_client().get("/api/v1/openapi.json").json

    for path in sorted(
        posts(app), key=lambda path: (path.endswith(("/finish", "/corrections")), not path.endswith("h"))
    ):
        content = document["paths"]["/api/v1" + path]["post"].get("requestBody")
        if content is None:
            continue
        model = content["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        (example,) = document["components"]["schemas"][model]["examples"]
        if model == "Start":  # an inspection runs in the samples' room
            other = next(row["id"] for row in ask.get("/restrooms").json["items"] if row["id"] != room)
            example = example | {"restroom": other, "sensors": ["demo-2"]}
        answer = ask.post(samples(path), example)
        assert answer.status_code == 201, (path, answer.text)
        sent += 1
    assert sent >= 9


def test_a_post_with_the_same_key_is_executed_once(app, samples, program, room):  # noqa: F811
    ask = program("admin")

    for number, path in enumerate(sorted(posts(app), key=lambda path: path.endswith(("/finish", "/end")))):
        name = path.rpartition("/")[2]
        if name in ("inspections", "corrections"):  # refused here; test_api.py repeats a started inspection
            continue
        before = newest(app)
        answers = [ask.post(samples(path), GOOD[name], key=f"key-{number}") for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201], (path, answers[0].text)
        assert answers[0].data == answers[1].data and answers[1].headers["Idempotency-Replayed"] == "true", path
        assert newest(app) <= before + 1, path


@pytest.mark.parametrize("name", [*sorted({*GOOD, *ADDING} - {"inspections", "webhooks"})])
def test_a_state_that_others_have_changed_since_is_refused(app, samples, program, room, name):  # noqa: F811
    ask = program("admin")
    path = next(samples(path) for path in posts(app) if path.endswith(f"/{name}"))
    shown = path.rpartition("/")[0]
    if name == "corrections":
        ask.post(f"{shown}/finish", GOOD["finish"])
    tag = ask.get(shown).headers["ETag"]
    assert re.fullmatch(r'"\d+"', tag)
    body = {"name": "settings", "changes": {"upload_every_s": 30}} if name == "maintenance" else GOOD[name]
    with app.extensions["sessions"].begin() as session:
        other = session.scalar(select(User).where(User.login == "inspector-api"))
        kinds = {"dispositions": "finding.disposed", "maintenance": "sensor.settings", "move": "facility.moved"}
        kind = kinds.get(name, "inspection.corrected")
        log.add(session, kind, shown.rpartition("/")[2], {}, other)
        count = session.scalar(select(func.count(LogEntry.n)))

    answer = ask._ask("POST", path, json=body, headers={"If-Match": tag})

    if name in ADDING:
        assert answer.status_code == 201
        return
    assert (answer.status_code, answer.json["code"]) == (412, "changed_meanwhile"), answer.text
    assert answer.json["values"]["changes"][0]["by"] == "Inspector"
    assert newest(app) == count
    tag = ask.get(shown).headers["ETag"]
    assert ask._ask("POST", path, json=body, headers={"If-Match": tag}).status_code == 201


@pytest.mark.parametrize("tag", ["x", '"x"', '"1", "2"', 'W/"1"', '"' + "9" * 40 + '"'])
def test_a_tag_that_no_answer_had_is_a_bad_request(samples, program, tag):  # noqa: F811
    path = samples("/findings/{public_id}/dispositions")

    answer = program("admin")._ask("POST", path, json=GOOD["dispositions"], headers={"If-Match": tag})

    assert (answer.status_code, answer.json["code"]) == (400, "tag_bad")
