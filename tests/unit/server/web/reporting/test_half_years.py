"""Reports and certificates as people get them."""

import io
import sys

import pytest
from pypdf import PdfReader
from sqlalchemy import select

from server.models import AccessEvent, Inspection, Restroom
from server.services.inspecting import inspections, signatures
from server.services.people import accounts
from server.services.reporting import pdf

FORBIDDEN = ("safe", "안전", "camera-free", "no camera ", "카메라 없음")


@pytest.fixture
def finished(app, begin, post):
    """The public id of a finished inspection by lens, in the women's room."""
    _client, running = begin(partner="박지훈", agency="=cmd|' /C calc'!A0")
    with app.extensions["sessions"].begin() as session:
        one = inspections.load(session, accounts.SYSTEM, running)
        inspections.record_step(session, one, "lens", "none_found", one.started_by, note="<b>all</b> stalls")
        inspections.finish(session, one, one.started_by, "none_found")
    return running


@pytest.fixture(scope="session")
def has_fonts():
    try:
        pdf.find_font()
    except pdf.NotPossible as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("language, words", [("en", "Inspection report"), ("ko", "점검 보고서")])
def test_the_report_page_shows_figures_and_what_they_do_not_say(sign_in, finished, language, words):
    page = sign_in("viewer", language).get("/reports").text

    assert words in page and "2.4 GHz" in page
    assert not [word for word in FORBIDDEN if word in page.lower()]


def test_it_leads_from_the_city_to_a_building_to_a_room(sign_in, finished, app, room):
    client = sign_in("viewer")
    with app.extensions["sessions"]() as session:
        place = session.scalar(select(Restroom).where(Restroom.public_id == room))
        facility, organisation = place.facility.public_id, place.facility.organisation.public_id

    assert f"/reports?of={organisation}" in client.get("/reports").text
    assert f"/reports?of={facility}" in client.get(f"/reports?of={organisation}").text
    assert f"/restrooms/{room}" in client.get(f"/reports?of={facility}").text
    assert client.get("/reports?of=nothing").status_code == 404


@pytest.mark.parametrize(
    "query", ["year=x", "year=-5", "year=99999999999999999999", "half=9", "half=x", "as=exe", "of=%00"]
)
def test_rubbish_in_the_address_is_no_error_of_ours(sign_in, query):
    assert sign_in("viewer").get(f"/reports?{query}").status_code in (200, 400, 404)


def test_the_files_have_their_kinds_and_exports_are_written_down(sign_in, finished, app):
    client = sign_in("viewer", "ko")

    csv, xlsx = client.get("/reports?as=csv"), client.get("/reports?as=xlsx")

    assert csv.data.startswith(b"\xef\xbb\xbf\xea") and csv.mimetype == "text/csv"
    assert xlsx.data[:2] == b"PK" and "attachment" in xlsx.headers["Content-Disposition"]
    with app.extensions["sessions"]() as session:
        assert set(session.scalars(select(AccessEvent.subject).where(AccessEvent.kind == "exported"))) == {
            "report:csv:all",
            "report:xlsx:all",
        }


def text_of(answer):
    reader = PdfReader(io.BytesIO(answer.data))
    fonts = {font.get_object()["/BaseFont"] for font in reader.pages[0]["/Resources"]["/Font"].values()}
    return "\n".join(page.extract_text() for page in reader.pages), fonts


@pytest.mark.parametrize("language, words", [("en", "Inspection certificate"), ("ko", "점검 확인서")])
def test_the_certificate_is_a_pdf_with_its_font_and_its_proof(sign_in, finished, app, has_fonts, language, words):
    answer = sign_in("viewer", language).get(f"/inspections/{finished}/certificate?as=pdf")

    text, fonts = text_of(answer)
    joined = text.replace("\n", "").replace(" ", "")
    with app.extensions["sessions"]() as session:
        from server.services.inspecting import certificates

        paper = certificates.build(session, inspections.load(session, accounts.SYSTEM, finished))
    assert answer.mimetype == "application/pdf" and all("Ansim" in name for name in fonts)
    assert words in text and "박지훈" in text and "<b>all</b> stalls" in text
    assert paper.record_hash in joined and paper.entry.hash in joined
    assert not [word for word in FORBIDDEN if word in text.lower()]


def test_the_certificate_says_what_was_not_done(sign_in, finished):
    page = sign_in("viewer").get(f"/inspections/{finished}/certificate").text

    assert "Not done: Eye." in page and "Not done: RF sensor." in page and "Not signed." in page
    assert "about no time after it" in page and page.count("data:image/svg") == 1


def test_a_signature_that_is_missing_is_told_beside_the_others(sign_in, finished, app):
    with app.extensions["sessions"].begin() as session:
        one = inspections.load(session, accounts.SYSTEM, finished)
        strokes = [[100, 100, 200, 200, 300, 120, 400, 220], [450, 100, 500, 300, 520, 310, 600, 90]]
        signatures.sign_drawn(session, one, one.people[0], one.started_by, strokes)

    page = sign_in("viewer").get(f"/inspections/{finished}/certificate").text

    assert page.count("paper-strokes") == 1 and page.count("Not signed") == 1


def test_a_corrected_inspection_s_certificate_is_the_correction_s(sign_in, finished, app):
    with app.extensions["sessions"].begin() as session:
        one = inspections.load(session, accounts.SYSTEM, finished)
        inspections.correct(session, one, one.started_by, "not_completed", "One stall was locked")

    page = sign_in("viewer").get(f"/inspections/{finished}/certificate").text

    assert "Not completed" in page and "One stall was locked" in page and "instead of 1 earlier one" in page


def test_a_running_inspection_has_no_certificate(begin):
    client, running = begin("demo-1")

    answer = client.get(f"/inspections/{running}/certificate")

    assert answer.status_code == 302 and answer.location.endswith(running)


@pytest.mark.parametrize("missing, what", [(pdf.PANGO, "Pango"), (pdf.FONT, "fonts-nanum")])
def test_without_pango_or_a_font_people_are_told_and_get_the_print_view(sign_in, finished, monkeypatch, missing, what):
    def cannot(*_arguments, **_more):
        raise pdf.NotPossible(missing)

    monkeypatch.setattr(pdf, "make", cannot)
    client = sign_in("viewer")

    for address in (f"/inspections/{finished}/certificate", "/reports"):
        answer = client.get(address, query_string={"as": "pdf"}, follow_redirects=True)
        assert answer.status_code == 200 and what in answer.text and "print view" in answer.text


def test_weasyprint_without_its_library_is_told_as_pango(monkeypatch, has_fonts):
    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name == "weasyprint":
                raise OSError("cannot load library 'libpango-1.0-0'")

    for name in [name for name in sys.modules if name.partition(".")[0] == "weasyprint"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])

    with pytest.raises(pdf.NotPossible, match="apt install libpango"):
        pdf.make("<p>x</p>", "")


def test_a_printed_page_fetches_nothing(has_fonts):
    data = pdf.make("<img src='file:///etc/passwd'><img src='http://127.0.0.1:9/'><p>x</p>", "")

    assert data.startswith(b"%PDF")


def test_the_report_is_a_pdf(sign_in, finished, has_fonts):
    text, _ = text_of(sign_in("viewer", "ko").get("/reports?as=pdf"))

    assert "점검 보고서" in text and "예시시" in text


def test_somebody_of_elsewhere_gets_no_certificate(app, sign_in, finished):
    from server.models import User
    from server.services.people import scopes
    from server.services.places import facilities, organisations

    client = sign_in("manager")
    with app.extensions["sessions"].begin() as session:
        other = facilities.add(session, organisations.add(session, "Others"), "Elsewhere")
        user = session.scalar(select(User).where(User.login == "manager"))
        scopes.set_places(session, user, False, [scopes.Place(scopes.FACILITY, other)])
        assert session.scalar(select(Inspection.public_id)) == finished

    assert client.get(f"/inspections/{finished}/certificate").status_code == 404
