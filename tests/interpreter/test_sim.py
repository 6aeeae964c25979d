"""The simulated hardware behaves as the real one does, where it matters."""

import pytest

from tests.support.simulated_board import SILENCE, SMALL_SCENE, Board

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
                heard += [(buffer[at + 11], buffer[at + 13] & 15) for at in range(0, count * 36, 36)]
                if count < 64:
                    break
        return heard
"""


@pytest.fixture
def board(tmp_path):
    return Board(tmp_path)


def test_the_sniffer_hears_only_the_channel_it_is_tuned_to(board):
    (on_6, on_1, on_2) = board.run(
        SNIFF
        + """
    rfsniff.start(6, 15)
    for channel in (6, 1, 2):
        rfsniff.channel(channel)
        hear(60)  # what the ring still has of the channel before
        print(json.dumps(hear(1000)))
    """
    )

    assert len(on_6) > 60
    assert {channel for channel, _ in on_6} == {6}
    assert {channel for channel, _ in on_1} == {1}
    assert on_2 == []


def test_a_change_of_channel_leaves_in_the_ring_what_is_there(board):
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


def test_the_filter_leaves_out_other_kinds_of_frames(board):
    (heard,) = board.run(
        SNIFF
        + """
    rfsniff.start(6, rfsniff.MANAGEMENT)
    print(json.dumps(hear(1000)))
    """
    )

    assert {kind for _, kind in heard} == {0}
    assert 5 <= len(heard) <= 15  # beacons of one access point


def test_a_ring_that_nobody_reads_keeps_the_oldest_and_counts_the_rest(board):
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


def test_time_in_the_records_goes_on_when_the_scene_starts_over(tmp_path):
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
        times += [struct.unpack_from("<I", buffer, at)[0] for at in range(0, count * 36, 36)]
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
    found, took_ms, heard = board.run(
        SNIFF
        + """
    rfsniff.start(6, 15)
    began = time.ticks_ms()
    found = wlan.scan()
    print(json.dumps([(one[0].decode(), one[2], one[4]) for one in found]))
    print(time.ticks_ms() - began)
    print(rfsniff.readinto(buffer))
    """
    )

    assert {("hall", 6, 3), ("cafe", 1, 0)} >= {tuple(one) for one in found}
    assert found
    assert 1500 <= took_ms <= 2500
    assert heard < 5


def test_joining_fails_without_the_network_or_with_a_wrong_password(board):
    (board.world / "wifi_password").write_text("right")

    answers = board.run(
        """
    import network, time, _simulation
    wlan = network.WLAN(network.WLAN.IF_STA)
    wlan.active(True)
    for name, password in (("nowhere", "right"), ("hall", "wrong"), ("hall", "right")):
        wlan.connect(name, password)
        while wlan.status() == network.STAT_CONNECTING:
            time.sleep_ms(50)
        print(wlan.status(), wlan.isconnected())
    _simulation.save("no_wifi", "")
    print(wlan.isconnected(), wlan.status())
    """
    )

    assert answers == ["201 False", "202 False", "1010 True", "False 200"]


def test_bluetooth_lends_its_advertisements_and_says_when_it_is_done(board):
    events = board.run(
        """
    import asyncio, bluetooth, json
    def heard(event, data):
        if event == 5:
            kind, address, _, level, payload = data
            kept.append(address)
            print(json.dumps([kind, bytes(address).hex(), level, bytes(payload)[2:].decode()]))
        else:
            print(event)
    kept = []
    ble = bluetooth.BLE()
    ble.active(True)
    ble.irq(heard)
    ble.gap_scan(3000, 30000, 30000)
    async def main():
        await asyncio.sleep_ms(3500)
    asyncio.run(main())
    print(len({bytes(one) for one in kept}))
    """
    )

    advertisements = events[:-2]
    assert 4 <= len(advertisements) <= 7
    assert all(one[:2] == [1, "c2de48050001"] and one[3] == "watch" for one in advertisements)
    assert all(-70 <= one[2] <= -50 for one in advertisements)
    assert events[-2:] == [6, 1]


def test_bluetooth_beside_the_sniffer_is_an_error_here(board):
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
def test_a_reset_ends_everything_at_once_and_leaves_its_cause(board, ending, cause):
    said = board.run(
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

    assert said == ["before"]
    assert board.cause() == cause


def test_a_watchdog_that_is_not_fed_resets_and_one_that_is_does_not(board):
    said = board.run(
        """
    import machine, time
    dog = machine.WDT(timeout=2000)
    for _ in range(5):
        time.sleep_ms(1500)
        dog.feed()
    print("fed")
    time.sleep_ms(2500)
    print("still there")
    """
    )

    assert said == ["fed"]
    assert board.cause() == "WDT"


def test_rtc_memory_and_flash_and_scene_time_outlive_a_reset(board):
    board.run(
        """
    import machine, time
    machine.RTC().memory(b"kept")
    open("/file", "w").write("kept too")
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

    assert (memory, cause, text) == ("kept", "True", "kept too")
    assert 5 <= elapsed_s <= 7


def test_waiting_is_fast_and_several_tasks_wake_in_order(tmp_path):
    said = Board(tmp_path, SILENCE).run(
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
        seconds=10,
    )

    assert said == [10, 500, 9000, 30000, "True"]


def test_the_clock_counts_from_2000_as_on_the_chip(tmp_path):
    (now,) = Board(tmp_path, SILENCE).run("import time\nprint(time.gmtime()[:3] + time.localtime(0)[:3])")

    assert now == "(2000, 1, 1, 2000, 1, 1)"


def test_a_file_is_renamed_and_a_folder_kept(board):
    assert board.run(
        """
    import os
    os.mkdir("/journal")
    open("/journal/new", "w").write("x")
    os.rename("/journal/new", "/journal/old")
    print(os.listdir("/journal"))
    """
    ) == ["['old']"]
