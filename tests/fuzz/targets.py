"""
The targets of the fuzzer.

A target has `seeds` (valid inputs) and run(data), which raises only for a fault of the program: input that is refused
as its documentation says raises nothing here.
"""

import contextlib
import io
import json
import re
import socket
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pydantic import SecretStr

from ansim import envelope, messages, topics
from server import create_app, db, migrations, vault
from server.config import Settings
from server.envelope_signer import Signer
from server.ingest import batch, decode
from server.ingest.keyring import Keyring, SensorKey
from server.services.errors import Refused
from server.services.findings.pseudonyms import Pseudonyms
from server.services.intake import counters
from server.services.people import accounts
from server.services.places import imports
from server.services.sensors import enrolment
from tests.support import made_captures as captures
from tests.support import message_examples
from tools.lib.errors import ToolError
from tools.traffic import pcap, radiotap

KEY = bytes(range(32))
NOW_S = 1_800_000_000
PASSWORD = "correct horse battery"


class Installation:
    """A database with a sensor and a manager."""

    def __init__(self, folder: Path, url: str = ""):
        self.settings = Settings(data=folder, database_url=SecretStr(url))
        migrations.upgrade(self.settings)
        self.sessions = db.open_sessions(self.settings.url())
        with self.sessions.begin() as session:
            self.sensor_id = enrolment.enrol(session, vault.open_vault(self.settings), "hall-1")[0].id
            accounts.add_user(session, "kim", "Kim", "admin", PASSWORD)


class Pcap:
    """pcap and pcapng files."""

    seeds = [
        captures.pcap([(at, captures.radiotap(tsft=5, mcs=(7, 1, 5), chained=2) + captures.data()) for at in range(3)]),
        captures.section()
        + captures.interface(resolution=9, offset_s=5)
        + captures.interface(linktype=1)
        + captures.enhanced(9, captures.radiotap() + captures.block_ack(7)),
        captures.section(">") + captures.interface(">") + captures.enhanced(9, captures.radiotap(), ">"),
    ]

    def __init__(self, installation):
        pass

    def run(self, data):
        with contextlib.suppress(ToolError):
            for _ in pcap.read(io.BytesIO(data), "fuzzed"):
                pass


class Radiotap:
    """One frame with its radiotap header."""

    seeds = [
        captures.radiotap(tsft=5, rate=2, mcs=(7, 1, 5), ampdu=True, chained=2) + captures.data(qos=0x80),
        captures.radiotap(flags=captures.FCS) + captures.block_ack(7) + b"FCS!",
        captures.raw_radiotap((1 << 1 | 1 << 30 | 1 << 31, 1 << 29 | 1 << 31, 1 << 28), bytes(40)) + captures.data(),
    ]

    def __init__(self, installation):
        pass

    def run(self, data):
        record = radiotap.header_record(data, len(data) + 4, 7)
        assert record is None or len(record) == 36


class Imports:
    """Tables, workbooks and GeoJSON, up to the preview."""

    seeds = [
        '건물,주소,여,남\r\n공원,서울특별시 종로구 1,3,2\r\n"역, 앞",서울특별시 중구 2,1,1\r\n'.encode(),
        "화장실명;소재지도로명주소;여성용-대변기수;변기현황\n가;나시 다구;2;남1\n".encode("cp949"),
        "건물\t주소\n가\t나\n".encode("utf-16"),
        b'{"type":"FeatureCollection","features":[{"type":"Feature","id":"node/1","geometry":{"type":"Point",'
        b'"coordinates":[126.9,37.5]},"properties":{"amenity":"toilets","name":"Park","female":"yes"}}]}',
    ]
    mapping = {"name": "건물", "address": "주소", "women": "여", "men": "남"}

    def __init__(self, installation):
        self._sessions = installation.sessions
        self._path = installation.settings.data / "fuzzed"

    def run(self, data):
        self._path.write_bytes(data)
        for mapping in ({}, self.mapping):
            with self._sessions() as session, contextlib.suppress(Refused, imports.UnknownLayout):
                preview = imports.make_preview(session, self._path, imports.Options(mapping=mapping))
                kinds = ("new", "changed", "rekeyed", "same", "withdrawn", "duplicate", "bad")
                assert sum(preview.counts[kind] for kind in kinds) == preview.counts["rows"]


class OneSensor(Keyring):
    """A keyring with the key of one sensor."""

    def __init__(self, key):
        self._key = key

    def find(self, name, now):
        return self._key

    def reload(self, name, now):
        return self._key


class Messages:
    """
    Signed messages of every kind, as ingest decodes and stores them. The first line is the last part of the topic.

    A message of a valid form must be stored: a dead letter is a fault.
    """

    seeds = [
        leaf.encode() + b"\n" + messages.encode(message)
        for leaf, message in message_examples.EXAMPLES
        if leaf in topics.FROM_SENSOR
    ]

    def __init__(self, installation):
        self._key = SensorKey(installation.sensor_id, "hall-1", Signer(KEY), False, 0)
        self._store = batch.BatchStore(installation.sessions, Pseudonyms(vault.open_vault(installation.settings)))

    def run(self, data):
        leaf, _, body = data.partition(b"\n")
        if leaf.decode(errors="replace") not in topics.FROM_SENSOR:
            return
        topic = topics.topic("hall-1", leaf.decode())
        self._take(topic, envelope.seal(KEY, topic, body))

    def _take(self, topic, payload):
        try:
            message = decode.decode(OneSensor(self._key), topic, payload, 1)
        except decode.RejectedMessage:
            return
        result = self._store.store([(message, False)], Counter(), NOW_S)
        assert not result.counts["hall-1", counters.POISON], "a message of a valid form could not be stored"

    def mutate(self, data, draw):
        """Return a message with one to three values of another type or at the edge of their range."""
        leaf, _, body = data.partition(b"\n")
        try:
            fields = json.loads(body)
        except (ValueError, RecursionError):
            return data
        for _ in range(draw.randint(1, 3)):
            fields = _with_junk(fields, draw)
        return (
            leaf
            + b"\n"
            + json.dumps(fields, separators=(",", ":"), ensure_ascii=draw.random() < 0.5).encode(errors="surrogatepass")
        )


JUNK = [
    *(None, True, False, 0, 1, -1, 2**31 - 1, 2**31, 2**53, 2**63, -(2**63), 1 << 70, 1.5, -0.0, 1e308),
    *("", "\0", "\ud800", "\u2028", "\x1b[2J", "x" * 70, "가" * 40, "c0:ff:ee:00:00:01", "../", "a/b", "+", "#"),
    *([], {}, [[]], [None], {"a": 1}, [1] * 300),
]


def _with_junk(value, draw):
    """Return a JSON value with one value in it replaced, removed or added."""
    if isinstance(value, dict) and value and draw.random() < 0.9:
        name = draw.choice(sorted(value))
        if draw.random() < 0.1:
            return {other: value[other] for other in value if other != name}
        if draw.random() < 0.05:
            return {**value, draw.choice(("x", "\0", "v", "seq")): draw.choice(JUNK)}
        return {**value, name: _with_junk(value[name], draw)}
    if isinstance(value, list) and value and draw.random() < 0.8:
        at = draw.randrange(len(value))
        return [*value[:at], _with_junk(value[at], draw), *value[at + 1 :]]
    return draw.choice(JUNK)


class Envelopes(Messages):
    """Topic, a line end, and a payload that need not be signed."""

    seeds = [
        topics.topic("hall-1", leaf).encode()
        + b"\n"
        + envelope.seal(KEY, topics.topic("hall-1", leaf), messages.encode(message))
        for leaf, message in message_examples.EXAMPLES[:6]
    ]

    def run(self, data):
        topic, _, payload = data.partition(b"\n")
        self._take(topic.decode(errors="replace"), payload)


class Web:
    """A request to a page or to the API by an administrator: method, path and form, one a line."""

    def __init__(self, installation):
        self._app = create_app(installation.settings)
        self._app.config.update(WTF_CSRF_ENABLED=False, RATELIMIT_ENABLED=False)
        self._client = self._app.test_client()
        self._client.post("/login", data={"login": "kim", "password": PASSWORD})
        seeds = []
        for rule in self._app.url_map.iter_rules():
            if rule.endpoint != "static" and "logout" not in rule.rule:
                path = re.sub(r"<[^>]*>", "1", rule.rule).encode()
                seeds += [
                    f"{method} ".encode() + path + b"?limit=5&before=1\nname=x&public_id=1&at=5&kind=eye"
                    for method in (rule.methods or set()) & {"GET", "POST", "PUT", "PATCH"}
                ]
        self.seeds = seeds

    def run(self, data):
        line, _, form = data.decode("latin-1").partition("\n")
        method, _, path = line.partition(" ")
        if method not in ("GET", "POST", "PUT", "PATCH") or not path.startswith("/") or "logout" in path:
            return
        is_json = path.startswith("/api")
        body = form.encode("latin-1")
        kind = "application/json" if is_json else "application/x-www-form-urlencoded"
        # As a server would: the test client takes what follows "//" for a host.
        path, _, query = path.partition("?")
        environ = {"PATH_INFO": path, "QUERY_STRING": query}
        answer = self._client.open("/", method=method, data=body, content_type=kind, environ_overrides=environ)
        answer.close()
        assert answer.status_code < 500 or path.startswith(("/readyz", "/healthz")), f"{answer.status}: {line}"


class Mqtt:
    """Bytes that a stranger or a sensor sends to the embedded broker."""

    connect = b"\x10\x1a\x00\x04MQTT\x04\xc2\x00\x3c\x00\x06hall-1\x00\x04user\x00\x02pw"
    seeds = [
        connect,
        connect + b"\x30\x09\x00\x05topicab" + b"\xc0\x00" + b"\xe0\x00",
        b"\x82\x08\x00\x01\x00\x03a/b\x01",
        b"\x10\xff\xff\xff\x7f" + bytes(40),
        b"\x32\x0d\x00\x05topic\x00\x01data" + b"\x62\x02\x00\x01" + b"\x50\x02\x00\x01",
    ]

    def __init__(self, installation):
        from tests.support.server_kit import Server

        self._server = Server(Path(tempfile.mkdtemp(dir=installation.settings.data)))
        self._server.run_broker_inside()
        self._port = self._server.port

    def close(self):
        self._server.end()

    def run(self, data):
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=5) as sent:
                sent.sendall(data)
                sent.shutdown(socket.SHUT_WR)
                sent.settimeout(5)
                while sent.recv(4096):
                    pass
        except ConnectionError:
            pass  # the broker may end a connection at any time
        except TimeoutError:
            raise AssertionError("the broker neither answered nor ended the connection") from None


TARGETS = {
    "pcap": Pcap,
    "radiotap": Radiotap,
    "import": Imports,
    "messages": Messages,
    "envelope": Envelopes,
    "web": Web,
    "mqtt": Mqtt,
}


@contextlib.contextmanager
def installations(database: str) -> Iterator[Installation]:
    """Yield an installation on "sqlite" or "postgresql"."""
    with tempfile.TemporaryDirectory(prefix="ansim-fuzz-") as folder, contextlib.ExitStack() as stack:
        url = ""
        if database == "postgresql":
            from tests.support import postgresql

            url = stack.enter_context(postgresql.server())()
        made = Installation(Path(folder), url)
        stack.callback(made.sessions.engine.dispose)
        yield made
