"""The API as a program uses it: from a restroom's list to a corrected inspection and a judged finding."""

import pytest
from sqlalchemy import func, select

from server import clock
from server.models import Finding, Inspection, KeptAnswer, Organisation, Token, User
from server.services.inspecting import holes, photos
from server.services.outside import subscriptions
from server.services.people.accounts import SYSTEM
from server.services.sensors import claims
from tests.support import pictures

PROBLEM = "application/problem+json"


def test_pages_of_a_list_follow_each_other_and_end(program):
    ask, found, cursor = program(), [], ""
    while cursor is not None:
        answer = ask.get("/restrooms", limit=3, cursor=cursor).json
        assert len(answer["items"]) <= 3
        found += [one["id"] for one in answer["items"]]
        cursor = answer["next"]

    assert len(found) == len(set(found)) == 10


def test_restrooms_can_be_searched_and_read_one_by_one(program, room):
    ask = program("viewer")
    listed = ask.get("/restrooms", search="1층 여자", block="women").json["items"]

    one = ask.get(f"/restrooms/{room}").json
    facility = ask.get(f"/facilities/{one['facility']}").json

    assert [row["id"] for row in listed] == [room] and listed[0] == one
    assert facility["name"] == one["facility_name"] and facility["organisation"]["name"]
    assert ask.get("/restrooms", facility=facility["id"], due_before_s=1 << 40).json["items"]


def test_an_inspection_from_start_to_correction(program, room):
    ask = program("inspector")
    begun = ask.post("/inspections", {"restroom": room, "people": [{"name": "박", "agency": "경찰서"}]})
    address = begun.headers["Location"].removeprefix("/api/v1")

    assert begun.status_code == 201 and begun.json["result"] is None and begun.json["people"][1]["agency"] == "경찰서"
    step = ask.post(f"{address}/steps", {"method": "lens", "outcome": "none_found"})
    assert step.status_code == 201 and step.json["steps"][0]["by"] == "Inspector"
    ended = ask.post(f"{address}/finish", {"result": "none_found"}).json
    assert (ended["result"], ended["methods"], ended["corrected"]) == ("none_found", ["lens"], False)
    mended = ask.post(f"{address}/corrections", {"result": "not_completed", "reason": "One stall was locked"}).json
    assert (mended["result"], mended["corrected"]) == ("not_completed", True)
    assert ask.get(address).json == mended
    kinds = [row["kind"] for row in ask.get(f"{address}/log").json["items"]]
    assert kinds == ["inspection.started", "inspection.step", "inspection.finished", "inspection.corrected"]
    assert [row["id"] for row in ask.get("/inspections", restroom=room, result="not_completed").json["items"]] == [
        mended["id"]
    ]


def test_the_eye_step_wants_every_point_of_the_list(program, room):
    ask = program("inspector")
    address = "/inspections/" + ask.post("/inspections", {"restroom": room}).json["id"]
    eye = {"method": "eye", "outcome": "none_found"}

    assert ask.post(f"{address}/steps", eye).json["code"] == "checklist_open"
    for part in ask.get(f"{address}/checklist").json["parts"]:
        given = {line["item"]: {"answer": "ok"} for line in part["lines"]}
        told = ask.post(f"{address}/answers", {"stall": part["stall"], "answers": given})
        assert told.status_code == 201, told.text
    assert ask.post(f"{address}/steps", eye).status_code == 201
    assert ask.post(f"{address}/answers", {"stall": 99, "answers": given}).status_code == 404
    vague = {"stall": 0, "answers": {part["lines"][0]["item"]: {"answer": "na"}}}
    assert ask.post(f"{address}/answers", vague).status_code in (404, 409)


@pytest.mark.parametrize("language, word", [("en", "already running"), ("ko", "이미")])
def test_a_refusal_is_a_problem_document_with_a_code_and_a_sentence(program, room, language, word):
    ask = program("inspector")
    ask.post("/inspections", {"restroom": room})
    ask._client.environ_base["HTTP_ACCEPT_LANGUAGE"] = language

    answer = ask.post("/inspections", {"restroom": room})

    assert (answer.status_code, answer.content_type) == (409, PROBLEM)
    assert answer.json["code"] == "already_running" and answer.json["type"] == "urn:ansim:problem:already_running"
    assert word in answer.json["detail"]


def test_a_finding_is_judged_and_its_address_never_leaves(program, app, say, room):
    ask = program("inspector")
    running = ask.post("/inspections", {"restroom": room, "sensors": ["demo-1"]}).json
    say.finding("demo-1", running["id"])
    with app.extensions["sessions"]() as session:
        address = session.scalar(select(Finding.address))

    one = ask.get("/findings", status="open").json["items"][0]
    shown = ask.get(f"/findings/{one['id']}")
    judged = ask.post(f"/findings/{one['id']}/dispositions", {"kind": "false", "reason": "A speaker"})

    assert address and address not in shown.text and shown.json["evidence"]
    assert (judged.status_code, judged.json["status"], judged.json["disposition"]) == (201, "closed", "false")
    assert ask.get(f"/inspections/{running['id']}").json["findings"] == [one["id"]]
    refused = ask.post(f"/findings/{one['id']}/dispositions", {"kind": "referred", "reason": "Looks bad"})
    assert refused.json["code"] == "police_needed"


def test_sensors_and_the_log_can_be_read(program):
    ask = program("admin")

    assert [one["name"] for one in ask.get("/sensors").json["items"]] == ["demo-1", "demo-2", "demo-3"]
    assert ask.get("/sensors/demo-2").json["status"] == "never"
    first = ask.get("/log", limit=2).json
    then = ask.get("/log", limit=2, cursor=first["next"]).json
    assert [row["n"] for row in first["items"] + then["items"]] == [1, 2, 3, 4]
    assert ask.get("/log", kind="token.").json["items"][0]["kind"] == "token.made"
    assert ask.get("/me").json["role"] == "admin"


def test_a_report_counts_what_the_pages_count(program, room):
    ask = program("viewer")

    whole = ask.get("/reports", year=2026).json
    below = ask.get("/reports", year=2026, half=2, of=whole["rows"][0]["id"]).json

    assert (whole["by"], whole["total"]["restrooms"], below["by"]) == ("organisation", 10, "facility")
    assert ask.get("/reports", year=2026, of=room).json["total"]["restrooms"] == 1
    assert ask.get("/reports", year=2026, of="nothing").status_code == 404


# Repeating


def count(app, table):
    with app.extensions["sessions"]() as session:
        return session.scalar(select(func.count(table.id)))


def test_a_post_that_comes_twice_with_one_key_is_done_once(program, app, room):
    ask = program("inspector")

    first, second = [ask.post("/inspections", {"restroom": room}, key="a-1") for _ in range(2)]

    assert (first.status_code, first.data, first.headers["Location"]) == (
        second.status_code,
        second.data,
        second.headers["Location"],
    )
    assert second.headers["Idempotency-Replayed"] == "true" and count(app, Inspection) == 1


def test_a_key_belongs_to_one_request_and_one_person(program, room):
    ask, other = program("inspector"), program("manager")
    ask.post("/inspections", {"restroom": room}, key="a-1")

    assert ask.post("/inspections", {"restroom": room, "sensors": []}, key="a-1").json["code"] == "key_reused"
    assert other.post("/inspections", {"restroom": room}, key="a-1").json["code"] == "already_running"


def test_a_key_of_a_refused_request_can_be_used_again(program, app, room):
    ask = program("inspector")
    running = ask.post("/inspections", {"restroom": room}).json["id"]
    finish = f"/inspections/{running}/finish"

    assert ask.post(finish, {"result": "none_found"}, key="k").json["code"] == "nothing_done"
    assert count(app, KeptAnswer) == 0
    ask.post(f"/inspections/{running}/steps", {"method": "lens", "outcome": "none_found"})
    assert ask.post(finish, {"result": "none_found"}, key="k").status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 101, "ä", "a\tb"])
def test_a_bad_key_is_told(program, room, key):
    answer = program("inspector")._ask(
        "POST", "/inspections", json={"restroom": room}, headers={"Idempotency-Key": key.encode().decode("latin-1")}
    )

    assert (answer.status_code, answer.json["code"]) == (400, "key_bad")


# Rubbish


@pytest.mark.parametrize(
    "body, field",
    [
        ({}, "restroom"),
        ({"restroom": 7}, "restroom"),
        ({"restroom": "x", "more": 1}, "more"),
        ({"restroom": "x", "people": [{"name": ""}]}, "people.0.name"),
        ({"restroom": "a\0b"}, "restroom"),
        ([], "_schema"),
        ("text", "_schema"),
    ],
)
def test_a_body_that_is_not_as_documented_is_told_field_by_field(program, body, field):
    answer = program("inspector").post("/inspections", body)

    assert (answer.status_code, answer.content_type, answer.json["code"]) == (422, PROBLEM, "not_valid")
    if field != "_schema":
        assert field in [one["field"] for one in answer.json["values"]["errors"]]


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b'{"restroom": "\\ud800"}', b"[" * 100_000])
def test_what_is_no_json_is_the_programs_mistake_and_not_ours(program, data):
    answer = program("inspector")._ask("POST", "/inspections", data=data, headers={"Content-Type": "application/json"})

    assert 400 <= answer.status_code < 500 and answer.content_type == PROBLEM


@pytest.mark.parametrize("cursor", ["x", "YWZ0ZXI6LTE", "YWZ0ZXI6OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "%00", "한"])
def test_a_made_up_cursor_is_told(program, cursor):
    assert program().get("/restrooms", cursor=cursor).status_code == 400


def test_too_much_at_once_is_refused(program):
    answer = program("inspector")._ask("POST", "/inspections", json={"restroom": "x" * (1 << 21)})

    assert answer.status_code in (400, 413) and answer.content_type == PROBLEM


# Who gets in


def operations(app):
    """[(method, path with samples)] of every operation in the document that needs a token."""
    document = app.test_client().get("/api/v1/openapi.json").json
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if "security" in operation:  # claims: authenticated by the code itself
                continue
            yield method, path.removeprefix("/api/v1")


@pytest.fixture
def samples(app, program, say, room):
    """A function that fills the gaps of a path with things that exist at the city hall."""
    running = program("inspector").post("/inspections", {"restroom": room, "sensors": ["demo-1"]}).json
    say.finding("demo-1", running["id"])
    with app.extensions["sessions"].begin() as session:
        finding = session.scalar(select(Finding.public_id))
        facility = session.scalar(select(Inspection)).restroom.facility.public_id
        row = session.scalar(select(Inspection))
        admin = session.scalar(select(User).where(User.login == "inspector-api"))
        hole = holes.add(session, row.restroom, admin, 0, "door", row).public_id
        hall = row.restroom.facility
        session.add(Organisation(public_id="k3v9h2m7qd", name="Park office", created_s=clock.now_s()))
        folder = photos.folder(app.extensions["settings"])
        photo = photos.add(session, folder, pictures.jpeg(), admin, "eye", hall.id, inspection=row).public_id
        webhook, _ = subscriptions.subscribe(
            session,
            app.extensions["vault"],
            SYSTEM,
            "x",
            ["finding_new"],
            "webhook",
            "https://127.0.0.1/",
            hall,
            private_targets=True,
        )
        webhook_id = webhook.public_id
    things = {"restrooms": room, "facilities": facility, "inspections": running["id"], "findings": finding}
    things |= {"holes": hole, "photos": photo, "webhooks": webhook_id}

    def fill(path):
        kind = path.split("/")[1]
        return path.replace("{public_id}", things.get(kind, "x")).replace("{name}", "demo-1")

    return fill


GOOD = {
    "answers": {"stall": 0, "answers": {"ceiling": {"answer": "ok"}}},
    "steps": {"method": "lens", "outcome": "none_found"},
    "finish": {"result": "not_completed", "reason": "x"},
    "corrections": {"result": "not_completed", "reason": "x"},
    "dispositions": {"kind": "false", "reason": "x"},
    "commands": {"name": "test_signal"},
    "maintenance": {"name": "restart"},
    "move": {"organisation": "k3v9h2m7qd"},  # made by `samples`
    "webhooks": {"name": "x", "url": "https://1.1.1.1/", "kinds": ["finding_new"]},
    "test": {},
    "end": {},
}


def ask_any(client, method, path, room):
    body = GOOD.get(path.rpartition("/")[2], {"restroom": room})
    return client.get(path) if method == "get" else client.post(path, body)


def test_without_a_token_that_counts_nobody_gets_anything(app, samples, room, program):
    from tests.unit.server.api.conftest import Program

    shown = program("admin")._token
    with app.extensions["sessions"].begin() as session:
        for token in session.scalars(select(Token).order_by(Token.id.desc()).limit(1)):
            token.expires_s = clock.now_s() - 1
    for token in ("", "ansim_x_y", "ansim_" + "0" * 40, shown, shown[:-1]):
        for method, path in operations(app):
            answer = ask_any(Program(app, token), method, samples(path), room)
            assert (answer.status_code, answer.content_type) == (401, PROBLEM), (method, path)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_session_cookie_is_no_token(app, hashed, room):
    client = app.test_client()
    with app.extensions["sessions"].begin() as session:
        user = session.scalar(select(User).where(User.login == "admin"))
        cookie_id = user.get_id() if user else "x.y"
    with client.session_transaction() as cookie:
        cookie.update(_user_id=cookie_id, _fresh=True)

    assert client.post("/api/v1/inspections", json={"restroom": room}).status_code == 401


def test_a_scope_that_is_missing_refuses_whatever_the_role(app, samples, program, room):
    only_see = program("admin", ["see"])

    for method, path in operations(app):
        if method == "post":
            answer = ask_any(only_see, method, samples(path), room)
            assert (answer.status_code, answer.json["code"]) == (403, "scope_missing"), path


def test_a_role_that_does_not_include_it_refuses_whatever_the_scope(app, samples, program, person, room):
    ask = program("admin")
    with app.extensions["sessions"].begin() as session:
        person(session, "admin").role = "viewer"

    for method, path in operations(app):
        if method == "post":
            answer = ask_any(ask, method, samples(path), room)
            assert (answer.status_code, answer.json["code"]) == (403, "right_missing"), path


@pytest.mark.parametrize("role", ["admin", "manager"])
def test_somebody_of_another_facility_gets_to_nothing_of_this_one(app, samples, program, room, role):
    ask = program(role, elsewhere=True)

    for method, path in operations(app):
        answer = ask_any(ask, method, samples(path), room)
        if "{" in path or method == "post":
            assert answer.status_code in (403, 404), (method, path, answer.text)
        elif path == "/facilities":
            assert [one["name"] for one in answer.json["items"]] == ["Elsewhere"]
        elif path == "/reports":
            assert answer.status_code == 422 or answer.json["total"]["restrooms"] == 0
        elif path.startswith("/exports/"):
            assert answer.data == b"", path
        elif path not in ("/me", "/log", "/sensors"):
            assert answer.json["items"] == [], path


def test_a_disabled_person_s_token_ends_at_once(app, program, person):
    ask = program("manager")
    with app.extensions["sessions"].begin() as session:
        person(session, "manager").disabled_s = clock.now_s()

    assert ask.get("/me").status_code == 401


def test_the_answers_carry_the_pages_headers_and_problems_are_problems(app, program):
    answer = program().get("/nothing")

    assert (answer.status_code, answer.content_type, answer.json["code"]) == (404, PROBLEM, "not_found")
    assert answer.headers["Cache-Control"] == "no-store" and answer.headers["X-Content-Type-Options"] == "nosniff"
    wrong = program()._ask("DELETE", "/facilities")
    assert (wrong.status_code, wrong.content_type) == (405, PROBLEM) and "GET" in wrong.headers["Allow"]


@pytest.mark.parametrize(
    "method, address, status",
    [
        ("GET", "/api", 404),
        ("GET", "/api/", 404),
        ("GET", "/api/v2/restrooms", 404),
        ("POST", "/api/v1", 404),
        ("TRACE", "/api/v1/restrooms", 405),
        ("PROPFIND", "/api/v1/restrooms", 405),
        ("DELETE", "/api/v1/claims", 404),
        ("POST", "/api/v1/claims", 400),
    ],
)
def test_whatever_lies_under_api_answers_in_problem_documents(app, method, address, status):
    answer = app.test_client().open(address, method=method)

    assert (answer.status_code, answer.content_type) == (status, PROBLEM)
    assert set(answer.json) == {"type", "title", "status", "detail", "code", "values"}


def test_a_program_is_told_of_a_broken_server_in_its_own_form(app, monkeypatch):
    app.config["PROPAGATE_EXCEPTIONS"] = False
    monkeypatch.setattr(claims, "redeem", lambda *_: 1 / 0)

    answer = app.test_client().post("/api/v1/claims", json={"code": "x", "device": "y", "label": ""})

    assert (answer.status_code, answer.content_type, answer.json["code"]) == (500, PROBLEM, "broken")


def test_no_list_asks_a_question_for_each_row(program, app, room, say):
    from sqlalchemy import event

    ask = program("admin")
    running = ask.post("/inspections", {"restroom": room, "sensors": ["demo-1"]}).json
    say.finding("demo-1", running["id"])
    asked = []
    event.listen(app.extensions["sessions"].engine, "before_cursor_execute", lambda *a: asked.append(a[2]))
    for path in ("/facilities", "/restrooms", "/inspections", "/findings", "/sensors", "/log"):
        asked.clear()
        assert ask.get(path).status_code == 200
        assert len([one for one in asked if one.startswith("SELECT")]) <= 6, (path, asked)


def test_each_operation_of_a_sensor_is_a_command_whose_answer_can_be_read(program, app, say, room):
    ask = program("admin")
    running = ask.post("/inspections", {"restroom": room, "sensors": ["demo-1"]}).json
    say.info("demo-1")
    say.finding("demo-1", running["id"])
    finding = ask.get("/findings", status="open").json["items"][0]["id"]
    bodies = [
        {"name": "follow", "finding": finding},
        {"name": "movement_test", "finding": finding},
        {"name": "dwell", "channel": 6, "seconds": 30},
        {"name": "selftest"},
        {"name": "test_signal"},
    ]

    sent = [ask.post("/sensors/demo-1/commands", body) for body in bodies]
    changed = ask.post("/sensors/demo-1/maintenance", {"name": "settings", "changes": {"upload_every_s": 30}})
    listed = ask.get("/sensors/demo-1/commands")

    assert [answer.status_code for answer in [*sent, changed]] == [201] * 6
    assert sent[1].json["slots"] and {command["status"] for command in listed.json["items"]} == {"waiting"}
    assert [command["name"] for command in listed.json["items"]][:2] == ["settings", "test_signal"]
    assert "c0:" not in listed.text and "00:bc" not in listed.text
    assert ask.post("/sensors/demo-1/commands", {"name": "dwell"}).json["code"] == "dwell_bad"
    assert ask.post("/sensors/demo-1/maintenance", {"name": "settings"}).json["code"] == "settings_none"
    password = {"name": "settings", "changes": {"wifi": "x"}}
    assert ask.post("/sensors/demo-1/maintenance", password).json["code"] == "settings_fixed"
    assert ask.post("/sensors/demo-1/commands", {"name": "follow", "finding": "nothing"}).status_code == 404
