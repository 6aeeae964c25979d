"""
Home Assistant's MQTT discovery: one retained message for each sensor, with its state and health.

    discovery = Discovery()
    for topic, payload in discovery.due(session): ...publish it, retained

Home Assistant then reads the sensors' own `state` and `info` topics, with the account topic_rules.READER. Findings are
not offered: their reports hold hardware addresses, and what they mean needs a person.

Source: https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

import json

from sqlalchemy import select
from sqlalchemy.orm import Session

from ansim import VERSION, messages, topics
from server.broker.topic_rules import discovery_topic
from server.models.sensors import Sensor

# A message is JSON, a newline and its signature.
_JSON = "(value.split('\\n')[0] | from_json)"
_GONE = json.dumps([messages.DISCONNECTED, messages.LOST])


class Discovery:
    """Remembers what was published, so that only changes are published again."""

    def __init__(self):
        self._published: dict[str, bytes] = {}

    def forget(self) -> None:
        """Publish everything again: a broker that restarted may have lost it."""
        self._published.clear()

    def due(self, session: Session) -> list[tuple[str, bytes]]:
        """Return [(topic, payload)] of the sensors that are new, changed or revoked; the latter's payload is empty."""
        due = []
        columns = (Sensor.name, Sensor.label, Sensor.info, Sensor.revoked_s)
        for name, label, info, revoked_s in session.execute(select(*columns).order_by(Sensor.name)):
            payload = b"" if revoked_s is not None else payload_of(name, label, info or {})
            if self._published.get(name, b"") != payload:
                self._published[name] = payload
                due.append((discovery_topic(name), payload))
        return due


def payload_of(name: str, label: str, info: dict) -> bytes:
    """Return the discovery message of a sensor. info: its newest info message, {} without one."""
    state, health = topics.topic(name, topics.STATE), topics.topic(name, topics.INFO)
    device = {"identifiers": [f"ansim_{name}"], "name": label or name, "manufacturer": "Ansim"}
    if info:
        device |= {"model": info["board"], "sw_version": info["version"]}
    parts = {
        "state": _part(
            "sensor",
            "State",
            state,
            "state",
            device_class="enum",
            options=list(messages.STATES),
            icon="mdi:access-point",
        ),
        "rssi": _health("Signal strength", health, "rssi_dbm", "dBm", device_class="signal_strength"),
        "started": _health("Running", health, "up_s", "s", device_class="duration"),
        "waiting": _health("Reports waiting", health, "journal_reports", "reports"),
        "dropped": _health("Reports dropped", health, "journal_dropped", "reports"),
        "memory": _health("Free memory", health, "free_heap_bytes", "B", device_class="data_size"),
        "crashes": _health("Crashes", health, "crashes", "crashes"),
        "safe": {
            **_part("binary_sensor", "Safe mode", health, "safe", device_class="problem", entity_category="diagnostic"),
            "value_template": "{{ 'ON' if " + _JSON + ".get('safe') else 'OFF' }}",
        },
    }
    if info.get("battery_percent") is not None:
        parts["battery"] = _health("Battery", health, "battery_percent", "%", device_class="battery")
    for key, part in parts.items():
        part["unique_id"] = f"ansim_{name}_{key}"
        if part["state_topic"] == health:
            part["availability"] = [
                {
                    "topic": state,
                    "value_template": "{{ 'offline' if " + _JSON + ".state in " + _GONE + " else 'online' }}",
                }
            ]
    message = {"device": device, "origin": {"name": "Ansim", "sw_version": VERSION}, "components": parts, "qos": 1}
    return json.dumps(message, separators=(",", ":")).encode()


def _part(platform, title, topic, field, **more):
    template = "{{ " + _JSON + f".{field} }}}}"
    return {"platform": platform, "name": title, "state_topic": topic, "value_template": template, **more}


def _health(title, topic, field, unit, **more):
    diagnostic = {"entity_category": "diagnostic", "state_class": "measurement"}
    return _part("sensor", title, topic, field, unit_of_measurement=unit, **diagnostic, **more)
