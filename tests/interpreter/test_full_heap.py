"""What a full heap must not break, on the real MicroPython."""

import inspect
import textwrap

from tests.support import full_heap
from tests.support.micropython import run_json

UPLOAD = """
    import asyncio, gc, json, network
    from firmware.journal.journal import Journal
    from firmware.network.clock import Clock
    from firmware.network.command_receiver import Commands
    from firmware.network.server_connection import MAX_MEMORY_FAILURES, Connection
    from firmware.network.wifi_and_ethernet import Wifi
    from ansim import settings

    values = settings.checked({"device": "hall-1", "key": "ab" * 32, "broker": "localhost", "port": 1, "tls": False,
                               "wifi": [{"ssid": "hall", "password": "correct horse"}]})
    clock = Clock()
    journal = Journal("/journal", 65536, clock)
    journal.open()
    uplink = Wifi(network.WLAN(network.WLAN.IF_STA), values["wifi"])
    commands = Commands("hall-1", bytes(32), clock)
    connection = Connection(values, journal, clock, commands, uplink, dict)

    async def upload(free_bytes):
        ballast = fill(free_bytes)
        return await connection.upload(20000)

    async def main():
        for free_bytes in range(2000, 4500, 250):
            connection._memory_failures = 0
            done = await upload(free_bytes)
            gc.collect()
            print(json.dumps([done, connection.problem]))
            while clock.now_ms() < connection._not_before_ms:
                await asyncio.sleep(1)
        connection._memory_failures = MAX_MEMORY_FAILURES - 1
        try:
            await upload(2500)
        except MemoryError:
            print(json.dumps("raised"))
"""


def test_reports_keep_their_order_and_seq_if_the_heap_is_full(micropython, tmp_path):
    ((failed, worked, problems),) = run_json(
        micropython, "tests/interpreter/full_heap_on_micropython.py", tmp_path, heap="400k"
    )

    assert problems == []
    assert failed > 20 and worked > 20


def test_an_upload_without_memory_is_a_failed_upload_until_it_repeats(board):
    *failures, last = board.run(
        inspect.getsource(full_heap) + textwrap.dedent(UPLOAD) + "\nasyncio.run(main())\n", heap="400k"
    )

    said = [row for row in failures if isinstance(row, list)]
    assert len(said) == 10 and all(row[0] is False for row in said), failures
    assert [False, "out of memory"] in said
    assert last == "raised"


UPKEEP = """
    import json
    from ansim import messages
    from firmware.maintenance.maintenance_commands import MaintenanceCommands

    upkeep = MaintenanceCommands({"device": "hall-1", "key": "ab" * 32}, False, None, None, None)
    args = {"version": "2", "bytes": 5, "sha256": "0" * 64, "hmac": "0" * 64}
    print(json.dumps([upkeep.info_fields().get("updates"), dict(upkeep.handlers())[messages.UPDATE](args, "c1")]))
"""


def test_a_board_without_psram_says_that_it_is_updated_by_usb_and_refuses_updates(board):
    assert board.run(UPKEEP) == [[None, ""]]
    (board.world / "no_psram").touch()

    assert board.run(UPKEEP) == [["usb", "usb_only"]]
