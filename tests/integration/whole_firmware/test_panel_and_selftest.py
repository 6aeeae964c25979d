"""Button, display, self-test, test signal and nRF24 of the whole firmware on a virtual sensor."""

import gzip
import itertools
import json
import socket

import pytest

from ansim import messages
from tests.support.recording_sensor import LONG, reports
from tests.support.simulated_board import CAMERA, SILENCE, SMALL_SCENE, Board
from tests.support.waiting import wait_for

pytestmark = pytest.mark.mosquitto

QUIET_ROOM = {**SMALL_SCENE, "emitters": []}
EMITTER = "ac:de:48:00:77:01"
SPEED = 4  # of the scene, while the button is held
UDP_AND_RADIO_BYTES = 28 + 54  # IP and UDP; 802.11 header, CCMP, LLC, FCS
SIGNAL_S = 12


DOWN, UP = "0", "1"


def press(virtual_sensor, seconds=0.2):
    """Hold the button of a virtual sensor for some seconds, then leave it alone for a moment; see set_button()."""
    set_button(virtual_sensor, DOWN, seconds)
    set_button(virtual_sensor, UP, 0.3)


def set_button(virtual_sensor, level, seconds):
    """Return after some seconds of the sensor's own time, which a busy machine slows down; the button is up then."""
    pin = virtual_sensor.world / "pin0"
    pin.write_text(f"{level} {seconds * 1000:.0f}")
    wait_for(lambda: pin.read_text() == UP)


def wait_until_listening(virtual_sensor):
    rtc = virtual_sensor.world / "rtc"
    wait_for(lambda: rtc.exists() and rtc.read_bytes()[3:4] == b"\x02")


@pytest.fixture(scope="module")
def recorded_signal(tmp_path_factory):
    """The test signal as the firmware sends it: (header stream file, times in ms, packet sizes)."""
    folder = tmp_path_factory.mktemp("test_signal")
    board = Board(folder, QUIET_ROOM)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(0)
        output = board.run(
            f"""
    import asyncio, network, time
    from firmware.inspecting import test_signal
    from firmware.network.clock import Clock
    from firmware.network.wifi_and_ethernet import Wifi
    network.WLAN.ifconfig = lambda self: ("127.0.0.1",) * 4
    test_signal.DISCARD_PORT = {receiver.getsockname()[1]}
    wlan = network.WLAN(network.WLAN.IF_STA)
    wlan.active(True)
    clock = Clock()
    signal = test_signal.TestSignal(wlan, Wifi(wlan, [{{"ssid": "hall", "password": "x"}}]), clock)
    times = []
    try_send = signal._try_send
    signal._try_send = lambda send, data: (times.append(clock.now_ms()), try_send(send, data))[1]
    asyncio.run(signal.run({SIGNAL_S}, lambda: None))
    print(signal.address, signal.sent, signal.refused, wlan.active())
    print(times)
    """,
            speed=4,
        )
        sizes = []
        while True:
            try:
                sizes.append(len(receiver.recv(4096)))
            except BlockingIOError:
                break
    _, sent, refused, is_on = str(output[0]).split()
    assert (int(sent), refused, is_on) == (len(sizes), "0", "False")
    sent_ms = list(output[1])
    times = [at_ms - sent_ms[0] for at_ms in sent_ms]
    path = folder / "test_signal.hdr.csv.gz"
    with gzip.open(path, "wt", encoding="ascii") as file:
        file.write("t_s,up,mpdu_len,rssi\n")
        for at_ms, size in zip(times, sizes, strict=True):
            file.write(f"{at_ms / 1000:.4f},1,{size + UDP_AND_RADIO_BYTES},-50\n")
    return path, times, sizes


def scene_with(recorded_signal) -> dict:
    path, _, _ = recorded_signal
    stream = {"stream": str(path), "mac": EMITTER, "channel": 6, "rssi_dbm": -50, "loop": True}
    return {**QUIET_ROOM, "duration_s": 300, "emitters": [stream]}


def test_the_test_signal_has_the_shape_of_a_small_camera(recorded_signal):
    _, times, sizes = recorded_signal
    seconds = (times[-1] - times[0]) / 1000
    per_frame = {}
    for at_ms, size in zip(times, sizes, strict=True):
        per_frame[at_ms * 15 // 1000] = per_frame.get(at_ms * 15 // 1000, 0) + size

    assert seconds > SIGNAL_S - 1
    assert 250 < sum(sizes) * 8 / 1000 / seconds < 900  # kbit/s
    assert max(sizes) == 1060 - 28
    assert max(per_frame.values()) > 3 * sorted(per_frame.values())[len(per_frame) // 2]  # key frames


def test_a_self_test_finds_the_emitter_within_30_s_and_reports_no_finding(sensor, server, recorded_signal):
    sensor(scene_with(recorded_signal), speed=8)
    wait_for(lambda: len(server.order) >= 2)

    command_id = server.command(messages.RUN_SELFTEST, {"emitter": EMITTER}, LONG)
    test = wait_for(lambda: reports(server, messages.SELFTEST), 40)[0]["body"]
    checks = {name: (passed, value) for name, passed, value in test["checks"]}

    assert server.ack_of(command_id)["ok"]
    assert test["passed"], checks
    assert checks["emitter"][1] <= 30_000
    assert checks["channel_6"][1] >= 3
    assert checks["channel_3"] == (True, 0)
    assert {"flash", "heap", "clock", "access_points", "beacons_heard", "ble"} <= set(checks)
    ended_ms = wait_for(lambda: reports(server, messages.SELFTEST))[0]["tick_ms"]
    assert not [
        report
        for report in reports(server, messages.FINDING)
        if ended_ms - test["took_ms"] < report["tick_ms"] <= ended_ms + 5000
    ], "the test signal raises no alarm"


def test_a_deaf_sniffer_fails_and_the_check_names_the_channel(sensor, server):
    silent = [{**access_point, "beacons": False} for access_point in QUIET_ROOM["access_points"]]
    sensor({**QUIET_ROOM, "access_points": silent, "ble": []}, speed=8)
    wait_for(lambda: len(server.order) >= 2)

    server.command(messages.RUN_SELFTEST, {"emitter": EMITTER}, LONG)
    test = wait_for(lambda: reports(server, messages.SELFTEST), 40)[0]["body"]
    failed = {name for name, passed, _ in test["checks"] if not passed}

    assert not test["passed"]
    assert {"channel_6", "channel_1", "beacons_heard", "emitter"} <= failed
    assert "flash" not in failed


def test_a_sensor_tests_itself_at_boot_if_the_settings_say_so(sensor, server):
    sensor(QUIET_ROOM, speed=8, selftest_at_start=True)

    test = wait_for(lambda: reports(server, messages.SELFTEST), 30)[0]["body"]

    assert [name for name, passed, _ in test["checks"] if not passed] == ["clock"], "the time is not known yet"


def test_a_press_starts_a_sweep_without_a_network_and_another_ends_it(sensor, server):
    offline = sensor(SILENCE, speed=SPEED)
    (offline.world / "no_wifi").touch()
    wait_until_listening(offline)

    press(offline)
    set_button(offline, UP, 4)
    press(offline)
    (offline.world / "no_wifi").unlink()

    wait_for(lambda: len(reports(server, messages.SESSION)) == 2, 60)
    started, stopped = reports(server, messages.SESSION)
    assert (started["body"], started["inspection"]) == ({"what": "started", "by": "button"}, "u1-1")
    assert (stopped["body"], stopped["inspection"]) == ({"what": "stopped", "by": "button"}, "u1-1")
    sweeps = [report for report in reports(server, messages.SWEEP) if report["inspection"] == "u1-1"]
    assert sweeps, "the coverage belongs to the sweep"


def test_a_long_press_follows_a_finding_and_a_wifi_sensor_uploads_readings_meanwhile(sensor, server):
    button_sensor = sensor(SMALL_SCENE, speed=SPEED, upload_every_s=600)
    wait_for(lambda: reports(server, messages.FINDING), 40)
    wait_until_listening(button_sensor)

    press(button_sensor, 2)
    wait_for(lambda: len(server.lives) >= 3, 40)
    lives = list(server.lives)

    assert {live["subject"] for live in lives} == {CAMERA}
    assert all(abs(live["smoothed_dbm"] + 50) <= 6 for live in lives[1:])
    gaps = [later["tick_ms"] - live["tick_ms"] for live, later in itertools.pairwise(lives)]
    assert min(gaps) >= 2000


def test_holding_the_button_for_five_seconds_starts_a_self_test(sensor, server):
    button_sensor = sensor(QUIET_ROOM, speed=SPEED)
    wait_for(lambda: len(server.order) >= 2)
    wait_until_listening(button_sensor)

    press(button_sensor, 7)

    assert wait_for(lambda: reports(server, messages.SELFTEST), 40)[0]["body"]["passed"]


def test_holding_it_for_ten_seconds_sends_the_test_signal_and_a_press_ends_it(sensor, server):
    button_sensor = sensor(QUIET_ROOM, speed=SPEED)
    wait_for(lambda: len(server.order) >= 2)
    wait_until_listening(button_sensor)

    press(button_sensor, 16)  # between 10 and 20 s
    wait_for(lambda: any(line.startswith("test signal from") for line in button_sensor.said), 20)
    before = len(server.order)
    press(button_sensor)

    wait_for(lambda: len(server.order) > before, 40)
    assert button_sensor.starts == 1, "\n".join(button_sensor.said)


def test_the_display_shows_what_the_sensor_does(sensor, server, tmp_path):
    world = tmp_path / "sensor" / "world"
    world.mkdir(parents=True)
    (world / "oled").touch()
    sensor(SMALL_SCENE, speed=SPEED, fitted=["led", "button", "oled", "battery"])

    wait_for(lambda: server.infos)
    wait_for(lambda: (world / "screen").exists() and any((world / "screen").read_bytes()))

    assert server.infos[0]["fitted"] == ["led", "button", "oled", "battery"]
    assert 65 <= server.infos[0]["battery_percent"] <= 75


def test_an_analogue_sender_is_found_by_the_nrf24_where_no_wifi_explains_it(sensor, server, tmp_path):
    world = tmp_path / "sensor" / "world"
    world.mkdir(parents=True)
    wiring = {"pins": [18, 23, 19, 5, 4], "senders": [[2450, 18, 1000, 0, 1 << 40]]}
    (world / "nrf24.json").write_text(json.dumps(wiring))
    sensor(SILENCE, "ethernet", speed=8, fitted=["nrf24"], channels=[8, 9])

    finding = wait_for(lambda: reports(server, messages.FINDING), 90)[0]["body"]

    assert (finding["detector"], finding["subject"]) == ("analogue_video", "02:00:00:00:24:50")
    assert "nrf24" in server.infos[0]["capabilities"]
    assert wait_for(
        lambda: [report for report in reports(server, messages.SWEEP) if report["body"]["spectrum_sweeps"]], 60
    )


def test_an_nrf24_that_does_not_answer_is_printed_and_left_out(sensor, server):
    button_sensor = sensor(SILENCE, "ethernet", fitted=["led", "nrf24"])

    wait_for(lambda: server.infos)

    assert server.infos[0]["fitted"] == ["led"]
    assert "nrf24" not in server.infos[0]["capabilities"]
    assert "nrf24: no nRF24L01+ answers" in button_sensor.said
