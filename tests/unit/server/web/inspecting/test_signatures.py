"""The page on which people sign."""

import json

from server.models import FailedAttempt, InspectionPerson, Signature, User
from tests.unit.server.web.conftest import PASSWORD

STROKES = json.dumps([[100, 100, 200, 200, 300, 120, 400, 220], [450, 100, 500, 300, 520, 310, 600, 90]])


def test_both_sign_at_the_finish_one_by_hand_and_one_by_password(finished, post, rows):
    client, done = finished
    own, partner = rows(InspectionPerson)
    sign = f"/inspections/{done}/sign"

    assert "a dot is not enough" in post(client, sign, {"person": partner.id, "strokes": "[[1,1]]"}).text
    assert "a dot is not enough" in post(client, sign, {"person": partner.id, "strokes": "[" * 5000}).text
    post(client, sign, {"person": partner.id, "strokes": STROKES})
    wrong = post(client, sign, {"person": own.id, "password": "not this one at all"})
    assert "The current password is not right." in wrong.text
    post(client, sign, {"person": own.id, "password": PASSWORD})

    assert [(one.name, one.kind) for one in rows(Signature)] == [("Officer Lee", "drawn"), ("Inspector", "password")]
    page = client.get(f"/inspections/{done}").text
    assert page.count("Signed") == 2 and "Not signed" not in page
    assert page.count("On the device of Inspector") == 1
    assert rows(Signature)[0].record_hash in page and 'd="M100 100L200 200' in page


def test_the_record_says_when_a_signature_is_missing_or_only_one_was_there(begin, post, finished):
    client, done = finished
    page = client.get(f"/inspections/{done}").text
    assert page.count("Not signed") == 2

    alone, other = begin(client=client)
    post(alone, f"/inspections/{other}/finish", {"result": "not_completed", "reason": "Fire alarm"})

    assert "Only one person is named." in alone.get(f"/inspections/{other}/sign").text


def test_only_the_user_who_is_signed_in_signs_with_a_password(begin, post, rows, sign_in):
    sign_in("manager")
    client, running = begin()
    manager = next(user for user in rows(User) if user.login == "manager")
    post(client, f"/inspections/{running}/people", {"colleague": manager.public_id}, page=f"/inspections/{running}")
    post(client, f"/inspections/{running}/finish", {"result": "not_completed", "reason": "Fire alarm"})
    colleague = next(person for person in rows(InspectionPerson) if person.user_id == manager.id)
    sign = f"/inspections/{running}/sign"

    page = post(client, sign, {"person": colleague.id, "name": "Manager", "password": PASSWORD})

    assert "Only the person who is signed in signs with a password." in page.text
    assert rows(Signature) == [] and f'id="password-{colleague.id}"' not in page.text
    post(client, sign, {"person": colleague.id, "name": "manager"})
    assert [(one.kind, one.name) for one in rows(Signature)] == [("typed", "Manager")]
    page = client.get(f"/inspections/{running}").text
    assert "By typing the name: Manager" in page and "On the device of Inspector" in page


def test_wrong_passwords_are_counted_whatever_the_spelling_of_the_inspection(finished, post, rows):
    client, done = finished
    own = next(person for person in rows(InspectionPerson) if person.user_id)
    form = {"person": own.id, "password": "not this one at all"}

    answers = [
        post(client, f"/inspections/{spelling}/sign", form, page=f"/inspections/{done}/sign").text
        for spelling in (done, done.upper(), done[:4] + "-" + done[4:], done, done.upper(), done)
    ]

    assert [("Too many wrong tries" in text) for text in answers] == [False] * 5 + [True]
    assert rows(Signature) == [] and sum(row.count for row in rows(FailedAttempt)) == 5
