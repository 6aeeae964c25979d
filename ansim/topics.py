"""
The MQTT topics: names, retention, QoS and writers.

    ansim/1/<device>/<leaf>

    leaf     written by  retained  QoS  content
    state    sensor      yes       1    init, ready, sleeping, disconnected; lost is the last will
    info     sensor      yes       1    properties and health of the sensor
    report   sensor      no        1    everything that must not be lost; see messages.py
    live     sensor      no        0    proximity of an emitter that is being followed
    ack      sensor      no        1    the acknowledgement of a cmd
    want     sensor      no        1    requests a part of a file of an update
    cmd      server      no        1    a signed, expiring command
    stored   server      yes       1    up to which seq the server has stored the sensor's reports
    part     server      no        1    the requested part

<device> is 1..32 characters of a-z, 0-9 and "-".
"""

ROOT = "ansim/1"

STATE = "state"
INFO = "info"
REPORT = "report"
LIVE = "live"
ACK = "ack"
WANT = "want"
CMD = "cmd"
STORED = "stored"
PART = "part"

FROM_SENSOR = (STATE, INFO, REPORT, LIVE, ACK, WANT)
TO_SENSOR = (CMD, STORED, PART)

_DEVICE_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789-"


class BadTopic(Exception):
    """The topic is not one of ours."""


def is_device(name: str) -> bool:
    """Return True if `name` is a valid device name."""
    return 0 < len(name) <= 32 and all(c in _DEVICE_CHARACTERS for c in name)


def topic(device: str, leaf: str) -> str:
    """Return the topic of a device's leaf. Raises BadTopic."""
    if not is_device(device) or leaf not in FROM_SENSOR + TO_SENSOR:
        raise BadTopic("no topic for device %r, leaf %r" % (device, leaf))
    return "%s/%s/%s" % (ROOT, device, leaf)


def parse(text: str) -> tuple:
    """Return (device, leaf) of a topic. Raises BadTopic."""
    parts = text.split("/")
    if len(parts) != 4 or "/".join(parts[:2]) != ROOT:
        raise BadTopic("%r is not %s/<device>/<leaf>" % (text[:80], ROOT))
    if not is_device(parts[2]) or parts[3] not in FROM_SENSOR + TO_SENSOR:
        raise BadTopic("%r has no known device or leaf" % text[:80])
    return parts[2], parts[3]


def everyone(leaf: str) -> str:
    """Return the subscription filter for one leaf of all devices."""
    return "%s/+/%s" % (ROOT, leaf)
