"""Runs on MicroPython (see test_base.py): the shared base gives the same bytes as on CPython."""

import json
import sys

from ansim import envelope, messages, settings, topics
from ansim.decode import UnknownVersion, decode_message

key = bytes(range(32))
for line in sys.stdin:
    case = json.loads(line)
    answer = {}
    try:
        body = case["json"].encode()
        message = decode_message(case["leaf"], body)
        topic = topics.topic("hall-1", case["leaf"])
        sealed = envelope.seal(key, topic, body)
        answer["sealed"] = sealed.decode()
        answer["digest"] = envelope.digest(body)
        answer["opened"] = envelope.unseal(key, topic, sealed) == body
        answer["again"] = decode_message(case["leaf"], messages.encode(message)) == message
        answer["version_2"] = "accepted"
        decode_message(case["leaf"], b'{"v":2}')
    except UnknownVersion:
        answer["version_2"] = "refused"
    print(json.dumps(answer))

try:
    settings.checked({"device": "Hall", "key": 1, "port": True, "nonsense": 0})
except settings.BadSettings as error:
    print(json.dumps(sorted(str(error).split("\n"))))
