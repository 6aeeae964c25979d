"""
Who may write and read which topics at the embedded broker; see ansim/topics.py.

A sensor writes its own leaves and reads its own cmd and stored. The ingest process reads
what all sensors write and writes what all sensors read. Nobody else does anything.
"""

from ansim import topics

SERVICE = "_ingest"  # no sensor's name has an underscore
_READS = tuple(topics.everyone(leaf) for leaf in topics.FROM_SENSOR)


def client_id_fits(user: str, client_id: str) -> bool:
    """A sensor's client id is its name; ingest workers have one each. So nobody can end another one's connection."""
    if user == SERVICE:
        return client_id.startswith(SERVICE + "-")
    return client_id == user


def may_write(user: str, topic: str) -> bool:
    """May this user publish on this topic?"""
    device, leaf = _parse(topic)
    if device is None:
        return False
    if user == SERVICE:
        return leaf in topics.TO_SENSOR
    return device == user and leaf in topics.FROM_SENSOR


def may_read(user: str, wanted: str) -> bool:
    """May this user subscribe to this filter, or receive what was published on this topic?"""
    if user == SERVICE and wanted in _READS:
        return True
    device, leaf = _parse(wanted)
    if device is None:
        return False
    if user == SERVICE:
        return leaf in topics.FROM_SENSOR
    return device == user and leaf in topics.TO_SENSOR


def _parse(topic):
    try:
        return topics.parse(topic)
    except topics.BadTopic:
        return None, None
