"""
What a message to a sensor must look like: the tables behind report.decode() for cmd, stored and part.

A rule is made when it is asked for and thrown away after, because a sensor's memory is short.
"""

from ansim import messages, topics
from ansim.schema import address, any_object, hexadecimal, items, one_of, record, row, text, true_or_false, whole

MAX_COUNT = (1 << 31) - 1
MAX_TIME_S = 1 << 34
PART_CHARS = 4096


def message(leaf):
    """Return the rule for the messages on a leaf, topics.CMD, topics.STORED or topics.PART."""
    version = one_of(messages.FORMAT_VERSION)
    if leaf == topics.STORED:
        # one row a boot, newest last: boot, highest seq up to which every report is stored
        return record({"v": version, "upto": items(row(whole(1, MAX_COUNT), whole(0, MAX_COUNT)), 8, 1)})
    if leaf == topics.PART:
        # `data` is base64 of the bytes from `offset` on; "" if the server has no such file or it ends there
        fields = {"v": version, "sha256": hexadecimal(64), "offset": whole(0, MAX_COUNT), "data": text(PART_CHARS)}
        return record(fields)
    return record(
        {
            "v": version,
            "id": text(40, 1),
            "name": text(32, 1),
            "expires_s": whole(0, MAX_TIME_S),  # the sensor refuses it after this time; see arguments(TIME)
            "args": any_object,
        }
    )


def arguments(name):
    """Return the rule for the arguments of a command, or None if there is no such command."""
    fields = _fields(name)
    return None if fields is None else record(fields)


def _fields(name):
    seconds = whole(1, 600)
    channel = whole(1, 13)
    count = whole(0, MAX_COUNT)
    if name == messages.INSPECTION_START:
        return {"inspection": text(40, 1), "known": items(address, 64)}
    if name == messages.INSPECTION_STOP:
        return {"inspection": text(40, 1)}
    if name == messages.TIME:
        # Only good if `nonce` is the one of the sensor's newest state message: so an old
        # answer cannot set its clock. The one command that is taken while the time is unknown.
        return {"time_s": whole(0, MAX_TIME_S), "nonce": text(16, 8)}
    if name == messages.DWELL:
        return {"channel": channel, "seconds": seconds}
    if name == messages.LOCATE:
        return {"subject": address, "channel": channel, "seconds": seconds}
    if name == messages.SLOTS:
        # one row a slot: start and length in ms after the command, 1 movement asked or 0 stillness
        slot = row(count, whole(100, 60000), whole(0, 1))
        return {"subject": address, "channel": channel, "slots": items(slot, 40, 2)}
    if name == messages.RUN_SELFTEST:
        # `emitter` sends the test signal now; `quiet`: nothing else does, so the nRF24 can learn its own tones
        return {"emitter?": address, "quiet?": true_or_false}
    if name == messages.SETTINGS:
        return {"changes": any_object}
    if name == messages.SIGNATURES:
        digest = hexadecimal(64)
        return {"table": text(16, 1), "bytes": count, "sha256": digest, "offset": count, "data": text(8192)}
    if name == messages.UPDATE:
        # `bytes` and `sha256` of the manifest, which is asked for as any other file; see firmware/maintenance/update.py
        digest = hexadecimal(64)
        return {"version": text(32, 1), "bytes": whole(1, 65536), "sha256": digest, "hmac": digest}
    if name == messages.WIPE:
        return {"device": text(32, 1)}
    if name == messages.RESTART:
        return {}
    return None
