"""Messages, envelope and settings on the real MicroPython: the same bytes and refusals as on CPython."""

import json

from ansim import envelope, settings, topics
from tests.support.message_examples import EXAMPLES
from tests.support.micropython import run_json

KEY = bytes(range(32))


def test_micropython_seals_and_checks_every_message_as_cpython_does(micropython):
    bodies = [(leaf, json.dumps(message)) for leaf, message in EXAMPLES]
    cases = "".join(json.dumps({"leaf": leaf, "json": body}) + "\n" for leaf, body in bodies)

    *results, problems = run_json(micropython, "tests/interpreter/base_on_micropython.py", stdin=cases)

    for (leaf, body), result in zip(bodies, results, strict=True):
        sealed = envelope.seal(KEY, topics.topic("hall-1", leaf), body.encode()).decode()
        assert result == {
            "sealed": sealed,
            "digest": envelope.digest(body.encode()),
            "opened": True,
            "round_trip": True,
            "version_2": "refused",
        }
    try:
        settings.checked({"device": "Hall", "key": 1, "port": True, "nonsense": 0})
    except settings.BadSettings as error:
        assert problems == sorted(str(error).splitlines())
