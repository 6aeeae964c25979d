"""What pages show of a sensor beyond its columns."""

from typing import NamedTuple

from flask_babel import gettext

from ansim import messages
from server import clock
from server.models.sensors import Sensor
from server.services.sensors import fleet
from server.wording import vocabulary

LOW_BATTERY_PERCENT = 20
# A Wi-Fi sensor listens for up to a minute before it connects again; longer than that, something is wrong.
ANSWER_EXPECTED_S = 90


class SensorSummary(NamedTuple):
    """
    state    word of fleet.state_of()
    battery  percent or None
    hears    what it can hear with, in words
    warning  a limitation that the user should know before relying on it, or ""
    """

    sensor: Sensor
    state: str
    battery: int | None
    hears: list[str]
    warning: str


def summary(sensor: Sensor, silent_after_s: int) -> SensorSummary:
    """Return what pages show of a sensor."""
    info = sensor.info or {}
    state = fleet.state_of(sensor, clock.now_s(), silent_after_s)
    capabilities = info.get("capabilities", [])
    hears = [str(vocabulary.CAPABILITIES.get(name, name)) for name in capabilities]
    battery = info.get("battery_percent")
    return SensorSummary(sensor, state, battery, hears, _warning(state, battery, capabilities, info))


def _warning(state, battery, capabilities, info):
    if state == fleet.NEVER:
        return gettext("It has never connected to this server.")
    if state in (fleet.OFFLINE, fleet.SILENT):
        return gettext(
            "It is not connected. Switch it on and check its Wi-Fi or cable; what it hears meanwhile is kept in it."
        )
    if info.get("safe"):
        return gettext(
            "It crashed again and again and now runs in safe mode: it listens to nothing until it is mended."
        )
    if battery is not None and battery < LOW_BATTERY_PERCENT:
        return gettext("Its battery is low.")
    if capabilities and messages.SNIFF not in capabilities:
        return gettext("It cannot listen to Wi-Fi traffic, so it finds fewer cameras.")
    return ""
