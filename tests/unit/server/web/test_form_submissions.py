"""
Every form of the pages in the situations that need its own content: sent twice, and changed by others meanwhile.

The forms come from the application's own map; one without a sample in tests/support/form_samples.py fails here.
"""

import io
import re
import shutil
import threading
from html import unescape

import pytest
from sqlalchemy import func, select

from server.models import Base, User
from server.models.audit import LogEntry
from server.services.audit import edit_conflicts, log
from server.web import interrupted_forms
from tests.support import form_samples, pictures, route_samples
from tests.support.form_samples import SAMPLES
from tests.unit.server.web.conftest import csrf_token

# Written whenever a page is opened or a form is sent, also a repeated one.
NOT_COUNTED = {"kept_answer", "access_event", "user_session", "attempt"}
ONCE = "abcdefghijklmn_-"


@pytest.fixture
def prepared(app, begin, say, room, sign_in):
    """The addresses of all routes, and functions that send a form and restore the database."""
    _client, running = begin("demo-1")
    say.finding("demo-1", running)
    say.sweep("demo-1", route_samples.SWEEP_REF)
    return Prepared(app, route_samples.addresses(app, running, room), sign_in("admin"))


class Prepared:
    def __init__(self, app, addresses, client):
        self.app, self.addresses, self.client = app, addresses, client
        self.token = csrf_token(client.get("/me").text)
        self.things = {}
        self.folder = app.extensions["settings"].data
        app.extensions["sessions"].engine.dispose()
        self.before = self.folder.with_name(self.folder.name + "-before")
        shutil.copytree(self.folder, self.before)

    def restore(self, endpoint):
        """Begin anew; return the number of the newest entry."""
        self.app.extensions["sessions"].engine.dispose()
        shutil.rmtree(self.folder)
        shutil.copytree(self.before, self.folder)
        prepare = SAMPLES[endpoint].prepare
        with self.app.extensions["sessions"].begin() as session:
            user = session.query(User).filter_by(login="admin").one()
            if prepare:
                prepare(session, user)
            session.flush()
            self.things = form_samples.things(session)
        return self.newest()

    def address(self, endpoint):
        return SAMPLES[endpoint].address.format(**self.things) or self.addresses[endpoint, "POST"]

    def send(self, endpoint, client=None, **hidden):
        fields = {}
        for name, value in SAMPLES[endpoint].fields.items():
            is_photo = value is form_samples.PHOTO
            fields[name] = (io.BytesIO(pictures.jpeg()), "a.jpg") if is_photo else value.format(**self.things)
        return (client or self.client).post(self.address(endpoint), data={**fields, "csrf_token": self.token, **hidden})

    def newest(self):
        with self.app.extensions["sessions"]() as session:
            return log.newest_n(session)

    def entries(self, after_n):
        with self.app.extensions["sessions"]() as session:
            query = select(LogEntry.kind, LogEntry.subject).where(LogEntry.n > after_n, LogEntry.personal.is_not(None))
            return [tuple(row) for row in session.execute(query)]

    def counts(self):
        tables = [table for table in Base.metadata.sorted_tables if table.name not in NOT_COUNTED]
        with self.app.extensions["sessions"]() as session:
            return {table.name: session.scalar(select(func.count()).select_from(table)) for table in tables}

    def known(self, subject, before_n):
        """True if the subject was there before the form."""
        with self.app.extensions["sessions"]() as session:
            entry = session.scalar(select(LogEntry.n).where(LogEntry.subject == subject, LogEntry.n <= before_n))
        return entry is not None or any(subject in text for text in (*self.addresses.values(), *self.things.values()))


def test_every_form_has_a_sample(app):
    endpoints = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if "POST" in (rule.methods or ()) and rule.endpoint not in interrupted_forms._NEVER
    }
    of_programs = {"claims.redeem", "broker_authenticate", "broker_authorize"}  # JSON, no forms
    assert endpoints - of_programs == {*SAMPLES, *form_samples.LEFT_OUT}


def test_a_form_that_is_sent_twice_is_handled_once(prepared):
    for endpoint in SAMPLES:
        seen_n = prepared.restore(endpoint)
        first = prepared.send(endpoint, seen_entry=seen_n, once=ONCE)
        assert first.status_code in (200, 302), (endpoint, first.status_code, first.text)
        after, newest = prepared.counts(), prepared.newest()

        again = prepared.send(endpoint, seen_entry=seen_n, once=ONCE)

        if first.status_code == 302:
            assert (again.status_code, again.location) == (302, first.location), (endpoint, again.text)
        elif "Content-Disposition" in first.headers:
            assert again.status_code == 200, endpoint  # a download, which may be wanted again
        elif newest > seen_n:
            assert again.status_code == 409 and "recorded already" in again.text, endpoint
        assert (prepared.counts(), prepared.newest()) == (after, newest), endpoint


def test_a_form_from_before_a_change_of_somebody_else_shows_both_and_is_settled(prepared):
    replacing = 0
    for endpoint, sample in SAMPLES.items():
        seen_n = prepared.restore(endpoint)
        prepared.send(endpoint)
        made = [row for row in prepared.entries(seen_n) if prepared.known(row[1], seen_n)]
        made = [(kind, subject) for kind, subject in made if edit_conflicts.NEWS.get(kind) != ()]
        assert bool(made or sample.other) == sample.replaces, (endpoint, made)
        if not sample.replaces:
            continue
        replacing += 1

        names = {text: name for name, text in prepared.things.items()}
        prepared.restore(endpoint)
        with prepared.app.extensions["sessions"].begin() as session:
            other = session.query(User).filter_by(login="samples-admin").one()
            if sample.other:
                sample.other(session, other)
            else:
                kind, subject = made[0]
                subject = prepared.things.get(names.get(subject), subject)
                kind = edit_conflicts.NEWS[kind][0] if edit_conflicts.NEWS.get(kind) else kind
                log.add(session, kind, subject, {"word": "theirs"}, other)
        newest, before = prepared.newest(), prepared.counts()
        page = prepared.send(endpoint, seen_entry=seen_n, once=ONCE)

        text = unescape(page.text)
        assert page.status_code == 409 and "Changed meanwhile" in text, (endpoint, page.status_code, text)
        assert re.search(r"Sample at \d+ \w+ \d+, \d\d:\d\d", text), endpoint
        assert "theirs" in text or sample.other, endpoint
        assert re.search(r"Admin at \d+ \w+ \d+, \d\d:\d\d", text), endpoint
        if form_samples.TEXT in sample.fields.values():
            assert f'<dd class="wrap-anywhere">{form_samples.TEXT}</dd>' in text, endpoint
        assert (prepared.newest(), prepared.counts()) == (newest, before), endpoint
        if not sample.fields:
            continue
        fields = dict(re.findall(r'name="(seen_entry|once)" value="([^"]*)"', text))
        assert int(fields["seen_entry"]) == newest, endpoint
        page = prepared.send(endpoint, **fields)
        assert page.status_code in (200, 302) and prepared.newest() > newest, (endpoint, page.text)
    assert replacing > 20


def test_two_equal_forms_at_the_same_moment_are_handled_once(app, prepared, sign_in):
    seen_n = prepared.restore("places.new")
    clients, answers = [sign_in("admin") for _ in range(2)], []
    tokens = [csrf_token(client.get("/me").text) for client in clients]

    def send(client, token):
        answers.append(prepared.send("places.new", client, seen_entry=seen_n, once=ONCE, csrf_token=token))

    threads = [threading.Thread(target=send, args=pair) for pair in zip(clients, tokens, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [answer.status_code for answer in answers] == [302, 302]
    assert answers[0].location == answers[1].location and prepared.newest() == seen_n + 1


def test_a_form_whose_first_submission_has_not_ended_is_not_handled_again(prepared, monkeypatch):
    seen_n = prepared.restore("places.new")
    monkeypatch.setattr("server.services.idempotency.keep", lambda *_: None)  # as after a kill
    monkeypatch.setattr("server.web.form_submissions.WAIT_S", 0)
    prepared.send("places.new", seen_entry=seen_n, once=ONCE)

    page = prepared.send("places.new", seen_entry=seen_n, once=ONCE)

    assert page.status_code == 409 and "being recorded" in page.text and form_samples.TEXT in page.text
    assert prepared.newest() == seen_n + 1


def test_the_same_form_with_another_content_is_another_one(prepared):
    seen_n = prepared.restore("campaigns.new")
    prepared.send("campaigns.new", once=ONCE)
    prepared.send("campaigns.new", once=ONCE, name="Another")

    assert prepared.newest() == seen_n + 2


def test_a_refused_form_may_be_sent_again(app, prepared, monkeypatch):
    """The refusal is not remembered as the answer; the text that was typed is shown with the reason."""
    seen_n = prepared.restore("places.retire")
    fields = {"reason": " ", "note": form_samples.TEXT, "once": ONCE}
    page = prepared.send("places.retire", **fields)

    assert page.status_code == 409 and form_samples.TEXT in page.text and "give the reason" in page.text
    with prepared.app.extensions["sessions"].begin() as session:
        assert log.newest_n(session) == seen_n
    assert prepared.send("places.retire", **fields).status_code == 409
    assert prepared.send("places.retire", once=ONCE).status_code == 302


def test_every_form_of_a_page_carries_its_state_and_its_number(app, prepared):
    """Also the forms of pages that are added later."""
    forms = 0
    for (endpoint, method), address in prepared.addresses.items():
        page = prepared.client.get(address) if method == "GET" else None
        if page is None or page.mimetype != "text/html":
            continue
        for form in re.findall(r'<form[^>]*method="post".*?</form>', page.text, flags=re.DOTALL):
            if 'action="/language"' in form or 'action="/logout"' in form:
                continue
            assert re.search(r'name="seen_entry" value="\d+"', form), (endpoint, form)
            assert re.search(r'name="once" value="[\w-]{16}"', form), (endpoint, form)
            forms += 1
    assert forms > 40
