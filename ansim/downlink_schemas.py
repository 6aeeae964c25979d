"""
Schemas (schema.py) of the messages to a sensor: cmd, stored and part.

A schema is made when it is needed and freed afterwards, because a sensor has little memory.
"""

from ansim import messages, topics
from ansim.schema import ADDRESS, ANY_OBJECT, BOOL

MAX_COUNT = (1 << 31) - 1
MAX_TIME_S = 1 << 34
PART_CHARS = 4096


def message(leaf: str) -> dict:
    """Return the schema of the messages on a leaf: topics.CMD, topics.STORED or topics.PART."""
    version = ("one_of", (messages.FORMAT_VERSION,))
    if leaf == topics.STORED:
        # one row per boot, newest last: boot, highest seq up to which every report is stored
        row = ("row", (("int", 1, MAX_COUNT), ("int", 0, MAX_COUNT)))
        return {"v": version, "upto": ("list", row, 1, 8)}
    if leaf == topics.PART:
        # `data` is base64 of the bytes from `offset` on; "" if the file is unknown or ends there
        data = ("text", 0, PART_CHARS)
        return {"v": version, "sha256": ("hex", 64), "offset": ("int", 0, MAX_COUNT), "data": data}
    return {
        "v": version,
        "id": ("text", 1, 40),
        "name": ("text", 1, 32),
        "expires_s": ("int", 0, MAX_TIME_S),  # the sensor refuses it afterwards; see arguments() for TIME
        "args": ANY_OBJECT,
    }


def arguments(name: str) -> dict | None:
    """Return the schema of a command's arguments, or None if there is no such command."""
    seconds = ("int", 1, 600)
    channel = ("int", 1, 177)
    count = ("int", 0, MAX_COUNT)
    if name == messages.INSPECTION_START:
        return {"inspection": ("text", 1, 40), "known": ("list", ADDRESS, 0, 64)}
    if name == messages.INSPECTION_STOP:
        return {"inspection": ("text", 1, 40)}
    if name == messages.TIME:
        # Valid only if `nonce` is that of the sensor's newest state message, so that an old answer
        # cannot set its clock. The only command that is taken while the time is unknown.
        return {"time_s": ("int", 0, MAX_TIME_S), "nonce": ("text", 8, 16)}
    if name == messages.DWELL:
        return {"channel": channel, "seconds": seconds}
    if name == messages.LOCATE:
        return {"subject": ADDRESS, "channel": channel, "seconds": seconds}
    if name == messages.SLOTS:
        # one row per slot: start and length in ms after the command, 1 for movement or 0 for stillness
        slot = ("row", (count, ("int", 100, 60000), ("int", 0, 1)))
        return {"subject": ADDRESS, "channel": channel, "slots": ("list", slot, 2, 40)}
    if name == messages.RUN_SELFTEST:
        # `emitter` sends the test signal now; `quiet`: no other transmitter is near, so the nRF24 can learn its own
        # tones
        return {"emitter?": ADDRESS, "quiet?": BOOL}
    if name == messages.SETTINGS:
        return {"changes": ANY_OBJECT}
    if name == messages.SIGNATURES:
        digest = ("hex", 64)
        return {"table": ("text", 1, 16), "bytes": count, "sha256": digest, "offset": count, "data": ("text", 0, 8192)}
    if name == messages.UPDATE:
        # `bytes` and `sha256` of the manifest, requested as any other file is (firmware/maintenance/program_update.py)
        digest = ("hex", 64)
        return {"version": ("text", 1, 32), "bytes": ("int", 1, 65536), "sha256": digest, "hmac": digest}
    if name == messages.WIPE:
        return {"device": ("text", 1, 32)}
    if name in (messages.RESTART, messages.TEST_SIGNAL):
        return {}
    return None
