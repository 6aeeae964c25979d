"""Layout checks of every page: on a phone and at a desk, in both languages, light and dark."""

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from server import clock, ids
from server.models import Finding, RestroomImport
from server.services.findings import dispositions, findings
from server.services.inspecting import inspections
from server.services.people import accounts
from server.services.people.accounts import SYSTEM
from server.services.places import restrooms
from tests.browser.conftest import DESK, PHONE, sign_in
from tests.support.page_checks import CHECK_PAGE
from tests.support.sensors_say import SensorsSay

pytestmark = pytest.mark.chromium


@pytest.fixture
def pages(site):
    """Addresses of every page, with something on each."""
    say = SensorsSay(site.app)
    say.state("demo-1", "ready")
    say.info("demo-1", battery_percent=9)
    say.state("demo-2", "lost")
    say.selftest("demo-1")
    with site.server.sessions.begin() as session:
        rooms = restrooms.list_restrooms(session, SYSTEM, by_name=True).rows
        site_of_them = rooms[1].facility
        building, organisation = site_of_them.public_id, site_of_them.organisation.public_id
        done = inspections.start(session, rooms[0], accounts.SYSTEM, [], [{"name": "Lee"}])
        inspections.record_step(
            session, done, "eye", "suspicious", accounts.SYSTEM, "A hole beside the socket of stall 2"
        )
        inspections.finish(session, done, accounts.SYSTEM, "referred", "112 called at 14:05")
        running = inspections.start(
            session, rooms[1], accounts.SYSTEM, [_sensor(session, name) for name in ("demo-1", "demo-2")]
        )
    say.session("demo-1", running.public_id, "started")
    say.sweep("demo-1", running.public_id, channels=range(1, 9))
    say.finding("demo-1", running.public_id, label="A network with a rather long name", detector="camera_access_point")
    say.finding("demo-1", running.public_id, subject="00:bc:99:00:00:02")
    say.finding("demo-1", running.public_id, subject="00:bc:99:00:00:03", score=30, detector="undecodable_source")
    with site.server.sessions.begin() as session:
        found = {one.detector: one.public_id for one in session.scalars(select(Finding))}
        second = findings.load(session, SYSTEM, found["camera_stream"])
        dispositions.dispose(session, second, SYSTEM, "neighbour", "The shop's own camera, seen there")
    room, finding = rooms[1].public_id, "/findings/" + found["camera_access_point"]
    return [
        "/",
        "/map",
        "/me",
        "/me/second-factor",
        "/privacy",
        f"/facilities/{building}/privacy-sign",
        "/log/heads",
        "/log/verify",
        f"/inspections/{done.public_id}/log",
        "/?search=nothing-like-this",
        f"/restrooms/{room}",
        f"/restrooms/{rooms[0].public_id}",
        "/restrooms/new",
        f"/restrooms/{room}/sign",
        f"/restrooms/{room}/edit",
        f"/buildings/{building}",
        f"/buildings/{building}/edit",
        "/organisations",
        f"/organisations/{organisation}",
        "/plan",
        "/plan?show=soon&block=family",
        "/plan/route",
        "/plan/intervals",
        f"/plan/intervals?restroom={room}",
        "/imports",
        f"/imports/{_uploaded(site, 'Ort;Strasse')}",
        f"/imports/{_uploaded(site, '화장실명,소재지도로명주소,남성용-대변기수,여성용-대변기수')}",
        f"/restrooms/{rooms[2].public_id}/inspect",
        f"/inspections/{running.public_id}",
        f"/inspections/{running.public_id}/steps/rf",
        f"/inspections/{running.public_id}/finish",
        f"/inspections/{done.public_id}",
        f"/inspections/{done.public_id}/correct",
        "/findings",
        "/findings?status=all",
        finding,
        "/findings/" + found["camera_stream"],
        "/findings/" + found["undecodable_source"],
        "/sensors",
        "/sensors/demo-1",
        "/sensors/demo-3",
        "/me",
        "/password",
        f"/r/{rooms[0].public_id}",
    ]


def _uploaded(site, header):
    """The id of an uploaded file of restrooms with these columns that is not applied yet."""
    name = ids.new()
    folder = site.server.settings.data / "imports"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(header + "\n도서관,길 1,2,3\n,길 2,1,1\n도서관,길 1,2,3\n" + "먼 곳,길 3,많음,1\n")
    with site.server.sessions.begin() as session:
        made = {"sha256": "", "options": {"mapping": {}}, "counts": {}, "made_s": clock.now_s()}
        session.add(RestroomImport(public_id=name, file_name="a-file-with-a-long-name-of-2026-11.csv", **made))
    return name


def _sensor(session, name):
    from server.services.people.accounts import SYSTEM
    from server.services.sensors import fleet

    return fleet.load(session, SYSTEM, name)


@pytest.mark.parametrize(
    "language, size, dark",
    [("ko", PHONE, False), ("en", PHONE, True), ("en", DESK, False), ("ko", DESK, True)],
    ids=["Korean phone", "English phone at night", "English desk", "Korean desk at night"],
)
def test_every_page_can_be_read_pressed_and_heard(site, pages, visit, language, size, dark):
    page = visit(site, language, size, dark)
    page.goto("/login")
    looks = {"/login": page.evaluate(CHECK_PAGE)}
    sign_in(page)
    page.wait_for_url(site.address + "/start")
    for address in pages:
        page.goto(address)
        looks[address] = page.evaluate(CHECK_PAGE)

    wrong = []
    for address, look in looks.items():
        fine = {"wider": 0, "headings": 1, "blind": 0, "language": language}
        wrong += [f"{address}: {name} {look[name]}" for name, value in fine.items() if look[name] != value]
        for name in ("faint", "small", "unnamed", "nameless", "twice"):
            wrong += [f"{address}: {name} {one}" for one in look[name]]
    assert not wrong, "\n".join(wrong)


def test_a_printed_record_has_no_navigation(site, pages, visit):
    page = visit(site)
    sign_in(page)
    page.wait_for_url(site.address + "/start")
    page.goto(next(address for address in pages if address.endswith("/correct")).removesuffix("/correct"))
    page.emulate_media(media="print")

    assert not page.locator(".bar").is_visible()
    assert page.get_by_role("heading", level=1).is_visible()


def test_the_map_leads_to_a_restroom(site, pages, visit):
    page = visit(site, "ko", PHONE)
    sign_in(page)
    page.wait_for_url(site.address + "/start")
    page.goto("/map")

    expect(page.locator("#map-sentence")).to_contain_text("화장실 10곳")
    page.locator(".leaflet-marker-icon.map-findings").focus()
    page.keyboard.press("Enter")
    page.locator(".map-popup a").first.click()
    page.wait_for_url(site.address + "/restrooms/*")
