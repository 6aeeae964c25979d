"""
Runs on MicroPython (see test_base.py): decodes and seals messages of a file or of stdin, prints the results as JSON.
"""

import json
import sys

from ansim import envelope, messages, settings, topics
from ansim.decode import UnknownVersion, decode_message

key = bytes(range(32))
for line in open(sys.argv[1]) if len(sys.argv) > 1 else sys.stdin:  # noqa: SIM115
    case = json.loads(line)
    result = {}
    try:
        body = case["json"].encode()
        message = decode_message(case["leaf"], body)
        topic = topics.topic("hall-1", case["leaf"])
        sealed = envelope.seal(key, topic, body)
        result["sealed"] = sealed.decode()
        result["digest"] = envelope.digest(body)
        result["opened"] = envelope.unseal(key, topic, sealed) == body
        result["round_trip"] = decode_message(case["leaf"], messages.encode(message)) == message
        result["version_2"] = "accepted"
        decode_message(case["leaf"], b'{"v":3}')
    except UnknownVersion:
        result["version_2"] = "refused"
    print(json.dumps(result))

try:
    settings.checked({"device": "Hall", "key": 1, "port": True, "nonsense": 0})
except settings.BadSettings as error:
    print(json.dumps(sorted(str(error).split("\n"))))
