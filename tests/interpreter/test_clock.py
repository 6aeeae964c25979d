"""The clock on the real MicroPython: its sockets are not CPython's."""

import json
import socket
import subprocess
import threading

from tests.conftest import ROOT
from tests.unit.firmware.network.test_clock import NOW_S, answer_one, ntp_answer

SCRIPT = """
import asyncio, json
from firmware.network.clock import Clock
clock = Clock()
async def ask():
    return [await clock.ask_ntp("127.0.0.1", 100, {closed}), await clock.ask_ntp("127.0.0.1", 1000, {port})]
print(json.dumps([asyncio.run(ask()), clock.time_s(), clock.source]))
"""


def test_it_asks_an_ntp_server(micropython):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, socket.socket(socket.AF_INET) as closed:
        server.bind(("127.0.0.1", 0))
        closed.bind(("127.0.0.1", 0))
        script = SCRIPT.format(closed=closed.getsockname()[1], port=server.getsockname()[1])
        thread = threading.Thread(target=answer_one, args=(server, ntp_answer))
        thread.start()

        done = subprocess.run(
            [micropython, "-c", script], env={"MICROPYPATH": f"{ROOT}:.frozen"}, capture_output=True, text=True
        )
        thread.join(5)

    answers, time_s, source = json.loads(done.stdout or "0") or [done.stderr] * 3
    assert (answers, source) == ([False, True], "ntp") and 0 <= time_s - NOW_S <= 1
