"""Log lines are JSON objects, with the name of the request that they belong to."""

import json
import logging
import subprocess
import sys

import pytest
import structlog
from flask import current_app
from structlog.testing import capture_logs

from server import create_app, security
from server.config import Settings
from tests.conftest import ROOT

LINES = """
import logging, structlog
from server import logging_setup
logging_setup.configure({form!r})
structlog.get_logger().warning("one", sensor="hall-1")
logging.getLogger("waitress").warning("two %s", "words")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("server").exception("three")
"""


def lines_of(form):
    program = [sys.executable, "-c", LINES.format(form=form)]
    return subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True).stderr.splitlines()


def test_every_line_is_one_object_whoever_writes_it():
    lines = [json.loads(line) for line in lines_of("json")]

    assert [line["event"] for line in lines] == ["one", "two words", "three"]
    assert (lines[0]["sensor"], lines[1]["logger"], lines[2]["level"]) == ("hall-1", "waitress", "error")
    assert "ZeroDivisionError" in lines[2]["exception"] and all("timestamp" in line for line in lines)


def test_text_is_for_people():
    assert "two words" in lines_of("text")[1]


@pytest.fixture
def app(settings):
    made = create_app(settings)

    @made.get("/t/logs")
    @security.public
    def logs():
        structlog.get_logger().warning("inside", **structlog.contextvars.get_contextvars())
        logging.getLogger("server").warning("inside")
        return current_app.name

    @made.get("/t/breaks")
    @security.public
    def breaks():
        raise ValueError("as in a fault")

    made.config["PROPAGATE_EXCEPTIONS"] = False
    return made


def test_the_lines_of_a_request_and_its_answer_have_one_name(app):
    with capture_logs() as lines:
        answers = [app.test_client().get("/t/logs") for _ in range(2)]

    names = [answer.headers["X-Request-ID"] for answer in answers]
    assert [line["request"] for line in lines] == names and names[0] != names[1]
    assert structlog.contextvars.get_contextvars() == {}


def test_an_error_page_shows_the_name(app):
    for path in ("/nothing-here", "/t/breaks"):
        answer = app.test_client().get(path)
        assert answer.headers["X-Request-ID"] in answer.text


@pytest.mark.parametrize(
    ("proxies", "offered", "is_taken"),
    [(1, "0123456789abcdef", True), (0, "0123456789abcdef", False), (1, "short", False), (1, "x" * 65, False)],
)
def test_a_name_is_taken_over_from_a_proxy_only(settings, proxies, offered, is_taken):
    made = create_app(Settings(data=settings.data, proxies=proxies))
    answer = made.test_client().get("/healthz", headers={"X-Request-ID": offered})

    assert (answer.headers["X-Request-ID"] == offered) == is_taken
