"""A real Chromium, and the real web server on a real installation."""

import shutil
import threading

import pytest
from playwright.sync_api import expect, sync_playwright
from werkzeug.serving import make_server

from server import create_app, demo
from server.services.people import accounts
from tests.support.ports import free_port
from tests.support.server_kit import Server
from tests.support.waiting import PATIENCE

PASSWORD = "correct horse battery"
# Nothing that asks the internet; no sandbox, because tests may run as root.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 800}
PATIENCE_MS = round(15_000 * PATIENCE)
expect.set_options(timeout=PATIENCE_MS)
LOCALES = {"ko": "ko-KR", "en": "en-GB"}


# For a file, not the session: Playwright keeps an event loop running in its thread, where asyncio.run() then fails.
@pytest.fixture(scope="module")
def chromium():
    program = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


class Site:
    """An installation with invented places, a manager, and its pages at `address`."""

    def __init__(self, folder):
        self.server = Server(folder)
        self.app = create_app(self.server.settings)
        with self.server.sessions.begin() as session:
            self.keys = dict(demo.fill(session, self.server.vault, 3))
            accounts.add_user(session, "manager", "Kim Mina", accounts.MANAGER, PASSWORD)
            self.first = accounts.add_user(session, "admin", "Admin", accounts.ADMIN)[1]
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        self._web = make_server("127.0.0.1", port, self.app, threaded=True)
        self._thread = threading.Thread(target=self._web.serve_forever, daemon=True)
        self._thread.start()

    def end(self):
        self._web.shutdown()
        self._thread.join(10)
        self.app.extensions["sessions"].engine.dispose()
        self.server.end()


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path / "data")
    yield made
    made.end()


class Watch:
    """Records what a page must not do: errors in the console, and requests to other hosts."""

    def __init__(self, page, address):
        self.complaints = []
        self.foreign = []
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith(address) else self.foreign.append(asked.url))


@pytest.fixture
def visit(chromium):
    """A function that opens a browser window on a site; every window is checked for errors at the end."""
    windows = []

    def open_window(site, language="en", size=DESK, dark=False, may_complain=False):
        context = chromium.new_context(
            base_url=site.address,
            locale=LOCALES[language],
            viewport=size,
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        windows.append((context, Watch(page, site.address), may_complain))
        return page

    yield open_window
    for context, watch, may_complain in windows:
        context.close()
        assert may_complain or not watch.complaints
        assert not watch.foreign


def sign_in(page, login="manager", password=PASSWORD):
    """Sign in; ends on the start page."""
    page.goto("/login")
    page.fill("#login", login)
    page.fill("#password", password)
    page.click("main button")
