"""
Each person of the product does their part, one after the other, from the file of restrooms to the signed certificate.

    ANSIM_SCREENSHOTS=docs/images python -m pytest tests/browser/test_persons.py     # also saves pictures
"""

import csv
import io

import pytest
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet
from playwright.sync_api import expect
from pypdf import PdfReader
from sqlalchemy import select

from server.models import Facility, Hole, Inspection, Photo, Restroom
from server.services.audit import verification
from tests.browser.conftest import DESK, PHONE, sign_in
from tests.support import persons

pytestmark = pytest.mark.chromium

WORDS = {
    "en": {
        "bad": 'is "많음", not a number',
        "found": "None found by eye, RF and lens finder",
        "certificate": "Inspection certificate",
        "not_covered": "What was not covered",
        "signed": "Signatures",
        "public": "Inspected for hidden cameras",
        "touch": "Touch nothing.",
        "report": "Inspection report",
        "forbidden": ("safe", "camera-free"),
    },
    "ko": {
        "bad": "많음",
        "found": "육안, 전파, 렌즈 점검에서 발견되지 않음",
        "certificate": "점검 확인서",
        "not_covered": "점검하지 못한 범위",
        "signed": "서명",
        "public": "불법촬영 카메라 점검",
        "touch": "만지지 마세요.",
        "report": "점검 보고서",
        "forbidden": ("안전합니다", "안전함", "카메라 없음"),
    },
}
EVERY_WAY = [("ko", PHONE), ("en", PHONE), ("ko", DESK), ("en", DESK)]


@pytest.fixture
def running_site(site):
    site.server.start_inside()
    return site


@pytest.mark.parametrize(
    "language, size", EVERY_WAY, ids=["Korean_phone", "English_phone", "Korean_desk", "English_desk"]
)
def test_from_the_file_to_the_signed_certificate(running_site, visit, tmp_path, language, size):
    say, album = WORDS[language], persons.Album(language, size["width"])
    officer, inspector, manager, auditor, visitor = (visit(running_site, language, size) for _ in range(5))

    persons.officer_begins(officer, running_site.first)
    persons.officer_imports(officer, tmp_path, say["bad"], album)
    invited = persons.officer_invites(officer, "inspector", persons.INSPECTOR)
    sensor = persons.installer_adds_a_sensor(officer, running_site, album)
    persons.joins(inspector, invited, persons.INSPECTOR, "sujin")
    persons.manager_plans(inspector, running_site, album)
    room = _room(running_site)
    _visitor_asks(visitor, room, album)
    _plan_knows(inspector, 1)
    inspection = persons.inspector_begins(inspector, room)
    persons.inspector_looks(inspector, album)
    try:
        persons.inspector_listens(inspector, sensor, inspection, album)
    finally:
        sensor.close()
    persons.inspector_finishes(inspector, album)

    sign_in(manager)
    manager.goto(f"/inspections/{inspection}")
    expect(manager.get_by_role("heading", level=1)).to_have_text(say["found"])
    album.keep(manager, "manager-record")
    text = _certificate(manager, inspection, language, album)
    for words in (say["certificate"], say["found"], say["not_covered"], say["signed"], persons.INSPECTOR):
        assert words in text
    assert not [word for word in say["forbidden"] if word in text]

    _report(auditor, say, album)
    _plan_knows(inspector, 0)
    visitor.goto(f"/r/{room}")
    expect(visitor.get_by_role("heading", name=say["public"])).to_be_visible()
    expect(visitor.get_by_text(say["touch"])).to_be_visible()
    album.keep(visitor, "public-page")
    assert not [word for word in say["forbidden"] if word in visitor.locator("body").inner_text()]
    _everything_is_kept(running_site, inspection)


def _visitor_asks(page, room, album):
    page.goto(f"/r/{room}")
    page.locator("#ask .button-main").click()
    expect(page.locator(".visitor-code")).to_be_visible()
    album.keep(page, "visitor-asks")


def _plan_knows(page, wishes):
    page.goto("/plan")
    expect(page.locator('a.chip[href*="asked"]')).to_have_count(wishes)


def _room(site):
    """The women's room of the imported park."""
    with site.server.sessions() as session:
        wanted = select(Restroom.public_id).join(Facility).where(Facility.name == persons.PLACE)
        return session.scalar(wanted.where(Restroom.block == "women"))


def _certificate(page, inspection, language, album):
    """The text of the certificate: of the PDF, or of the print view where no PDF can be made."""
    page.goto(f"/inspections/{inspection}/certificate")
    album.keep(page, "manager-certificate")
    spoken = {"Accept-Language": language}  # a request beside the page does not say it by itself
    answer = page.request.get(f"/inspections/{inspection}/certificate?as=pdf", headers=spoken)
    if answer.headers["content-type"] != "application/pdf":
        return page.locator("main").inner_text()
    pages = PdfReader(io.BytesIO(answer.body())).pages
    assert any("Ansim" in font for one in pages for font in one._get_fonts()[0])
    return " ".join(" ".join(one.extract_text() for one in pages).split())


def _report(page, say, album):
    """The district's auditor reads the half-year report and downloads it as a table."""
    sign_in(page)
    page.goto("/reports")
    expect(page.get_by_role("heading", level=1)).to_contain_text(say["report"])
    album.keep(page, "auditor-report")
    rows = list(csv.reader(io.StringIO(page.request.get("/reports?as=csv").body().decode("utf-8-sig"))))
    of_the_city = next(row for row in rows if persons.ORGANISATION in row)
    assert "1" in of_the_city
    sheet = load_workbook(io.BytesIO(page.request.get("/reports?as=xlsx").body())).active
    assert isinstance(sheet, Worksheet)
    assert [[str(cell.value) for cell in row][: len(rows[0])] for row in sheet.iter_rows(max_row=1)] == [rows[0]]


def _everything_is_kept(site, inspection):
    """The results are in the database, and the log verifies."""
    with site.server.sessions() as session:
        one = session.scalar(select(Inspection).where(Inspection.public_id == inspection))
        assert sorted(person.name for person in one.people) == sorted([persons.INSPECTOR, persons.PARTNER])
        assert session.scalar(select(Hole).where(Hole.inspection_id == one.id)).ticket == "2026-77"
        assert session.scalar(select(Photo).where(Photo.inspection_id == one.id)).note == "환풍구"
        assert verification.verify(session).problem is None
