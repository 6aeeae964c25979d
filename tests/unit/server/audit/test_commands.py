"""The log's and privacy's commands as an operator runs them, and time stamps from an authority of our own."""

import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from sqlalchemy import select, text

from server import create_app
from server.models import LogEntry, LogHead, Notification
from server.services.audit import heads, log, signing_key
from server.services.errors import Refused
from tools import verify_proof

TSA_CONFIG = """
[tsa]
default_tsa = one
[one]
serial = {0}/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
[cert]
extendedKeyUsage = critical,timeStamping
"""


@pytest.fixture
def app(settings):
    made = create_app(settings)
    with made.extensions["sessions"].begin() as session:
        log.add(session, "inspection.started", "insp1", {"room": "r1"}, None, {"people": [{"name": "Park"}]})
        log.add(session, "inspection.answered", "insp1", {"points": 3})
    yield made
    made.extensions["sessions"].engine.dispose()


@pytest.fixture
def flask(app):
    """A function that runs a command and returns its result."""
    return lambda *arguments: app.test_cli_runner().invoke(args=list(arguments))


def test_a_whole_log_is_told_with_its_counts(flask):
    done = flask("verify-log")

    assert done.exit_code == 0
    assert "the log is whole: 2 entries, 1 with personal fields, 0 signed heads" in done.output


def test_a_broken_log_is_named_and_those_who_want_to_know_are_told(app, flask):
    with app.extensions["sessions"].begin() as session:
        session.execute(text("DROP TRIGGER log_entry_no_update"))
        session.execute(text("UPDATE log_entry SET subject = 'insp2' WHERE n = 2"))

    done = flask("verify-log")

    assert done.exit_code == 1
    with app.extensions["sessions"]() as session:
        notification = session.scalar(select(Notification))
        assert (notification.kind, notification.facts) == ("chain_broken", {"entry": 2})


def test_heads_that_somebody_kept_are_compared(app, flask, tmp_path):
    flask("sign-head")
    kept = tmp_path / "heads.json"
    kept.write_bytes(app.test_client().get("/log/heads.json").data)

    assert flask("verify-log", "--heads", str(kept)).exit_code == 0
    kept.write_text(kept.read_text().replace('"n":2', '"n":9'))
    assert "entry 4: the entry is missing" in flask("verify-log", "--heads", str(kept)).output
    kept.write_text("[]")
    assert "holds no heads" in flask("verify-log", "--heads", str(kept)).output


def test_a_head_signed_with_another_key_needs_that_key_told(app, flask, tmp_path):
    (tmp_path / "other").write_text("ab" * 32)
    old = signing_key.load(app.extensions["vault"], tmp_path / "other")
    with app.extensions["sessions"].begin() as session:
        heads.sign(session, old)

    assert "entry 2: its head is signed with another key" in flask("verify-log").output
    assert flask("verify-log", "--key", heads.public_key(old)).exit_code == 0


def test_the_heads_are_shown_where_the_key_cannot_be_read(app, flask, tmp_path):
    flask("sign-head")
    settings = app.extensions["settings"]
    app.extensions["settings"] = settings.model_copy(update={"log_key": tmp_path / "not-for-us"})

    shown = app.test_client().get("/log/heads.json").json

    assert shown["key"] == shown["heads"][0]["key"]


def test_a_head_is_signed_once_for_the_same_log(flask):
    assert flask("sign-head").output.startswith("signed entry 2, hash ")
    assert flask("sign-head").output == "nothing new to sign\n"
    assert flask("verify-log").exit_code == 0


def test_the_proof_of_everything_holds_with_the_key_that_is_printed(flask):
    key = flask("log-key").output.strip()

    proof, nameless = flask("export-proof", "--all"), flask("export-proof", "--all", "--without-names")

    assert verify_proof.check(proof.output, key)[0]["personal"] == {"people": [{"name": "Park"}]}
    assert verify_proof.check(nameless.output, key)[0]["personal"] is None


@pytest.mark.parametrize("arguments", [("export-proof",), ("export-proof", "nothing")])
def test_a_proof_of_nothing_is_refused_in_one_line(flask, arguments):
    done = flask(*arguments)

    assert done.exit_code == 1 and "Traceback" not in done.output


def test_a_name_is_found_and_forgotten(flask):
    assert flask("forget-name", "--dry-run", "Park").output == "0 times in inspections, 1 entries of the log: found\n"
    assert flask("forget-name", "Park").output.endswith("erased\n")
    assert "0 with personal fields" in flask("verify-log").output


def test_retention_tells_what_each_rule_did(flask):
    done = flask("retention", "--dry-run")

    assert done.exit_code == 0 and "raw_reports" in done.output and "would go" in done.output


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """The address of a time stamp authority; /broken answers rubbish, /other about other bytes."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    place = tmp_path_factory.mktemp("tsa")
    (place / "config").write_text(TSA_CONFIG.format(place))
    (place / "serial").write_text("01\n")

    def openssl(*arguments, **options):
        return subprocess.run(["openssl", *arguments], cwd=place, check=True, capture_output=True, **options).stdout

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key", "-out", "cert", "-subj", "/CN=TSA",
            "-addext", "extendedKeyUsage=critical,timeStamping")  # fmt: skip
    (place / "other").write_bytes(openssl("ts", "-query", "-data", "config", "-sha512"))

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self):
            query = self.rfile.read(int(self.headers["Content-Length"]))
            (place / "query").write_bytes((place / "other").read_bytes() if self.path == "/other" else query)
            answer = openssl("ts", "-reply", "-config", "config", "-section", "one", "-queryfile", "query",
                             "-signer", "cert", "-inkey", "key")  # fmt: skip
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"rubbish" if self.path == "/broken" else answer)

        def log_message(self, *_arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_head_gets_a_time_stamp_about_what_was_signed(app, flask, authority):
    app.extensions["settings"] = app.extensions["settings"].model_copy(update={"timestamp_url": authority})

    assert "with a time stamp" in flask("sign-head").output

    with app.extensions["sessions"]() as session:
        head = session.scalar(select(LogHead))
        assert heads.is_stamp_of(head.token, heads.signed_bytes(head))
        assert not heads.is_stamp_of(head.token, b"other")
    assert flask("verify-log").exit_code == 0


@pytest.mark.parametrize("path", ["/broken", "/other"])
def test_a_bad_answer_of_the_authority_signs_nothing(app, flask, authority, path):
    app.extensions["settings"] = app.extensions["settings"].model_copy(update={"timestamp_url": authority + path})

    assert flask("sign-head").exit_code == 1
    with app.extensions["sessions"]() as session:
        assert session.scalar(select(LogHead)) is None
        assert len(session.scalars(select(LogEntry)).all()) == 2


def test_an_authority_that_is_not_there_is_told():
    with pytest.raises(Refused, match="timestamp_failed"):
        heads.timestamp("http://127.0.0.1:9/", b"x")
