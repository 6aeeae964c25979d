"""
The AsyncAPI 3 document of the messages, from the same schemas that sensor and server check by.

    document = make()     # a JSON-able dict
"""

import json
import re

from ansim import messages, topics
from tools.message_reference import contents, descriptions
from tools.message_reference.json_schema import json_schema, object_schema

ENVELOPE = (
    "The MQTT payload is the JSON bytes of this schema, a newline, and 64 hex digits: HMAC-SHA256 with the sensor's "
    "key of 32 bytes over the topic, a newline and the JSON bytes."
)
DESCRIPTION = (
    "Messages between Ansim sensors and their server, seen from the sensor: it sends state, info, report, live, ack "
    "and want, and receives cmd, stored and part. docs/messages.md describes the rules of delivery. " + ENVELOPE
)
MEDIA_TYPE = "application/vnd.ansim.signed-json"


def make(text: str) -> dict:
    """Return the document. text: docs/messages.md, whose examples it repeats."""
    examples: dict[str, list] = {}
    for leaf, example in re.findall(r"```json (\w+)\n(.*?)\n```", text, re.DOTALL):
        message = json.loads(example)
        name = {topics.REPORT: message.get("kind"), topics.CMD: message.get("name")}.get(leaf)
        examples.setdefault(f"{leaf}_{name}" if name else leaf, []).append({"payload": message})
    all_messages, channels, operations = {}, {}, {}
    for leaf in contents.leaves():
        made = _messages(leaf.name)
        for name, message in made.items():
            all_messages[name] = {**message, "examples": examples[name]}
        channels[leaf.name] = {
            "address": f"{topics.ROOT}/{{device}}/{leaf.name}",
            "description": leaf.content,
            "parameters": {"device": {"$ref": "#/components/parameters/device"}},
            "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in made},
        }
        action = "send" if leaf.writer == "sensor" else "receive"
        operations[f"{action}_{leaf.name}"] = {
            "action": action,
            "channel": {"$ref": f"#/channels/{leaf.name}"},
            "messages": [{"$ref": f"#/channels/{leaf.name}/messages/{name}"} for name in made],
            "bindings": {"mqtt": {"qos": leaf.qos, "retain": leaf.retained, "bindingVersion": "0.2.0"}},
        }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Ansim sensors", "version": str(messages.REPORT_VERSION), "description": DESCRIPTION},
        "defaultContentType": MEDIA_TYPE,
        "servers": {
            "tls": _server("mqtts", "8883"),
            "plain": {**_server("mqtt", "1883"), "description": "without TLS, in a lab only"},
        },
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": all_messages,
            "parameters": {"device": {"description": "Name of the sensor: 1 to 32 characters of a-z, 0-9 and -"}},
            "securitySchemes": {
                "device": {
                    "type": "userPassword",
                    "description": "Client id and user name are the sensor's name. The password is 64 hex digits: "
                    "HMAC-SHA256 with the sensor's key over the text mqtt-password.",
                }
            },
        },
    }


def write(text: str) -> str:
    """Return the document as JSON text."""
    return json.dumps(make(text), indent=1, ensure_ascii=False) + "\n"


def _server(protocol: str, port: str) -> dict:
    return {
        "host": f"broker.example:{port}",
        "protocol": protocol,
        "protocolVersion": "3.1.1",
        "security": [{"$ref": "#/components/securitySchemes/device"}],
        "bindings": {
            "mqtt": {
                "clientId": "hall-1",
                "lastWill": {"topic": f"{topics.ROOT}/hall-1/state", "qos": 1, "retain": True},
                "bindingVersion": "0.2.0",
            }
        },
    }


def _messages(leaf: str) -> dict[str, dict]:
    found = {}
    for part in contents.parts():
        if part.leaf != leaf or (leaf in (topics.REPORT, topics.CMD) and not part.name):
            continue
        payload = object_schema(contents.message_schema(leaf), leaf)
        if part.name:
            word, field = ("kind", "body") if leaf == topics.REPORT else ("name", "args")
            payload["properties"][word] = {"type": "string", "const": part.name}
            payload["properties"][field] = json_schema(part.schema, part.where)
        name = f"{leaf}_{part.name}" if part.name else leaf
        summary = descriptions.VALUES["report.kind"].get(part.name) if leaf == topics.REPORT else None
        found[name] = {"name": name, "contentType": MEDIA_TYPE, "payload": payload}
        if summary:
            found[name]["summary"] = summary.replace("`", "")
    return found
