"""Certificates of inspections, as page and as PDF."""

import pytest
from sqlalchemy import select

from server.models import Hole, Inspection, Photo, User
from server.services.inspecting import certificates, checklists, inspections, photos, signatures
from server.services.people import accounts, scopes
from server.services.places import facilities, organisations
from tests.support.pictures import jpeg
from tests.support.values import present
from tests.unit.server.web.conftest import FORBIDDEN, text_of


@pytest.mark.parametrize("language, words", [("en", "Inspection certificate"), ("ko", "점검 확인서")])
def test_the_certificate_is_a_pdf_with_its_font_and_its_proof(
    sign_in, lens_inspection, app, has_fonts, language, words
):
    answer = sign_in("viewer", language).get(f"/inspections/{lens_inspection}/certificate?as=pdf")

    text, fonts = text_of(answer)
    joined = text.replace("\n", "").replace(" ", "")
    with app.extensions["sessions"]() as session:
        inspection = inspections.load(session, accounts.SYSTEM, lens_inspection)
        paper = certificates.build(session, inspection, photos.folder(app.extensions["settings"]))
    assert answer.mimetype == "application/pdf" and all("Ansim" in name for name in fonts)
    assert words in text and "박지훈" in text and "<b>all</b> stalls" in text
    assert paper.record_hash in joined and present(paper.entry).hash in joined
    assert not [word for word in FORBIDDEN if word in text.lower()]


def test_the_certificate_says_what_was_not_done(sign_in, lens_inspection):
    page = sign_in("viewer").get(f"/inspections/{lens_inspection}/certificate").text

    assert "Not done: Eye." in page and "Not done: RF sensor." in page and "Not signed</span>" in page
    assert "about no time after it" in page and page.count("data:image/svg") == 1


def test_a_signature_that_is_missing_is_shown_beside_the_others(sign_in, lens_inspection, app):
    with app.extensions["sessions"].begin() as session:
        inspection = inspections.load(session, accounts.SYSTEM, lens_inspection)
        strokes = [[100, 100, 200, 200, 300, 120, 400, 220], [450, 100, 500, 300, 520, 310, 600, 90]]
        signatures.sign_drawn(session, inspection, inspection.people[0], present(inspection.started_by), strokes)

    page = sign_in("viewer").get(f"/inspections/{lens_inspection}/certificate").text

    assert page.count("paper-strokes") == 1 and page.count("Not signed") == 1


def test_a_corrected_inspection_s_certificate_is_the_correction_s(sign_in, lens_inspection, app):
    with app.extensions["sessions"].begin() as session:
        inspection = inspections.load(session, accounts.SYSTEM, lens_inspection)
        inspections.correct(
            session, inspection, present(inspection.started_by), "not_completed", "One stall was locked"
        )

    page = sign_in("viewer").get(f"/inspections/{lens_inspection}/certificate").text

    assert "Not completed" in page and "One stall was locked" in page and "instead of 1 earlier one" in page


def test_a_running_inspection_has_no_certificate(begin):
    client, running = begin("demo-1")

    answer = client.get(f"/inspections/{running}/certificate")

    assert answer.status_code == 302 and answer.location.endswith(running)


def test_somebody_of_elsewhere_gets_no_certificate(app, sign_in, lens_inspection):
    client = sign_in("manager")
    with app.extensions["sessions"].begin() as session:
        other = facilities.add(session, organisations.add(session, "Others"), "Elsewhere")
        user = session.scalar(select(User).where(User.login == "manager"))
        scopes.set_places(session, user, False, [scopes.Place(scopes.FACILITY, other)])
        assert session.scalar(select(Inspection.public_id)) == lens_inspection

    assert client.get(f"/inspections/{lens_inspection}/certificate").status_code == 404


def test_the_certificate_keeps_the_hash_of_the_result_after_a_name_was_erased(sign_in, lens_inspection, app):
    client, folder = sign_in("viewer"), photos.folder(app.extensions["settings"])
    with app.extensions["sessions"].begin() as session:
        inspection = inspections.load(session, accounts.SYSTEM, lens_inspection)
        before = certificates.build(session, inspection, folder)
        inspection.people[0].name = ""
    page = client.get(f"/inspections/{lens_inspection}/certificate").text

    assert before.is_same and before.record_hash in page
    assert "The record gives another one today" in page


def test_the_certificate_lists_the_holes_the_suspicious_answers_the_photos_and_who_did_not_sign(
    begin, post, upload, rows, app
):
    client, running = begin(partner="Officer Lee", agency="Police")
    for place, ticket in (("left partition", "FM-7"), ("ceiling panel", "")):
        form = {"stall": "2", "place": place, "ticket": ticket}
        upload(client, f"/inspections/{running}/holes", form, f"/inspections/{running}", photo=jpeg())
    post(client, f"/holes/{rows(Hole)[1].public_id}", {"kind": "closed", "text": "filled"})
    with app.extensions["sessions"].begin() as session:
        inspection = inspections.load(session, accounts.SYSTEM, running)
        answers = {"hooks": checklists.Answer("suspicious", "a hook that is new")}
        checklists.answer(session, inspection, present(inspection.started_by), 2, answers)
    post(client, f"/inspections/{running}/finish", {"result": "not_completed", "reason": "One stall was locked"})

    page = client.get(f"/inspections/{running}/certificate").text

    assert "left partition" in page and "Waits for repair" in page and "FM-7" in page
    assert "ceiling panel" in page and "Repaired" in page
    assert "Answered: 1 of " in page and "Suspicious: 1." in page
    assert "Stall 2: Hooks and shelves – a hook that is new" in page
    assert all(photo.sha256 in page for photo in rows(Photo))
    assert page.count("Not signed</span>") == 2 and "Officer Lee" in page
