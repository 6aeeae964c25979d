"""Problem documents: one rule of language, and the limits of requests."""

import re

import pytest

from server.services.people.accounts import SYSTEM
from server.services.places import due_dates
from server.wording import problems

HANGUL = re.compile("[가-힣]")

# (status, code, method, address below /api/v1, options of the test client)
CASES = [
    (400, "cursor_bad", "GET", "/restrooms?cursor=x", {}),
    (400, "bad_request", "GET", "/restrooms?search=%00", {}),
    (400, "key_bad", "POST", "/inspections", {"json": {"restroom": "x"}, "headers": {"Idempotency-Key": "x" * 101}}),
    (401, "token_needed", "GET", "/me", {"headers": {"Authorization": "Bearer x"}}),
    (403, "scope_missing", "POST", "/sensors/demo-1/maintenance", {"json": {"name": "restart"}}),
    (404, "not_found", "GET", "/nothing", {}),
    (404, "not_found", "GET", "/restrooms/zzzzzzzzzz", {}),
    (405, "method_not_allowed", "DELETE", "/restrooms", {}),
    (422, "not_valid", "GET", "/restrooms?block=round", {}),
    (400, "claim_incomplete", "POST", "/claims", {"json": []}),
    (403, "claim_bad", "POST", "/claims", {"json": {"code": "x", "device": "x", "label": ""}}),
]


@pytest.mark.parametrize(("status", "code", "method", "address", "options"), CASES)
def test_the_detail_is_in_the_language_of_the_request_and_english_without_one(
    program, status, code, method, address, options
):
    ask = program("inspector")
    details = []
    for language in (None, "en", "ko", "fr, ko;q=0.5"):
        headers = {**options.get("headers", {}), **({"Accept-Language": language} if language else {})}
        answer = ask._ask(method, address, **{**options, "headers": headers})
        assert (answer.status_code, answer.json["code"]) == (status, code), answer.text
        details.append(answer.json["detail"])

    without, english, korean, other = details
    assert without == english and korean == other != english
    assert HANGUL.search(korean) and not HANGUL.search(english)


def test_every_problem_has_a_korean_sentence(app):
    from flask_babel import force_locale

    with app.test_request_context(), force_locale("ko"):
        assert all(HANGUL.search(str(sentence)) for sentence in problems.PROBLEMS.values())


def test_a_program_that_asks_too_often_is_told_when_to_ask_again(program, monkeypatch):
    monkeypatch.setattr("server.throttling.COSTS", {"restrooms": 500})
    ask, other = program("viewer"), program("inspector")

    answers = [ask.get("/restrooms") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    refused = answers[2]
    assert (refused.json["code"], refused.content_type) == ("too_many", "application/problem+json")
    assert 1 <= int(refused.headers["Retry-After"]) <= 61
    assert other.get("/restrooms").status_code == 200


def test_the_time_from_which_a_restroom_is_overdue_counts_in_the_list_and_in_the_plan(app, program, room):
    ask = program("viewer")
    due_s = ask.get(f"/restrooms/{room}").json["due_s"]

    for at_s in (due_s - 1, due_s, due_s + 1):
        listed = {row["id"] for row in ask.get("/restrooms", due_before_s=at_s).json["items"]}
        with app.extensions["sessions"]() as session:
            planned = {row.public_id for row in due_dates.list_due(session, SYSTEM, at_s).rows}
        assert listed == planned
        assert (room in listed) == (at_s >= due_s)
