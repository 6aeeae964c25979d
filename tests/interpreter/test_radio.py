"""The radios of the firmware, on the real MicroPython and the simulated chip."""

import socket

import pytest

from tests.support import brokers
from tests.support.simulated_board import ROUTER, SILENCE, SMALL_SCENE, Board

START = """
    import asyncio, json, network
    from firmware.network.clock import Clock
    from firmware.radio import ble, sniffer, wifi_scan
    wlan = network.WLAN(network.WLAN.IF_STA)
    clock = Clock()
"""


def test_the_sniffer_returns_frames_of_its_channel_only(board):
    on_6, on_3 = board.run(
        START
        + """
    receiver = sniffer.Sniffer(wlan, sniffer.ALL_KINDS)

    async def main():
        for channel in (6, 3):
            heard = []
            await receiver.tune(channel)
            for _ in range(10):
                await asyncio.sleep_ms(40)
                receiver.drain(lambda records, count: heard.extend([records[at * 36 + 11] for at in range(count)]))
            print(json.dumps(heard))
        receiver.stop()

    asyncio.run(main())
    """
    )

    assert len(on_6) > 30
    assert set(on_6) == {6}
    assert on_3 == []


def test_undecodable_frames_and_lost_records_are_counted(tmp_path):
    scene = {**SMALL_SCENE, "emitters": [{**SMALL_SCENE["emitters"][0], "undecodable": True}]}
    (undecodable, lost), (_, late), total = Board(tmp_path, scene).run(
        START
        + """
    import time
    receiver = sniffer.Sniffer(wlan, sniffer.ALL_KINDS)

    async def main():
        await receiver.tune(6)
        await asyncio.sleep_ms(1000)
        print(json.dumps(receiver.drain(lambda records, count: None)))
        time.sleep_ms(20000)
        print(json.dumps(receiver.drain(lambda records, count: None)))
        print(receiver.dropped)

    asyncio.run(main())
    """
    )

    assert undecodable > 50
    assert lost == 0
    assert late > 500
    assert total == late


def test_draining_allocates_nothing_for_each_record(board):
    few, many = board.run(
        START
        + """
    import gc
    from firmware import shared_buffer
    receiver = sniffer.Sniffer(wlan, sniffer.ALL_KINDS)
    take = lambda records, count: None

    async def main():
        await receiver.tune(6)
        for ms in (40, 400):
            await asyncio.sleep_ms(ms)
            rfsniff = sniffer.rfsniff
            rfsniff.stats()
            before = gc.mem_alloc()
            while rfsniff.readinto(shared_buffer.buffer) == sniffer.BATCH_RECORDS:
                sniffer.count_undecodable(shared_buffer.buffer, sniffer.BATCH_RECORDS)
            print(gc.mem_alloc() - before)

    gc.disable()
    asyncio.run(main())
    """
    )

    # The simulated module makes a few objects for each batch, the real one none; the firmware makes none for a record.
    assert many < few + 20 * 300


@pytest.mark.parametrize(("kinds", "expected"), [("MANAGEMENT_ONLY", {0}), ("ALL_KINDS", {0, 1, 2})])
def test_the_sniffer_can_be_limited_to_management_frames(board, kinds, expected):
    (heard,) = board.run(
        START
        + f"""
    receiver = sniffer.Sniffer(wlan, sniffer.{kinds})

    async def main():
        heard = set()
        await receiver.tune(6)
        for _ in range(30):
            await asyncio.sleep_ms(40)
            receiver.drain(lambda records, count: heard.update([records[at * 36 + 13] & 15 for at in range(count)]))
        print(json.dumps(sorted(heard)))

    asyncio.run(main())
    """
    )

    assert set(heard) == expected


def test_a_scan_lists_access_points_strongest_first_with_their_names(board):
    (rows,) = board.run(
        START
        + """
    access_points = []
    while len(access_points) < 2:
        access_points = wifi_scan.scan(wlan, clock.now_ms())
    print(json.dumps([(row.ssid, row.channel, row.security, len(row.bssid)) for row in access_points]))
    """
    )

    assert rows == [["hall", 6, 3, 6], ["cafe", 1, 0, 6]]


CHANNEL_13 = {
    "duration_s": 60,
    "access_points": [{"ssid": "hall", "bssid": ROUTER, "channel": 13, "rssi_dbm": -55, "auth": "wpa2-psk"}],
}


@pytest.mark.parametrize(("country", "heard"), [("KR", True), ("US", False), ("", False)])
def test_scan_and_uplink_use_channel_13_only_where_the_country_has_it(tmp_path, country, heard):
    """Without a country the chip uses channels 1 to 11; networks on 13 are common in Korea."""
    (scanned, joined) = Board(tmp_path, CHANNEL_13).run(
        f"""
        import asyncio, json, network
        from firmware.network.wifi_and_ethernet import NoUplink, Wifi
        from firmware.radio import sniffer, wifi_scan
        wlan = network.WLAN(network.WLAN.IF_STA)
        country = {country!r}
        if country:
            sniffer.set_country(country)
        scanned = any([wifi_scan.scan(wlan, 0) for _ in range(3)])
        uplink = Wifi(wlan, [dict(ssid="hall", password="12345678")])
        try:
            asyncio.run(uplink.join(15000))
        except NoUplink:
            pass
        print(json.dumps(scanned))
        print(json.dumps(uplink.is_up()))
        """
    )

    assert (scanned, joined) == (heard, heard)


def test_a_name_that_is_not_utf8_is_shown_byte_by_byte():
    from firmware.radio.wifi_scan import ssid_text

    assert ssid_text("화장실".encode()) == "화장실"
    assert ssid_text(b"caf\xe9\x00") == "caf?"


@pytest.mark.parametrize(("idf_bytes", "stays_on"), [(253000, True), (163000, False)])
def test_advertisements_are_copied_and_bluetooth_stays_on_where_memory_allows(board, idf_bytes, stays_on):
    (board.world / "idf_bytes").write_text(str(idf_bytes))
    (heard, active, dropped) = board.run(
        START
        + """
    import bluetooth
    heard = []

    async def main():
        for _ in range(5):
            heard.clear()
            dropped = await ble.listen(3000, clock.now_ms, heard.append)
        print(json.dumps([(seen.address.hex(), seen.address_type, seen.payload[2:].decode()) for seen in heard]))
        print(bluetooth.BLE().active())
        print(dropped)

    asyncio.run(main())
    """
    )

    assert 3 <= len(heard) <= 7
    assert {tuple(row) for row in heard} == {("c2de48050001", 1, "watch")}
    assert (active in ("True", True), dropped) == (stays_on, 0)


def test_a_chip_whose_memory_leaks_is_used_up_once_an_hour_has_passed(board):
    (board.world / "idf_bytes").write_text("133000")
    lines = board.run(
        START
        + """
    from firmware.maintenance import chip_memory

    async def main():
        print(json.dumps([chip_memory.measure()[0], chip_memory.is_used_up(3600000)]))
        while ble.has_memory():
            await ble.listen(100, clock.now_ms, lambda seen: None)
        print(json.dumps([chip_memory.measure()[0], chip_memory.is_used_up(0), chip_memory.is_used_up(3600000)]))

    asyncio.run(main())
    """
    )

    (before, _), (after, early, late) = lines
    assert lines[0][1] is False and (early, late) == (False, True)
    assert before - after > 12 * 1024


def test_wifi_bluetooth_and_tls_draw_from_one_memory_of_the_chip(silent_board):
    (silent_board.world / "idf_bytes").write_text("150000")
    lines = silent_board.run(
        """
    import bluetooth, json, network
    from firmware.maintenance import chip_memory

    print(chip_memory.measure()[0])
    wlan = network.WLAN(network.WLAN.IF_STA)
    print(chip_memory.measure()[0])
    wlan.active(True)
    print(chip_memory.measure()[0])
    wlan.active(False)
    print(chip_memory.measure()[0])
    bluetooth.BLE().active(True)
    print(chip_memory.measure()[0])
    """
    )

    assert [line // 1000 for line in lines] == [150, 105, 97, 105, 53]


LISTENER = (
    START
    + """
    from firmware.radio.listener import Listener, RadioFailed
    from firmware.radio.plan import SCAN, Step
    from firmware.radio.radios import Radios

    class Plan:
        def next(self, now_ms, candidates):
            return Step(SCAN, 0, 2000)

    class Quiet:
        # An engine that finds nothing, or a CrashCounter.

        def __getattr__(self, name):
            return lambda *arguments: []

    def shrink(name, size):
        with open("/.world/" + name, "w") as file:
            file.write(str(size))

    listener = Listener(Plan(), Quiet(), Radios(wlan, None, None, []), clock, Quiet(), None, None)
"""
)


@pytest.mark.parametrize(("name", "size"), [("idf_free", 5000), ("idf_largest", 3000)])
def test_wifi_that_gets_no_memory_is_a_refusal_of_the_radio(board, name, size):
    """MicroPython raises a RuntimeError then, not an OSError."""
    lines = board.run(
        LISTENER
        + f"""
    from firmware.network.wifi_and_ethernet import NoUplink, Wifi

    shrink("{name}", {size})

    async def main():
        try:
            await Wifi(wlan, []).join(5000)
        except NoUplink as error:
            print(json.dumps(str(error)))
        try:
            while True:
                await listener.step()
        except RadioFailed as error:
            print(json.dumps([str(error), listener.radio_errors]))

    asyncio.run(main())
    """
    )

    assert lines == ["the radio refuses: Wifi Unknown Error 0x0101", ["scan: Wifi Unknown Error 0x0101", 5]]


def test_bluetooth_gives_way_to_wifi_that_gets_no_memory(board):
    lines = board.run(
        LISTENER
        + """
    import bluetooth

    bluetooth.BLE().active(True)
    shrink("idf_bytes", 100000)

    async def main():
        for _ in range(2):
            await listener.step()
        print(json.dumps([listener.radio_errors, bluetooth.BLE().active(), wlan.active()]))

    asyncio.run(main())
    """
    )

    assert lines == [[1, False, True]]


def test_memory_in_pieces_too_small_for_tls_ends_the_connection_and_after_an_hour_the_run(silent_board, tmp_path):
    brokers.certificate(tmp_path, "ca")
    (silent_board.flash / "ca.pem").write_bytes((tmp_path / "ca.pem").read_bytes())
    (silent_board.world / "idf_largest").write_text("16000")

    with socket.create_server(("127.0.0.1", 0)) as server:
        lines = silent_board.run(
            """
    import asyncio, json, machine
    from firmware.maintenance import chip_memory
    from firmware.network import mqtt

    machine.RTC().datetime((2024, 1, 2, 0, 0, 0, 0, 0))
    try:
        client = mqtt.Client("a", "b", "c")
        asyncio.run(client.connect("127.0.0.1", PORT, mqtt.tls_context(open("/ca.pem").read())))
    except mqtt.BrokerError as error:
        print(str(error).split(": ", 1)[1])
    print(json.dumps([chip_memory.is_used_up(ms, True) for ms in (60000, 3600000)]))
    print(json.dumps(chip_memory.is_used_up(3600000)))
    """.replace("PORT", str(server.getsockname()[1]))
        )

    assert lines == ["MBEDTLS_ERR_SSL_ALLOC_FAILED", [False, True], False]


def test_bluetooth_without_memory_crashes_the_chip(board):
    (board.world / "idf_bytes").write_text("50000")

    assert board.run(START + "    import bluetooth\n    bluetooth.BLE().active(True)\n    print('on')\n") == []
    assert board.reset_cause() == "PANIC"


def test_a_flood_of_advertisements_is_bounded_and_counted(tmp_path):
    advertisers = [
        {"addr": f"c2:de:48:05:01:{number:02x}", "addr_type": 1, "name": "x", "rssi_dbm": -60, "interval_ms": 20}
        for number in range(100)
    ]
    (heard, dropped) = Board(tmp_path, {**SILENCE, "ble": advertisers}).run(
        START
        + """
    heard = []

    async def main():
        dropped = await ble.listen(1000, clock.now_ms, heard.append)
        print(len(heard))
        print(dropped)

    asyncio.run(main())
    """
    )

    assert 300 < heard <= 48 * 40
    assert dropped > 0
