"""The simulated hardware behaves as the real hardware, as far as the firmware depends on it."""

import socket

import pytest

from tests.support import brokers
from tests.support.simulated_board import SMALL_SCENE, Board

SNIFF = """
    import network, rfsniff, time, json
    wlan = network.WLAN(network.WLAN.IF_STA)
    wlan.active(True)
    buffer = bytearray(36 * 64)

    def hear(ms):
        heard = []
        until = time.ticks_ms() + ms
        while time.ticks_ms() < until:
            time.sleep_ms(20)
            while True:
                count = rfsniff.readinto(buffer)
                heard += [(buffer[start + 11], buffer[start + 13] & 15) for start in range(0, count * 36, 36)]
                if count < 64:
                    break
        return heard
"""


def test_the_sniffer_hears_only_the_channel_it_is_tuned_to(board):
    (on_6, on_1, on_2) = board.run(
        SNIFF
        + """
    rfsniff.start(6, 15)
    for channel in (6, 1, 2):
        rfsniff.channel(channel)
        hear(60)  # records of the previous channel in the ring
        print(json.dumps(hear(1000)))
    """
    )

    assert len(on_6) > 60
    assert {channel for channel, _ in on_6} == {6}
    assert {channel for channel, _ in on_1} == {1}
    assert on_2 == []


def test_a_change_of_channel_does_not_clear_the_ring(board):
    (heard,) = board.run(
        SNIFF
        + """
    rfsniff.start(6, 15)
    time.sleep_ms(300)
    rfsniff.channel(2)
    print(json.dumps(hear(100)))
    """
    )

    assert {channel for channel, _ in heard} == {6}


def test_the_filter_excludes_other_kinds_of_frames(board):
    (heard,) = board.run(
        SNIFF
        + """
    rfsniff.start(6, rfsniff.MANAGEMENT)
    print(json.dumps(hear(1000)))
    """
    )

    assert {kind for _, kind in heard} == {0}
    assert 5 <= len(heard) <= 15  # beacons of one access point


def test_a_ring_that_is_not_read_keeps_the_oldest_records_and_counts_the_rest(board):
    (waiting, pushed, dropped), heard = board.run(
        SNIFF
        + """
    rfsniff.start(6, 15)
    time.sleep_ms(20000)
    print(json.dumps(rfsniff.stats()))
    print(json.dumps(len(hear(1))))
    """
    )

    assert waiting == pushed == 512
    assert dropped > 500
    assert 512 <= heard <= 600


def test_time_in_the_records_goes_on_when_the_scene_is_repeated(tmp_path):
    board = Board(tmp_path, {**SMALL_SCENE, "duration_s": 2})

    (times,) = board.run(
        SNIFF
        + """
    import struct
    rfsniff.start(6, 15)
    times = []
    for _ in range(250):
        time.sleep_ms(20)
        count = rfsniff.readinto(buffer)
        times += [struct.unpack_from("<I", buffer, start)[0] for start in range(0, count * 36, 36)]
    print(json.dumps(times))
    """
    )

    assert times == sorted(times)
    assert 4_000_000 < times[-1] < 6_000_000


def test_the_sniffer_needs_wifi_and_a_channel_that_exists(board):
    answers = board.run(
        """
    import network, rfsniff
    for channel, kinds, active in ((6, 15, False), (0, 15, True), (15, 15, True), (6, 0, True), (6, 15, True)):
        network.WLAN(0).active(active)
        try:
            rfsniff.start(channel, kinds)
            print("started")
        except (OSError, ValueError) as error:
            print(type(error).__name__)
    """
    )

    assert answers == ["OSError", "ValueError", "ValueError", "ValueError", "started"]


def test_a_connected_station_holds_the_channel_and_the_sniffer_hears_nothing(board):
    refused, heard, again = board.run(
        SNIFF
        + """
    rfsniff.start(6, 15)
    wlan.connect("hall", "whatever")
    while not wlan.isconnected():
        time.sleep_ms(50)
    hear(20)
    try:
        rfsniff.channel(1)
        print("tuned")
    except OSError:
        print("refused")
    print(len(hear(1000)))
    wlan.disconnect()
    print(len(hear(1000)))
    """
    )

    assert (refused, heard) == ("refused", 0)
    assert again > 50


def test_a_scan_takes_two_seconds_lists_the_access_points_and_leaves_the_sniffer_deaf(board):
    rows, took_ms, heard = board.run(
        SNIFF
        + """
    rfsniff.start(6, 15)
    began = time.ticks_ms()
    rows = wlan.scan()
    print(json.dumps([(row[0].decode(), row[2], row[4]) for row in rows]))
    print(time.ticks_ms() - began)
    print(rfsniff.readinto(buffer))
    """
    )

    assert {("hall", 6, 3), ("cafe", 1, 0)} >= {tuple(row) for row in rows}
    assert rows
    assert 1500 <= took_ms <= 2500
    assert heard < 5


JOIN = """
    import network, time, _simulation
    wlan = network.WLAN(network.WLAN.IF_STA)
    wlan.active(True)
    wlan.config(reconnects=0)

    def join(name, password, ms=4000):
        wlan.connect(name, password)
        time.sleep_ms(50)
        at_once = wlan.status()
        time.sleep_ms(ms)
        print(at_once, wlan.status(), wlan.isconnected())
"""


def test_the_status_keeps_the_reason_of_a_failure_until_there_is_an_address(board):
    (board.world / "wifi_password").write_text("right")

    answers = board.run(
        JOIN
        + """
    for name, password in (("nowhere", "right"), ("hall", "wrong"), ("hall", "right")):
        join(name, password)
        wlan.disconnect()
    join("hall", "right")
    _simulation.save("no_wifi", "")
    print(wlan.isconnected(), wlan.status())
    """
    )

    assert answers == ["1001 201 False", "201 202 False", "202 1010 True", "8 1010 True", "False 200"]


def test_joining_takes_seconds_and_the_radio_refuses_other_things_meanwhile(board):
    answers = board.run(
        JOIN
        + """
    join("hall", "any", 1000)
    print(wlan.scan())
    try:
        wlan.connect("hall", "any")
    except OSError as error:
        print(error)
    time.sleep_ms(500)
    print(wlan.status("rssi") < 0, wlan.isconnected())
    time.sleep_ms(2000)
    print(wlan.isconnected())
    """
    )

    assert answers == ["1001 1001 False", [], "Wifi Internal State Error", "True False", "True"]


UPLINK = """
    import asyncio, network, time, _simulation
    from firmware.network.wifi_and_ethernet import NoUplink, Wifi
    wifi = Wifi(network.WLAN(0), [{"ssid": name, "password": "x"} for name in ("away", "hall")])

    def join():
        began = time.ticks_ms()
        try:
            asyncio.run(wifi.join(15000))
            print(wifi.is_up(), time.ticks_ms() - began)
        except NoUplink as error:
            print(error)
        wifi.leave()
"""


@pytest.mark.parametrize("event", ["", "disconnect_event"])
def test_the_firmware_joins_again_after_each_kind_of_failure(board, event):
    if event:
        (board.world / event).touch()
    answers = board.run(
        UPLINK
        + """
    import os
    _simulation.save("no_wifi", "")
    join()
    os.remove("/.world/no_wifi")
    join()
    wifi._last = None
    _simulation.save("no_scan", "")  # "away" is tried in vain first
    join()
    _simulation.save("wifi_password", "y")
    join()
    os.remove("/.world/wifi_password")
    join()
    """
    )

    assert [line[:4] if isinstance(line, str) else line for line in answers] == ["Wi-F", "True", "True", "Wi-F", "True"]
    assert answers[3] == "Wi-Fi hall: wrong password"
    assert max(int(line.split()[1]) for line in answers if line.startswith("True")) < 12000


APPENDS = """
    import time
    from firmware.journal.journal import Journal
    from firmware.network.clock import Clock

    journal = Journal("/journal", 65536, Clock())
    journal.open()
    journal.append("selftest", {"passed": True, "checks": [], "text": "x" * 300})
    began_ms = time.ticks_ms()
    for _ in range(20):
        journal.append("selftest", {"passed": True, "checks": [], "text": "x" * 300})
    print(time.ticks_diff(time.ticks_ms(), began_ms))
"""


@pytest.mark.parametrize("has_image", [False, True])
def test_a_report_takes_the_time_of_its_erased_block_in_a_folder_and_in_a_littlefs_image(board, has_image):
    if has_image:
        board.flash.rmdir()
        board.flash.write_bytes(b"\xff" * (1 << 20))

    (took_ms,) = board.run(APPENDS)

    assert 20 * 50 <= took_ms < 20 * 80


def test_writing_the_flash_takes_time_and_deafens_the_sniffer(board):
    (took_ms, with_writes, without) = board.run(
        SNIFF
        + """
    import time
    buffer = bytearray(64 * 36)

    def heard(writes):
        rfsniff.start(6, 15)
        began_ms, count = time.ticks_ms(), 0
        while time.ticks_diff(time.ticks_ms(), began_ms) < 10000:
            if writes:
                with open("/x", "w") as file:
                    file.write("x")
            time.sleep_ms(50)
            part = 64
            while part == 64:
                part = rfsniff.readinto(buffer)
                count += part
        rfsniff.stop()
        return count

    began_ms = time.ticks_ms()
    with open("/x", "w") as file:
        file.write("x")
    print(time.ticks_diff(time.ticks_ms(), began_ms))
    print(heard(True))
    print(heard(False))
    """,
        speed=10,
    )

    assert took_ms >= 50
    assert with_writes < 0.7 * without


def test_the_driver_loses_frames_that_no_counter_shows(board):
    (board.world / "driver_loss").write_text("4")
    (counts, dropped) = board.run(
        SNIFF
        + """
    import time
    buffer = bytearray(512 * 36)
    rfsniff.start(6, 15)
    time.sleep_ms(700)
    print(json.dumps([rfsniff.stats()[1], rfsniff.readinto(buffer)]))
    print(rfsniff.stats()[2])
    """
    )

    assert counts[0] * 0.7 < counts[1] < counts[0] * 0.8
    assert dropped == 0


def test_a_radio_without_5_ghz_refuses_its_channels(board):
    code = (
        SNIFF
        + """
    try:
        rfsniff.start(149, 15)
        print("on")
    except ValueError:
        print("refused")
    """
    )
    before = board.run(code)
    (board.world / "has_5ghz").touch()

    assert (before, board.run(code)) == (["refused"], ["on"])


def test_a_chip_has_its_own_frequencies_and_pins(board):
    code = """
    import machine
    for call in (lambda: machine.freq(240000000), lambda: machine.Pin(25), lambda: machine.Pin(10)):
        try:
            call()
            print("yes")
        except ValueError:
            print("no")
    """
    on_esp32 = board.run(code)
    (board.world / "chip").write_text("esp32c3")

    assert (on_esp32, board.run(code)) == (["yes", "yes", "no"], ["no", "no", "yes"])


def test_bluetooth_reuses_its_buffers_and_announces_the_end_of_the_scan(board):
    events = board.run(
        """
    import asyncio, bluetooth, json
    def heard(event, data):
        if event == 5:
            kind, address, _, level, payload = data
            addresses.append(address)
            print(json.dumps([kind, bytes(address).hex(), level, bytes(payload)[2:].decode()]))
        else:
            print(event)
    addresses = []
    ble = bluetooth.BLE()
    ble.active(True)
    ble.irq(heard)
    ble.gap_scan(3000, 30000, 30000)
    async def main():
        await asyncio.sleep_ms(3500)
    asyncio.run(main())
    print(len({bytes(address) for address in addresses}))
    """
    )

    advertisements = [event for event in events if isinstance(event, list)]
    assert 4 <= len(advertisements) <= 7
    assert all(row[:2] == [1, "c2de48050001"] and row[3] == "watch" for row in advertisements)
    assert all(-70 <= row[2] <= -50 for row in advertisements)
    assert events[len(advertisements) :] in ([6, 1], [1])  # the end is not always announced


def test_bluetooth_while_the_sniffer_runs_is_an_error_here(board):
    assert board.run(
        SNIFF
        + """
    import bluetooth
    rfsniff.start(6, 15)
    try:
        bluetooth.BLE().active(True)
    except OSError:
        print("refused")
    rfsniff.stop()
    bluetooth.BLE().active(True)
    print("on")
    """
    ) == ["refused", "on"]


@pytest.mark.parametrize(
    ("ending", "cause"),
    [("machine.reset()", "HARD"), ("machine.deepsleep(5)", "DEEPSLEEP"), ("machine.soft_reset()", "SOFT")],
)
def test_a_reset_ends_the_process_at_once_and_stores_its_cause(board, ending, cause):
    output = board.run(
        f"""
    import machine
    print("before")
    try:
        {ending}
    except BaseException:
        print("caught")
    print("after")
    """
    )

    assert output == ["before"]
    assert board.reset_cause() == cause


def test_a_watchdog_resets_only_if_it_is_not_fed(board):
    output = board.run(
        """
    import machine, time
    watchdog = machine.WDT(timeout=2000)
    for _ in range(5):
        time.sleep_ms(1500)
        watchdog.feed()
    print("fed")
    time.sleep_ms(2500)
    print("still there")
    """
    )

    assert output == ["fed"]
    assert board.reset_cause() == "WDT"


def test_rtc_memory_flash_and_scene_time_survive_a_reset(board):
    board.run(
        """
    import machine, time
    machine.RTC().memory(b"rtc")
    open("/file", "w").write("flash")
    time.sleep(5)
    machine.reset()
    """
    )

    memory, cause, text, elapsed_s = board.run(
        """
    import machine, _simulation
    print(machine.RTC().memory().decode())
    print(machine.reset_cause() == machine.HARD_RESET)
    print(open("/file").read())
    print(_simulation.now_us() // 1000000)
    """,
        cause="HARD",
    )

    assert (memory, cause, text) == ("rtc", "True", "flash")
    assert 5 <= elapsed_s <= 7


def test_waiting_is_fast_and_several_tasks_wake_in_order(silent_board):
    output = silent_board.run(
        """
    import asyncio, time
    async def after(ms):
        await asyncio.sleep_ms(ms)
        print(ms)
    async def main():
        await asyncio.gather(after(30000), after(10), after(9000), after(500))
    began = time.ticks_ms()
    asyncio.run(main())
    print(30000 <= time.ticks_diff(time.ticks_ms(), began) <= 31000)
    """,
        speed=100,
        timeout_s=10,
    )

    assert output == [10, 500, 9000, 30000, "True"]


def test_the_clock_counts_from_2000_as_on_the_chip(silent_board):
    (now,) = silent_board.run("import time\nprint(time.gmtime()[:3] + time.localtime(0)[:3])")

    assert now == "(2000, 1, 1, 2000, 1, 1)"


CHIP_CLOCK = """
    import time
    from firmware.network import build_date
    from firmware.network.clock import NTP, SERVER, Clock
    clock = Clock(path="/time")

    def show():
        clock.set_chip_clock()
        print(time.time() + 946684800 - build_date.BUILT_S, clock.time_s() is None)
"""


def test_before_tls_the_chips_clock_is_at_least_the_programs_date_and_the_kept_time(silent_board):
    first = silent_board.run(
        CHIP_CLOCK
        + """
    show()
    clock.set(build_date.BUILT_S - 5000, NTP)
    show()
    clock.set(build_date.BUILT_S + 5000, SERVER)
    show()
    clock.keep()
    """
    )
    later = silent_board.run(CHIP_CLOCK + "\n    show()\n    print(time.gmtime()[0] >= 2026)")
    (silent_board.flash / "time").write_text("nonsense")

    assert [line.split()[1] for line in first] == ["True", "False", "False"]
    assert [int(line.split()[0]) // 10 for line in first] == [0, 0, 500]
    assert (int(later[0].split()[0]) // 10, later[0].split()[1], later[1]) == (500, "True", "True")
    assert silent_board.run(CHIP_CLOCK + "\n    show()")[0].split()[0] in ("0", "1")


def test_a_certificate_from_the_future_or_the_past_is_refused_by_the_chips_clock(silent_board, tmp_path):
    brokers.certificate(tmp_path, "ca")
    (silent_board.flash / "ca.pem").write_bytes((tmp_path / "ca.pem").read_bytes())

    with socket.create_server(("127.0.0.1", 0)) as server:
        answers = silent_board.run(
            """
    import asyncio, machine
    from firmware.network import mqtt

    def connect():
        try:
            client = mqtt.Client("a", "b", "c")
            asyncio.run(client.connect("127.0.0.1", PORT, mqtt.tls_context(open("/ca.pem").read())))
        except mqtt.BrokerError as error:
            print(str(error).split(": ", 1)[1])

    connect()
    machine.RTC().datetime((2049, 1, 1, 0, 0, 0, 0, 0))
    connect()
    """.replace("PORT", str(server.getsockname()[1]))
        )

    assert answers == ["The certificate validity starts in the future", "The certificate validity has expired"]


def test_a_file_in_a_folder_can_be_renamed(board):
    assert board.run(
        """
    import os
    os.mkdir("/journal")
    open("/journal/new", "w").write("x")
    os.rename("/journal/new", "/journal/old")
    print(os.listdir("/journal"))
    """
    ) == ["['old']"]
