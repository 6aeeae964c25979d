"""The clock on the real MicroPython, whose sockets differ from CPython's."""

import json
import socket
import threading

from tests.support.micropython import run
from tests.support.ntp import NOW_S, answer_one

CODE = """
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
        code = CODE.format(closed=closed.getsockname()[1], port=server.getsockname()[1])
        thread = threading.Thread(target=answer_one, args=(server,))
        thread.start()

        answers, time_s, source = json.loads(run(micropython, "-c", code))
        thread.join(5)

    assert (answers, source) == ([False, True], "ntp") and 0 <= time_s - NOW_S <= 1
