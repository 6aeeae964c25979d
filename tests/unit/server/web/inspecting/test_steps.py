"""The steps of an inspection and the checklist of the eye step, as pages."""

import re

from server.models import ChecklistAnswer, Inspection


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


def eye_form(client, running, stall):
    """The fields of the page of a stall, as a browser would send them back."""
    page = client.get(f"/inspections/{running}/eye?stall={stall}").text
    form = dict(re.findall(r'name="(seen-\w+)" value="(\d+)"', page))
    form |= dict(re.findall(r'name="(answer-\w+)" value="(\w+)" checked', page))
    form |= dict(re.findall(r'name="(note-\w+)" maxlength="1000" value="([^"]*)"', page))
    return {**form, "stall": str(stall)}


def test_a_page_that_was_open_since_before_takes_back_no_suspicion_and_shows_both(begin, sign_in, post, rows):
    kim, running = begin()
    eye = f"/inspections/{running}/eye?stall=1"
    post(kim, eye, {"stall": "1", "answer-door": "ok", "seen-door": "0"})
    opened = eye_form(kim, running, 1)
    park = sign_in("manager")
    post(park, eye, {**eye_form(park, running, 1), "answer-door": "suspicious", "note-door": "a hole"})

    page = post(kim, eye, {**opened, "answer-hooks": "ok"})

    assert "Answered by others while this page was open" in page.text and "a hole" in page.text
    page = kim.get(eye).text
    assert 'name="answer-door" value="suspicious" checked' in page
    assert page.count("Nothing suspicious</span></span> <span class") == 1 and "a hole" in page
    assert [(row.item, row.answer) for row in rows(ChecklistAnswer)] == [
        ("door", "ok"),
        ("door", "suspicious"),
        ("hooks", "ok"),
    ]


def test_two_answers_that_differ_are_shown_with_names_and_have_to_be_settled(begin, sign_in, post):
    kim, running = begin()
    park = sign_in("manager")
    eye = f"/inspections/{running}/eye?stall=1"
    of_kim, of_park = eye_form(kim, running, 1), eye_form(park, running, 1)
    post(park, eye, {**of_park, "answer-door": "suspicious", "note-door": "a hole"})
    post(kim, eye, {**of_kim, "answer-door": "ok"})

    page = kim.get(eye).text
    assert "Two people answered this differently" in page and "Inspector" in page and "Manager" in page
    assert not re.search(r'name="answer-door" value="\w+" checked', page)
    page = post(kim, eye, {**eye_form(kim, running, 1), "answer-door": "ok", "note-door": ""})
    assert "Please say why this is no longer suspicious" in page.text
    post(kim, eye, {**eye_form(kim, running, 1), "answer-door": "ok", "note-door": "a screw, looked at together"})
    assert "Two people answered" not in kim.get(eye).text


def test_a_step_that_is_open_again_says_so(begin, post):
    client, running = begin()
    for stall in range(6):
        post(client, f"/inspections/{running}/eye", {"stall": stall, "rest": "1"})
    post(client, f"/inspections/{running}/steps/eye", {"outcome": "none_found"})

    eye = f"/inspections/{running}/eye?stall=1"
    post(client, eye, {**eye_form(client, running, 1), "answer-door": "suspicious", "note-door": "a hole"})

    page = client.get(f"/inspections/{running}").text
    assert "This step was recorded as none found, and is open again" in page


def test_rubbish_in_the_list_is_ignored_or_not_found(begin, post, rows):
    client, running = begin()
    eye = f"/inspections/{running}/eye"

    assert post(client, eye, {"stall": "99", "answer-hooks": "ok"}).status_code == 404
    assert post(client, eye, {"stall": "1", "answer-nothing": "ok"}).status_code == 404
    post(client, eye, {"stall": "x", "answer-hooks": "maybe"})
    assert rows(ChecklistAnswer) == []


def test_one_answer_is_saved_at_once_and_the_page_stays(begin, post, rows):
    client, running = begin()
    eye = f"/inspections/{running}/eye"
    token = re.findall(r'name="csrf_token" value="([^"]+)"', client.get(eye).text)[0]

    def save(**fields):
        form = {"csrf_token": token, "stall": "1", **fields}
        return client.post(eye, data=form, headers={"Accept": "application/json"})

    reply = save(**{"answer-hooks": "ok", "seen-hooks": "0", "age_s": "0"})
    assert reply.status_code == 200 and reply.json["answered"].startswith("1 of ")
    [row] = rows(ChecklistAnswer)
    assert (row.stall, row.answer, row.id) == (1, "ok", reply.json["seen"])

    assert save(**{"answer-hooks": "ok", "seen-hooks": "0"}).status_code == 200  # the same again, after a lost reply
    assert len(rows(ChecklistAnswer)) == 1

    refused = save(**{"answer-hooks": "suspicious", "seen-hooks": "0"})
    assert refused.status_code == 409 and "say why" in refused.json["why"]
    late = save(**{"answer-hooks": "suspicious", "note-hooks": "a glint", "seen-hooks": str(row.id), "age_s": "999999"})
    assert late.status_code == 200 and rows(ChecklistAnswer)[1].answer == "suspicious"
    assert rows(Inspection)[0].started_s <= rows(ChecklistAnswer)[1].at_s  # no answer is older than its inspection
    assert save().status_code == 409


def test_the_header_of_the_running_page_says_what_is_done_and_what_comes_next(begin, post):
    client, running = begin()
    eye = f"/inspections/{running}/eye"

    page = client.get(f"/inspections/{running}").text
    assert re.search(r'id="next" href="[^"]*/eye"', page) and re.search(r'class="number">0/\d+<', page)

    for stall in range(6):
        post(client, eye, {"stall": stall, "rest": "1"}, page=eye)
    assert re.search(r'id="next" href="[^"]*/steps/eye"', client.get(f"/inspections/{running}").text)
    post(client, f"/inspections/{running}/steps/eye", {"outcome": "none_found"})
    assert re.search(r'id="next" href="[^"]*/steps/lens"', client.get(f"/inspections/{running}").text)
    post(client, f"/inspections/{running}/steps/lens", {"outcome": "none_found"})
    # Without a sensor there is nothing to wait for: the step is recorded as not done.
    assert re.search(r'id="next" href="[^"]*/steps/rf"', client.get(f"/inspections/{running}").text)
    post(client, f"/inspections/{running}/steps/rf", {"outcome": "not_done", "note": "no sensor"})
    assert re.search(r'id="next" href="[^"]*/finish"', client.get(f"/inspections/{running}").text)
    assert re.search(r'id="live-head"', client.get(f"/inspections/{running}/live").text)
