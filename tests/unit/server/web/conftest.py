"""The application with invented places, and people who are signed in."""

import io
import re
import shutil

import pytest
from jinja2 import FileSystemBytecodeCache
from pypdf import PdfReader
from pypdf.generic import DictionaryObject
from sqlalchemy import select

from server import create_app, db, demo
from server import vault as vault_
from server.config import Settings
from server.models import Restroom, User
from server.services.inspecting import checklists, inspections
from server.services.people import accounts
from server.services.reporting import pdf
from tests.support.sensors_say import SensorsSay
from tests.support.session_cookies import cookie_of
from tests.support.values import present

PASSWORD = "correct horse battery"
# Claims that no page or PDF may make.
FORBIDDEN = ("safe", "안전", "camera-free", "no camera ", "카메라 없음")


@pytest.fixture(scope="session")
def compiled_templates(tmp_path_factory):
    """Templates compiled by one test and used by all: a new application would compile them again."""
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))


@pytest.fixture(scope="session")
def demo_installation(tmp_path_factory, empty_database):
    """A data folder with the demo's places and sensors."""
    folder = tmp_path_factory.mktemp("demo")
    shutil.copy(empty_database, folder / "ansim.db")
    settings = Settings(data=folder)
    sessions = db.open_sessions(settings.url())
    with sessions.begin() as session:
        demo.fill(session, vault_.open_vault(settings))
    sessions.engine.dispose()
    return folder


@pytest.fixture
def settings(tmp_path, demo_installation):
    shutil.copytree(demo_installation, tmp_path, dirs_exist_ok=True)
    return Settings(data=tmp_path)


@pytest.fixture
def app(settings, compiled_templates):
    app = create_app(settings)
    app.jinja_env.bytecode_cache = compiled_templates
    yield app
    app.extensions["sessions"].engine.dispose()


@pytest.fixture
def stranger(app):
    """A function that returns the browser of somebody who has not signed in and reads English."""

    def make():
        client = app.test_client()
        client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en-GB"
        return client

    return make


@pytest.fixture
def say(app):
    """Speaks for the demo sensors."""
    return SensorsSay(app)


@pytest.fixture
def room(app):
    """The public id of a restroom: the women's room on the ground floor of the city hall."""
    with app.extensions["sessions"]() as session:
        return session.scalar(select(Restroom.public_id).where(Restroom.name == "1층 여자화장실"))


@pytest.fixture
def sign_in(app, hashed):
    """A function that returns a client of a person with a role, in a language."""

    def make(role="manager", language="en"):
        with app.extensions["sessions"].begin() as session:
            user = session.scalar(select(User).where(User.login == role))
            if user is None:
                user = User(
                    login=role,
                    name=role.title(),
                    role=role,
                    password_hash=hashed,
                    session_word="0" * 32,
                    created_s=1_800_000_000,
                )
                session.add(user)
                session.flush()
            signed_in = cookie_of(session, user, language)
        client = app.test_client()
        with client.session_transaction() as cookie:
            cookie.update(signed_in)
        return client

    return make


@pytest.fixture
def post():
    """A function that sends a form as a browser does: with the token of the page it stands on."""

    def send(client, address, form=None, page=None, follow=True):
        token = csrf_token(client.get(page or address).text)
        return client.post(address, data={**(form or {}), "csrf_token": token}, follow_redirects=follow)

    return send


def find(pattern: str | re.Pattern, text: str) -> str:
    """The first group of a pattern that a page must contain."""
    match = re.search(pattern, text)
    assert match, pattern
    return match[1]


def csrf_token(page: str) -> str:
    """The token that stands in a page's forms."""
    return page.partition('name="csrf_token" value="')[2].partition('"')[0]


@pytest.fixture
def look(app):
    """A function that answers the whole list of an inspection's eye step: nothing suspicious."""

    def answer(public_id):
        with app.extensions["sessions"].begin() as session:
            checklists.answer_rest(session, inspections.load(session, accounts.SYSTEM, public_id), accounts.SYSTEM)

    return answer


@pytest.fixture
def begin(sign_in, post, app, room):
    """A function that starts an inspection of `room` with sensors; returns (client, public id)."""

    def start(*sensors, client=None, **form):
        client = client or sign_in("inspector")
        address = f"/restrooms/{room}/inspect"
        answer = post(client, address, {"sensors": list(sensors), **form}, follow=False)
        assert answer.status_code == 302, answer.text
        return client, answer.location.rpartition("/")[2]

    return start


@pytest.fixture
def rows(app):
    """A function that loads all rows of a table."""

    def load(table):
        with app.extensions["sessions"]() as session:
            return session.query(table).order_by(table.id).all()

    return load


@pytest.fixture
def upload():
    """A function that posts a form with files."""

    def send(client, address, form, page, **files):
        token = csrf_token(client.get(page).text)
        files = {name: (io.BytesIO(data), "a.jpg") for name, data in files.items()}
        form = {**form, **files, "csrf_token": token}
        return client.post(address, data=form, content_type="multipart/form-data", follow_redirects=True)

    return send


@pytest.fixture
def lens_inspection(app, begin, post):
    """The public id of a finished inspection by lens, in the women's room."""
    _client, running = begin(partner="박지훈", agency="=cmd|' /C calc'!A0")
    with app.extensions["sessions"].begin() as session:
        inspection = inspections.load(session, accounts.SYSTEM, running)
        inspector = present(inspection.started_by)
        inspections.record_step(session, inspection, "lens", "none_found", inspector, note="<b>all</b> stalls")
        inspections.finish(session, inspection, inspector, "none_found")
    return running


@pytest.fixture(scope="session")
def has_fonts():
    """Skips the test if the fonts or libraries of the PDFs are not installed."""
    try:
        pdf.find_font()
    except pdf.NotPossible as error:
        pytest.skip(str(error))


def text_of(answer):
    """Return the text of a PDF answer and the names of its fonts."""
    reader = PdfReader(io.BytesIO(answer.data))
    fonts = {font.get_object()["/BaseFont"] for font in _font_resources(reader.pages[0])}
    return "\n".join(page.extract_text() for page in reader.pages), fonts


def _font_resources(page):
    resources = page["/Resources"]
    assert isinstance(resources, DictionaryObject)
    fonts = resources["/Font"]
    assert isinstance(fonts, DictionaryObject)
    return fonts.values()
