"""The shared base on the real MicroPython: same bytes, same refusals as on CPython."""

import json
import subprocess

from ansim import envelope, settings, topics
from tests.conftest import ROOT
from tests.unit.ansim.test_messages import EXAMPLES

KEY = bytes(range(32))


def test_micropython_seals_and_checks_every_message_as_cpython_does(micropython):
    bodies = [(leaf, json.dumps(message)) for leaf, message in EXAMPLES]
    script = ROOT / "tests/interpreter/base_on_micropython.py"
    asked = "".join(json.dumps({"leaf": leaf, "json": body}) + "\n" for leaf, body in bodies)

    done = subprocess.run(
        [micropython, str(script)], input=asked, capture_output=True, text=True, cwd=ROOT, env=ENVIRONMENT
    )

    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(bodies) + 1, done.stderr
    for (leaf, body), answer in zip(bodies, answers, strict=False):
        sealed = envelope.seal(KEY, topics.topic("hall-1", leaf), body.encode()).decode()
        assert answer == {
            "sealed": sealed,
            "digest": envelope.digest(body.encode()),
            "opened": True,
            "again": True,
            "version_2": "refused",
        }
    try:
        settings.checked({"device": "Hall", "key": 1, "port": True, "nonsense": 0})
    except settings.BadSettings as error:
        assert answers[-1] == sorted(str(error).splitlines())


ENVIRONMENT = {"MICROPYPATH": f"{ROOT}:.frozen"}
