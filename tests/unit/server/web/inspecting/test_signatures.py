"""The page on which people sign."""

import json

from server.models import InspectionPerson, Signature
from tests.unit.server.web.conftest import PASSWORD

STROKES = json.dumps([[100, 100, 200, 200, 300, 120, 400, 220], [450, 100, 500, 300, 520, 310, 600, 90]])


def test_both_sign_at_the_finish_one_by_hand_and_one_by_password(finished, post, rows):
    client, done = finished
    own, partner = rows(InspectionPerson)
    sign = f"/inspections/{done}/sign"

    assert "a dot is not enough" in post(client, sign, {"person": partner.id, "strokes": "[[1,1]]"}).text
    assert "a dot is not enough" in post(client, sign, {"person": partner.id, "strokes": "[" * 5000}).text
    post(client, sign, {"person": partner.id, "strokes": STROKES})
    wrong = post(client, sign, {"person": own.id, "name": "Inspector", "password": "not this one at all"})
    assert "The password is not right." in wrong.text
    post(client, sign, {"person": own.id, "name": "Inspector", "password": PASSWORD})

    assert [(one.name, one.kind) for one in rows(Signature)] == [("Officer Lee", "drawn"), ("Inspector", "password")]
    page = client.get(f"/inspections/{done}").text
    assert page.count("Signed") == 2 and "Not signed" not in page
    assert rows(Signature)[0].record_hash in page and 'd="M100 100L200 200' in page


def test_the_record_says_when_a_signature_is_missing_or_only_one_was_there(begin, post, finished):
    client, done = finished
    page = client.get(f"/inspections/{done}").text
    assert page.count("Not signed") == 2

    alone, other = begin(client=client)
    post(alone, f"/inspections/{other}/finish", {"result": "not_completed", "reason": "Fire alarm"})

    assert "Only one person is named." in alone.get(f"/inspections/{other}/sign").text
