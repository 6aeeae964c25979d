"""The steps of an inspection and the checklist of the eye step, as pages."""

from server.models import ChecklistAnswer


def test_the_list_leads_from_stall_to_stall_and_then_the_step_can_be_recorded(begin, post, rows):
    client, running = begin()
    eye = f"/inspections/{running}/eye"
    assert "points of the list are still without an answer" in client.get(f"/inspections/{running}").text
    assert 'id="step-eye"' not in client.get(f"/inspections/{running}").text

    page = client.get(eye)
    assert "The room itself" in page.text
    for stall in range(6):
        page = post(client, eye, {"stall": stall, "rest": "1"}, page=eye)
    assert page.request.path == f"/inspections/{running}"
    assert 'id="step-eye"' in page.text
    assert len(rows(ChecklistAnswer)) > 40


def test_an_answer_that_needs_a_reason_is_asked_for_and_keeps_what_was_chosen(begin, post, rows):
    client, running = begin()
    eye = f"/inspections/{running}/eye?stall=1"

    page = post(client, eye, {"stall": "1", "answer-hooks": "suspicious", "note-hooks": ""})

    assert "Please say why, or what you saw" in page.text
    assert 'name="answer-hooks" value="suspicious" checked' in page.text
    assert rows(ChecklistAnswer) == []
    page = post(client, eye, {"stall": "1", "answer-hooks": "suspicious", "note-hooks": "a glint"})
    page = client.get(f"/inspections/{running}/eye?stall=1").text
    assert "Touch nothing, keep the scene, and call 112." in page and 'href="tel:112"' in page


def test_rubbish_in_the_list_is_ignored_or_not_found(begin, post, rows):
    client, running = begin()
    eye = f"/inspections/{running}/eye"

    assert post(client, eye, {"stall": "99", "answer-hooks": "ok"}).status_code == 404
    assert post(client, eye, {"stall": "1", "answer-nothing": "ok"}).status_code == 404
    post(client, eye, {"stall": "x", "answer-hooks": "maybe"})
    assert rows(ChecklistAnswer) == []
