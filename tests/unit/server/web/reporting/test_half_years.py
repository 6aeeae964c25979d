"""Half-year reports as pages and files, and the PDFs behind them."""

import sys

import pytest
from sqlalchemy import select

from server.models import AccessEvent, Restroom
from server.services.reporting import pdf
from tests.unit.server.web.conftest import FORBIDDEN, text_of


@pytest.mark.parametrize("language, words", [("en", "Inspection report"), ("ko", "점검 보고서")])
def test_the_report_page_shows_figures_and_what_they_do_not_say(sign_in, lens_inspection, language, words):
    page = sign_in("viewer", language).get("/reports").text

    assert words in page and "2.4 GHz" in page
    assert not [word for word in FORBIDDEN if word in page.lower()]


def test_it_leads_from_the_city_to_a_building_to_a_room(sign_in, lens_inspection, app, room):
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


def test_the_files_have_their_kinds_and_exports_are_written_down(sign_in, lens_inspection, app):
    client = sign_in("viewer", "ko")

    csv, xlsx = client.get("/reports?as=csv"), client.get("/reports?as=xlsx")

    assert csv.data.startswith(b"\xef\xbb\xbf\xea") and csv.mimetype == "text/csv"
    assert xlsx.data[:2] == b"PK" and "attachment" in xlsx.headers["Content-Disposition"]
    with app.extensions["sessions"]() as session:
        assert set(session.scalars(select(AccessEvent.subject).where(AccessEvent.kind == "exported"))) == {
            "report:csv:all",
            "report:xlsx:all",
        }


@pytest.mark.parametrize("missing, what", [(pdf.PANGO, "Pango"), (pdf.FONT, "fonts-nanum")])
def test_without_pango_or_a_font_people_are_told_and_get_the_print_view(
    sign_in, lens_inspection, monkeypatch, missing, what
):
    def cannot(*_arguments, **_more):
        raise pdf.NotPossible(missing)

    monkeypatch.setattr(pdf, "make", cannot)
    client = sign_in("viewer")

    for address in (f"/inspections/{lens_inspection}/certificate", "/reports"):
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


def test_the_report_is_a_pdf(sign_in, lens_inspection, has_fonts):
    text, _ = text_of(sign_in("viewer", "ko").get("/reports?as=pdf"))

    assert "점검 보고서" in text and "예시시" in text
