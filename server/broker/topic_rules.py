"""
Access rules of the embedded broker: which user may write and read which topics (ansim/topics.py).

A sensor writes its own state, info, report, live, ack and want, and reads its own cmd, stored and
part. The ingest process reads what all sensors write, and writes what they read, and the announcements for Home
Assistant. The reader, an account for other programs, reads the sensors' state and info and these announcements, and
writes nothing: reports and proximity hold hardware addresses.
"""

from ansim import topics

SERVICE = "_ingest"  # no sensor's name has an underscore
READER = "_reader"
READABLE = (topics.STATE, topics.INFO)  # by the reader
DISCOVERY = "homeassistant/"
_SERVICE_FILTERS = tuple(topics.everyone(leaf) for leaf in topics.FROM_SENSOR)


def client_id_fits(user: str, client_id: str) -> bool:
    """
    Return True if the client id is the user's: the name of a sensor, one of its own for each ingest worker.

    So no client can end another one's connection.
    """
    if user in (SERVICE, READER):
        return client_id.startswith(user + "-")
    return client_id == user


def discovery_topic(device: str) -> str:
    """Return the topic of a sensor's announcement for Home Assistant."""
    return f"{DISCOVERY}device/ansim_{device}/config"


def may_write(user: str, topic: str) -> bool:
    """Return True if this user may publish on this topic."""
    if user == SERVICE and topic.startswith(DISCOVERY):
        return True
    device, leaf = _parse(topic)
    if device is None:
        return False
    if user == SERVICE:
        return leaf in topics.TO_SENSOR
    return device == user and leaf in topics.FROM_SENSOR


def may_read(user: str, topic_filter: str) -> bool:
    """Return True if this user may subscribe to this filter, or receive messages of this topic."""
    if user == SERVICE and topic_filter in _SERVICE_FILTERS:
        return True
    if user == READER:
        return _reader_may_read(topic_filter)
    device, leaf = _parse(topic_filter)
    if device is None:
        return False
    if user == SERVICE:
        return leaf in topics.FROM_SENSOR
    return device == user and leaf in topics.TO_SENSOR


def _reader_may_read(topic_filter):
    if topic_filter.startswith(DISCOVERY):
        return True
    if topic_filter in [topics.everyone(leaf) for leaf in READABLE]:
        return True
    return _parse(topic_filter)[1] in READABLE


def _parse(topic):
    try:
        return topics.parse(topic)
    except topics.BadTopic:
        return None, None
