"""A user with a browser and a sensor, from sign-in to the log, with all parts real."""

import re

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from ansim import messages, topics
from server.models import Report
from tests.browser.conftest import DESK, PHONE, sign_in
from tests.support.paho_sensor import PahoSensor, finding_body
from tests.support.waiting import wait_for
from tools.simulate import settings_for, start_sensor

pytestmark = pytest.mark.chromium

WORDS = {
    "en": {
        "room": "Women's, ground floor",
        "start": "Start an inspection",
        "begin": "Start the inspection",
        "waiting": "No camera-like transmission so far.",
        "listens": "It listens for this inspection.",
        "title": "Camera-like video stream over Wi-Fi",
        "act": "Touch nothing. Keep the scene. Call 112.",
        "do": "What to do now",
        "why": "Why the sensor reported it",
        "sends": "Cameras that stream video send",
        "neighbour": "It belongs to a neighbour",
        "reason": "How was that found out?",
        "record": "Record this",
        "settled": "Neighbour's device",
        "finish": "Finish the inspection",
        "done": "Finish and record",
        "result": "None found by eye and lens finder",
    },
    "ko": {
        "room": "1층 여자화장실",
        "start": "점검 시작",
        "begin": "점검 시작하기",
        "waiting": "아직 카메라와 비슷한 전파가 없습니다.",
        "listens": "이 점검을 위해 듣고 있습니다.",
        "title": "카메라와 비슷한 Wi-Fi 영상 전송",
        "act": "만지지 말고, 현장을 보존하고, 112에 신고하세요.",
        "do": "지금 해야 할 일",
        "why": "센서가 보고한 이유",
        "sends": "영상을 전송하는 카메라는",
        "neighbour": "이웃의 기기입니다",
        "reason": "어떻게 확인했습니까?",
        "record": "기록하기",
        "settled": "이웃의 기기",
        "finish": "점검 끝내기",
        "done": "점검을 끝내고 기록하기",
        "result": "육안, 렌즈 점검에서 발견되지 않음",
    },
}


@pytest.fixture
def running_site(site):
    """The site with its broker and ingest running."""
    site.server.start_inside()
    return site


@pytest.fixture
def hears_a_camera(running_site, tmp_path):
    """The unchanged firmware on the real MicroPython, near a camera that starts to stream; five times as fast."""
    settings = settings_for("demo-1", running_site.keys["demo-1"], port=running_site.server.port, uplink="ethernet")
    sensor = start_sensor(settings, "camera_station", tmp_path / "sensor", speed=5, on_output=lambda _line: None)

    def knows_the_time():
        with running_site.server.sessions() as session:
            return session.scalar(select(Report.id).where(Report.kind == messages.CLOCK))

    try:
        wait_for(knows_the_time, 60, 0.1)
        yield sensor
    finally:
        sensor.stop()


@pytest.mark.parametrize(
    "language, size", [("ko", PHONE), ("en", DESK)], ids=["Korean on a phone", "English at a desk"]
)
def test_an_inspection_with_the_real_firmware_from_sign_in_to_the_log(
    running_site, hears_a_camera, visit, language, size
):
    say, page = WORDS[language], visit(running_site, language, size)
    sign_in(page)
    page.wait_for_url(re.compile("/start$"))
    page.goto("/")
    page.get_by_role("link", name=say["room"], exact=True).click()
    page.get_by_role("link", name=say["start"]).click()
    expect(page.locator('input[value="demo-1"]')).to_be_checked()
    page.get_by_role("button", name=say["begin"]).click()

    # The finding comes by itself: a mark left in the page would not outlive a reload.
    page.evaluate("window.sameDocument = true")
    expect(page.get_by_text(say["act"])).to_be_visible()
    found = page.locator("[data-finding]").get_by_role("link", name=say["title"])  # not what is open from before
    expect(found).to_be_visible()
    expect(page.get_by_text(say["listens"])).to_be_visible()
    assert page.evaluate("window.sameDocument") is True
    assert page.locator("#announcer").text_content()
    assert page.title().startswith("(1) ")

    found.click()
    expect(page.get_by_role("heading", name=say["do"])).to_be_visible()
    expect(page.get_by_role("heading", name=say["why"])).to_be_visible()
    expect(page.get_by_text(say["sends"]).first).to_be_visible()
    page.get_by_text(say["neighbour"], exact=True).click()
    page.get_by_label(say["reason"]).fill("CCTV of the shop next door, switched off and on with its owner")
    page.get_by_role("button", name=say["record"]).click()
    expect(page.locator(".page-head").get_by_text(say["settled"])).to_be_visible()

    page.locator(".crumbs a").click()
    page.locator("#step-eye-list").click()
    while "/eye" in page.url:
        page.locator('input[name="rest"]').check()
        page.locator("form.form .button-main").click()
        page.wait_for_load_state()
    for method in ("eye", "lens"):
        page.locator(f"#step-{method}").click()
        expect(page.locator(f"#step-{method}")).to_have_count(0)
    page.get_by_role("link", name=say["finish"]).click()
    page.locator('input[value="none_found"]').check()
    page.get_by_role("button", name=say["done"]).click()
    box = page.locator("canvas").bounding_box()
    page.mouse.move(box["x"] + 30, box["y"] + 30)
    page.mouse.down()
    for step in range(20):
        page.mouse.move(box["x"] + 30 + step * 9, box["y"] + (30 if step % 2 else 60))
    page.mouse.up()
    page.locator("form[data-sign] .button-main").click()
    expect(page.locator("svg.signature")).to_be_visible()
    page.locator(".crumbs a").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(say["result"])

    page.locator(".crumbs a").click()
    expect(page.get_by_role("link", name=say["result"])).to_be_visible()
    page.get_by_role("link", name=say["result"]).click()
    expect(page.get_by_role("link", name=say["title"])).to_be_visible()


@pytest.fixture
def sensor(running_site):
    """A model of a sensor on a real connection: says at once what the test wants."""
    made = PahoSensor("demo-1", running_site.keys["demo-1"], running_site.server.port).connect().wait_ready()
    yield made
    made.close()


def start_inspection(page):
    sign_in(page)
    page.wait_for_url(re.compile("/start$"))
    page.goto("/")
    page.get_by_role("link", name="Women's, ground floor", exact=True).click()
    page.get_by_role("link", name="Start an inspection").click()
    page.locator('input[value="demo-1"]').check()
    page.get_by_role("button", name="Start the inspection").click()
    page.wait_for_url(re.compile("/inspections/"))
    return page.url.rpartition("/")[2]


def test_coverage_grows_until_the_rf_step_can_be_recorded(running_site, sensor, visit):
    page = visit(running_site)
    sensor.inspection = start_inspection(page)
    expect(page.get_by_text("The sensor has not reported any listening yet.")).to_be_visible()
    expect(page.locator("#step-rf")).to_have_count(0)

    sensor.append()

    expect(page.get_by_text("All 13 channels were listened to for at least 3 s each.")).to_be_visible()
    page.locator("#step-rf").click()
    expect(page.locator("#live-steps .status").get_by_text("None found")).to_be_visible()


def test_a_second_window_sees_the_finding_too_and_the_end_of_the_inspection(running_site, sensor, visit):
    page, other = visit(running_site), visit(running_site, "ko", PHONE)
    sensor.inspection = start_inspection(page)
    sign_in(other)
    other.goto(f"/inspections/{sensor.inspection}")

    sensor.append(messages.FINDING, finding_body())
    expect(other.get_by_text(WORDS["ko"]["act"])).to_be_visible()
    page.goto(f"/inspections/{sensor.inspection}/finish")
    page.locator('input[value="referred"]').check()
    page.get_by_label("Reason").fill("112 called")
    page.get_by_role("button", name="Finish and record").click()

    expect(other.get_by_role("heading", level=1)).to_have_text("경찰에 인계")


def test_the_list_of_findings_and_the_list_of_sensors_keep_themselves_up_to_date(running_site, sensor, visit):
    page, other = visit(running_site), visit(running_site)
    sensor.inspection = start_inspection(page)
    page.goto("/findings")
    expect(page.get_by_text("No open alarms.")).to_be_visible()
    sign_in(other)
    other.goto("/sensors")
    expect(other.locator("#fleet").get_by_text("Connected", exact=True)).to_be_visible()

    sensor.append(messages.FINDING, finding_body())
    sensor.publish(topics.STATE, messages.state(sensor.boot, messages.SLEEPING, ""), retain=True)

    expect(page.get_by_role("link", name=WORDS["en"]["title"])).to_be_visible()
    expect(page.locator("#announcer")).to_have_text("1 finding")
    expect(other.locator("#fleet").get_by_text("Listening offline", exact=True)).to_be_visible()


def test_a_page_that_lost_the_server_says_so_and_recovers(running_site, sensor, visit):
    page = visit(running_site, may_complain=True)  # a browser writes each failed request into its console
    start_inspection(page)
    page.route("**/live*", lambda route: route.fulfill(status=204) if page.is_back else route.abort())
    page.is_back = False

    expect(page.locator("#lost")).to_be_visible()
    page.is_back = True
    expect(page.locator("#lost")).to_be_hidden()


def test_the_first_administrator_signs_in_changes_the_password_and_adds_a_restroom(site, visit):
    page = visit(site)
    sign_in(page, "admin", site.first)
    expect(page.get_by_role("heading", level=1)).to_have_text("Change password")
    page.fill("#old", site.first)
    page.fill("#new", "four words are enough")
    page.fill("#again", "four words are enough")
    page.get_by_role("button", name="Save the new password").click()
    page.wait_for_url(re.compile("/start$"))
    page.goto("/")
    page.get_by_role("link", name="Add a restroom").click()
    page.select_option("#facility", label="Model Park")
    page.fill("#name", "Boathouse, women's")
    page.get_by_role("button", name="Add the restroom").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Boathouse, women's")
    assert page.locator(".qr img").evaluate("image => image.complete && image.naturalWidth > 0")


def tab_to(page, condition):
    """Press Tab until the condition is true in the page."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate(condition):
            return
    raise AssertionError(f"no element for which {condition}")


def test_the_keyboard_alone_is_enough_to_sign_in_and_open_a_restroom(site, visit):
    page = visit(site)
    page.goto("/login")
    page.keyboard.type("manager")
    page.keyboard.press("Tab")
    page.keyboard.type("correct horse battery")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Start")
    tab_to(page, "document.activeElement.textContent.trim() === 'Restrooms'")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Restrooms")

    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, "document.activeElement.classList.contains('cover')")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Inspection log")).to_be_visible()
