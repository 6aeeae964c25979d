"""
The actions of each kind of user, as functions that operate a page.

Nothing here depends on the language: controls are found by their names, texts are checked by the test.
"""

import os
import re
from pathlib import Path

from playwright.sync_api import expect
from sqlalchemy import update

from server import clock
from server.models import Restroom
from tests.browser.conftest import PASSWORD, sign_in
from tests.support import pictures
from tests.support.paho_sensor import PahoSensor, sweep_body
from tools import provision

# A folder to keep what people see in (docs/images is made so); without it nothing is kept.
PICTURES = os.environ.get("ANSIM_SCREENSHOTS", "")
COLOURS = 128  # as many as flat pages need; a third of the bytes
HEADER = (
    "개방자치단체코드,관리번호,화장실명,소재지도로명주소,소재지지번주소,남성용-대변기수,남성용-소변기수,남성용-장애인용대변기수,"
    "여성용-대변기수,여성용-장애인용대변기수,관리기관명,개방시간,WGS84위도,WGS84경도"
)
ROWS = (
    "9990000,2026-1,가람공원 화장실,예시도 가람시 가람로 12,,2,2,0,2,0,가람시청,24시간,37.5021,127.0301",
    "9990000,2026-2,나루터 화장실,예시도 가람시 나루길 3,,3,4,0,4,0,가람시청,06:00~22:00,37.5034,127.0312",
    "9990000,2026-3,다솜도서관 화장실,예시도 가람시 다솜로 40,,많음,3,0,3,0,가람시청,09:00~18:00,37.5049,127.0330",
)
PLACE, ORGANISATION = "가람공원 화장실", "예시도 가람시"
INSPECTOR, PARTNER, AGENCY = "이수진", "박지훈", "가람경찰서"


class Album:
    """Keeps pictures of pages, named after the person, the language and the size, if ANSIM_SCREENSHOTS is set."""

    def __init__(self, language, width):
        self._ending = f"-{'phone' if width < 600 else 'desk'}-{language}.png"

    def keep(self, page, name):
        """Save a picture of the page."""
        if not PICTURES:
            return
        from PIL import Image

        path = Path(PICTURES) / (name + self._ending)
        page.mouse.move(0, 0)
        page.screenshot(path=path)
        with Image.open(path) as image:
            image.convert("RGB").quantize(COLOURS).save(path, optimize=True)


def officer_begins(page, first_password):
    """The municipality's officer signs in for the first time and chooses a password."""
    sign_in(page, "admin", first_password)
    page.fill("#old", first_password)
    page.fill("#new", PASSWORD)
    page.fill("#again", PASSWORD)
    page.locator("main form .button-main").click()
    page.wait_for_url(re.compile("/start$"))


def officer_imports(page, folder, bad, album):
    """Import the national file: preview, apply; importing it again changes nothing."""
    file = folder / "restrooms.csv"
    file.write_bytes("\r\n".join([HEADER, *ROWS]).encode("cp949"))
    page.goto("/imports")
    page.set_input_files("#file", file)
    page.locator("form.card .button-main").click()
    expect(page.locator("#new li")).to_have_count(2)
    expect(page.locator("#bad li")).to_contain_text(bad)
    album.keep(page, "officer-import")
    page.locator('button[name="apply"]').click()
    expect(page.get_by_text("restrooms.csv")).to_be_visible()
    page.set_input_files("#file", file)
    page.locator("form.card .button-main").click()
    expect(page.locator(".note-good")).to_be_visible()
    expect(page.locator('button[name="apply"]')).to_have_count(0)


def officer_invites(page, role, name):
    """Invite a user for the imported organisation only; return the link."""
    page.goto("/people/invite?place=" + ORGANISATION)
    page.fill("#name", name)
    page.locator(f'input[name="role"][value="{role}"]').check()
    page.locator("label.tick").filter(has_text=ORGANISATION).locator("input").check()
    page.locator("form.card .button-main").click()
    return page.locator("p.mono").text_content().strip()


def joins(page, link, name, login):
    """Accept the invitation and create the account, or sign in."""
    page.goto(link[link.index("/invitation") :])
    for field, value in (("name", name), ("login", login), ("new", PASSWORD), ("again", PASSWORD)):
        page.fill(f"#{field}", value)
    page.locator("main form .button-main").click()
    page.wait_for_url(lambda url: "/invitation" not in url)
    if "/login" in page.url:
        sign_in(page, login)
    page.wait_for_url(re.compile("/start$"))


def installer_adds_a_sensor(page, site, album):
    """Get a claim code from the page, run the installer's tool with it, and wait for the sensor to connect."""
    page.goto("/sensors")
    page.locator(".page-head form .button-main").click()
    code = page.locator(".claim-code").text_content().strip()
    album.keep(page, "installer-claim")
    granted = provision.claim(site.address, code, "garam-1", "Garam 1")
    sensor = PahoSensor("garam-1", bytes.fromhex(granted["key"]), site.server.port).connect().wait_ready()
    page.goto("/sensors")
    expect(page.get_by_role("link", name="Garam 1")).to_be_visible()
    return sensor


def manager_plans(page, site, album):
    """What is overdue, the work by week, and the next route. What was imported is due later; here it is due now."""
    with site.server.sessions.begin() as session:
        session.execute(update(Restroom).values(due_s=clock.now_s() - 60))
    page.goto("/plan")
    expect(page.get_by_text(PLACE).first).to_be_visible()
    album.keep(page, "manager-plan")
    page.goto("/plan/route")
    expect(page.locator(".stops > li").first).to_be_visible()
    album.keep(page, "inspector-route")


def inspector_begins(page, room):
    """Follow the code on the door and start an inspection with a sensor and a partner; return its id."""
    page.goto(f"/r/{room}")
    page.locator("a.button-main").click()
    page.locator('input[name="sensors"][value="garam-1"]').check()
    page.fill("#partner", PARTNER)
    page.fill("#agency", AGENCY)
    page.locator("form .button-main").click()
    page.wait_for_url(re.compile("/inspections/[a-z0-9]+$"))
    return page.url.rpartition("/")[2]


def inspector_looks(page, album):
    """The eye step: the room and every stall, one point not applicable for a reason, a photo, and a hole."""
    page.locator("#step-eye-list").click()
    page.locator("label.segment-ok").first.click()
    page.locator("label.segment-na").last.click()
    page.locator(".check-note input:visible").fill("벽에 붙은 것이 없음")
    album.keep(page, "inspector-eye")
    while "/eye" in page.url:
        page.locator('input[name="rest"]').check()
        page.locator("form.form .button-main").click()
        page.wait_for_load_state()
    page.locator("#step-eye").click()
    expect(page.locator("#step-eye")).to_have_count(0)
    page.set_input_files("#photo", {"name": "vent.jpg", "mimeType": "image/jpeg", "buffer": pictures.jpeg(640, 480)})
    page.fill("#photo-note", "환풍구")
    page.locator("#photos form .button").click()
    expect(page.locator("#photos img")).to_have_count(1)
    page.locator("#holes summary").click()
    page.select_option("#stall", "1")
    page.fill("#place", "왼쪽 칸막이, 무릎 높이")
    page.locator('#holes input[name="sticker"]').check()
    page.fill("#ticket", "2026-77")
    page.locator("#holes form .button").click()
    expect(page.locator("#holes .finding-row")).to_have_count(1)


def inspector_listens(page, sensor, inspection, album):
    """The RF step: half of the channels do not suffice for "none found", all of them do. Then the lens step."""
    page.goto(f"/inspections/{inspection}")
    sensor.inspection = inspection
    sensor.append(body=_sweep(range(1, 8)))
    expect(page.locator("#live-coverage .channel-reached")).to_have_count(7)
    expect(page.locator("#step-rf")).to_have_count(0)
    page.evaluate("window.scrollTo(0, 0)")
    album.keep(page, "inspector-running")
    sensor.append(body=_sweep(range(8, 14)))
    expect(page.locator("#live-coverage .channel-reached")).to_have_count(13)
    for method in ("rf", "lens"):
        page.locator(f"#step-{method}").click()
        expect(page.locator(f"#step-{method}")).to_have_count(0)


def _sweep(channels):
    first = min(channels)
    body = sweep_body(from_ms=first * 60_000, to_ms=first * 60_000 + 60_000)
    body["channels"] = [row for row in body["channels"] if row[0] in channels]
    return body


def inspector_finishes(page, album):
    """The result; then both sign, one by password, one with the finger."""
    page.locator("#next").click()
    page.locator('input[value="none_found"]').check()
    page.locator("form.form .button-main").click()
    mine = page.locator("section.card", has_text=INSPECTOR).first
    mine.locator("summary").click()
    mine.locator('input[type="password"]').fill(PASSWORD)
    mine.locator("details .button").click()
    expect(page.locator(".status-good")).to_have_count(1)
    box = page.locator("canvas").bounding_box()
    page.mouse.move(box["x"] + 30, box["y"] + 60)
    page.mouse.down()
    for step in range(24):
        page.mouse.move(box["x"] + 30 + step * 9, box["y"] + (35 if step % 2 else 75) + step)
    page.mouse.up()
    album.keep(page, "inspector-sign")
    page.locator("form[data-sign] .button-main").click()
    expect(page.locator(".status-good")).to_have_count(2)
