"""Half-year reports as pages and files, and the PDFs behind them."""

import csv
import io
import sys
from zoneinfo import ZoneInfo

import pytest
from openpyxl import load_workbook
from sqlalchemy import select
from werkzeug.http import parse_options_header

from server.models import AccessEvent, FrozenReport, Restroom
from server.services.reporting import half_years, pdf
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

    table, xlsx = client.get("/reports?as=csv"), client.get("/reports?as=xlsx")

    assert table.data.startswith(b"\xef\xbb\xbf\xea") and table.mimetype == "text/csv"
    assert xlsx.data[:2] == b"PK" and "attachment" in xlsx.headers["Content-Disposition"]
    with app.extensions["sessions"]() as session:
        assert set(session.scalars(select(AccessEvent.subject).where(AccessEvent.kind == "exported"))) == {
            "report:csv:all",
            "report:xlsx:all",
        }


def test_files_say_what_they_are_about(sign_in, lens_inspection, app, room):
    client = sign_in("viewer", "ko")
    with app.extensions["sessions"]() as session:
        organisation = session.scalar(select(Restroom).where(Restroom.public_id == room)).facility.organisation
        public_id, name = organisation.public_id, organisation.name

    csv_answer = client.get(f"/reports?as=csv&of={public_id}&year=2026&half=1")
    xlsx_answer = client.get(f"/reports?as=xlsx&of={public_id}&year=2026&half=0")

    csv_answer.headers["Content-Disposition"].encode("ascii")  # a server refuses a header that is not
    disposition = parse_options_header(csv_answer.headers["Content-Disposition"])[1]
    assert disposition["filename"] == f"ansim-{name.replace(chr(32), chr(45))}-2026-H1.csv"
    rows = list(csv.reader(io.StringIO(csv_answer.data.decode("utf-8-sig"))))
    blank = rows.index([])
    facts = dict(row[:2] for row in rows[blank + 1 :])
    assert rows[blank - 1][0] == "합계"
    assert facts["대상 장소"] == f"{name} ({public_id})" and facts["기간"] == "2026-01-01 – 2026-06-30"
    assert facts["작성 시각"].endswith("+09:00") and facts["집계 기준 버전"] == str(half_years.VERSION)
    sheet = load_workbook(io.BytesIO(xlsx_answer.data)).worksheets[0]
    assert "2026-01-01 – 2026-12-31" in [row[1].value for row in sheet.iter_rows()]


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


def test_the_printed_report_has_approval_box_percentage_comparison_and_annex(sign_in, lens_inspection):
    page = sign_in("viewer").get("/reports?as=print").text

    for text in ("Drafted by", "Approved by", "10 % of the restrooms were inspected (1 of 10).", "Period before"):
        assert text in page
    assert page.index("Annex: not inspected in this period") < page.index("How to read this")
    assert "9 restrooms" in page


def test_the_page_leads_with_the_percentage(sign_in, lens_inspection):
    page = sign_in("viewer").get("/reports").text

    assert page.index("<strong>10 %</strong>") < page.index("of the restrooms inspected in this period")


def test_a_submitted_report_lists_what_a_report_of_today_has_differently(sign_in, lens_inspection, app, post):
    client = sign_in("manager")
    post(client, "/reports/freeze?year=2025&half=2", {})
    with app.extensions["sessions"].begin() as session:
        address = f"/reports/frozen/{session.scalars(select(FrozenReport.public_id)).one()}"

    same = client.get(address).text
    with app.extensions["sessions"].begin() as session:
        for room in session.scalars(select(Restroom)):
            room.created_s = half_years.half_year(2025, 2, ZoneInfo("Asia/Seoul")).since_s
    changed = client.get(address).text

    assert "A report made today has the same numbers." in same
    table = changed[changed.index('id="differences"') : changed.index('class="paper-sheet"')]
    assert "<td>Restrooms</td><td>–</td>" in table and "<td>Not inspected</td>" in table
