"""The whole firmware as a virtual sensor, with a real broker and a small server."""

import json

import pytest

from ansim import messages
from ansim.finding import ALARM, NOTICE
from firmware.radio.plan import UPLOAD_MS
from tests.support import brokers
from tests.support.delivery import DEVICE, KEY, TinyServer
from tests.support.ports import free_port
from tests.support.recording_sensor import LONG, RecordingSensor, reports
from tests.support.simulated_board import CAMERA, ROUTER, SILENCE, SMALL_SCENE
from tests.support.waiting import wait_for
from tools.simulate import settings_for
from tools.traffic.scene import Scene

pytestmark = pytest.mark.mosquitto

CAMERA_LATER = {
    **SMALL_SCENE,
    "duration_s": 120,
    "emitters": [{**SMALL_SCENE["emitters"][0], "start_s": 10}],
}


def test_the_first_report_says_why_it_started_and_the_second_dates_it(sensor, server):
    sensor()

    wait_for(lambda: len(server.order) >= 2)

    first, second = (server.reports[place] for place in server.order[:2])
    assert (first["kind"], first["seq"], first["body"]["cause"]) == (messages.RESET, 1, "power_on")
    assert (second["kind"], second["body"]["time_s"]) == (messages.CLOCK, server.time_s)
    assert server.infos[0]["capabilities"] == ["scan", "sniff", "ble"]


def test_over_tls_it_comes_online_from_power_on_with_its_clock_at_2000_and_keeps_the_servers_time(tmp_path):
    brokers.certificate(tmp_path, "broker", brokers.certificate(tmp_path, "ca"), host="localhost")
    broker = brokers.mosquitto(tmp_path, free_port(), tls="broker").start()
    server = TinyServer(broker.port, ca=tmp_path / "ca.pem").start()
    authority = (tmp_path / "ca.pem").read_text()
    settings = settings_for(DEVICE, KEY, "localhost", broker.port, authority, "wifi")
    sensor = RecordingSensor(settings, Scene(SILENCE), tmp_path / "sensor", 20, "1M")
    sensor.start()
    try:
        wait_for(lambda: len(server.order) >= 2, 20)
        kept = wait_for((sensor.flash / "time").exists)
    finally:
        sensor.stop()
        server.stop()
        broker.kill()

    first, second = (server.reports[place] for place in server.order[:2])
    assert (first["kind"], second["kind"]) == (messages.RESET, messages.CLOCK)
    assert (second["body"]["source"], second["body"]["time_s"]) == ("server", server.time_s)
    assert kept and not [line for line in sensor.said if "future" in line]


def test_from_power_on_over_wifi_and_tls_a_finding_reaches_the_server_in_90_s_of_scene_time(tmp_path):
    """With the chip's delays: scans, joining, DHCP, the resolver, the handshake, modem sleep, flash and frames lost."""
    brokers.certificate(tmp_path, "broker", brokers.certificate(tmp_path, "ca"), host="localhost")
    broker = brokers.mosquitto(tmp_path, free_port(), tls="broker").start()
    server = TinyServer(broker.port, ca=tmp_path / "ca.pem").start()
    authority = (tmp_path / "ca.pem").read_text()
    settings = settings_for(DEVICE, KEY, "localhost", broker.port, authority, "wifi")
    sensor = RecordingSensor(settings, Scene(SMALL_SCENE), tmp_path / "sensor", 10, "1M")
    sensor.start()
    try:
        finding = wait_for(lambda: reports(server, messages.FINDING), 40)[0]
        # Published when the session began; the session itself is over after UPLOAD_MS at the latest.
        up_s = server.infos[-1]["up_s"]
    finally:
        sensor.stop()
        server.stop()
        broker.kill()

    print("finding at", finding["tick_ms"], "session at", up_s)
    assert finding["body"]["event"] == "raised"
    assert up_s + UPLOAD_MS // 1000 < 90


def test_a_sensor_that_hops_has_a_notice_of_a_camera_within_30_s_and_an_alarm_within_90_s(sensor, server):
    sensor(CAMERA_LATER)

    def alarms():
        return [report for report in reports(server, messages.FINDING) if report["body"]["level"] == ALARM]

    alarm = wait_for(alarms, 40)[0]
    finding = reports(server, messages.FINDING)[0]

    assert (alarm["body"]["event"], alarm["body"]["subject"]) == ("updated", CAMERA)
    assert [row for row in alarm["body"]["evidence"] if row[0] == "alarm_listened_s" and row[3] == 0]
    assert alarm["tick_ms"] <= 10_000 + 90_000
    assert (finding["body"]["event"], finding["body"]["level"]) == ("raised", NOTICE)
    assert (finding["body"]["detector"], finding["body"]["subject"]) == ("camera_stream", CAMERA)
    assert (finding["body"]["bssid"], finding["body"]["channel"]) == (ROUTER, 6)
    assert 10_000 < finding["tick_ms"] <= 40_000


def test_ordinary_traffic_is_covered_and_not_raised(sensor, server):
    call = {"pattern": {"kind": "call"}, "channel": 6, "rssi_dbm": -55}
    web = {"pattern": {"kind": "web"}, "channel": 1, "rssi_dbm": -60}
    sensor({**SMALL_SCENE, "emitters": [call, web]}, "ethernet", speed=40)

    wait_for(lambda: len(reports(server, messages.SWEEP)) >= 2, 30)
    sweeps = reports(server, messages.SWEEP)

    for sweep in (one["body"] for one in sweeps):
        listened_ms = sum(row[1] for row in sweep["channels"])
        assert {row[0] for row in sweep["channels"]} == set(range(1, 14))
        assert listened_ms + sweep["deaf_ms"] == sweep["to_ms"] - sweep["from_ms"]
        assert listened_ms > 30_000
        assert sweep["stations"] >= 2
    assert sweeps[0]["body"]["to_ms"] == sweeps[1]["body"]["from_ms"]
    assert not reports(server, messages.FINDING)


def test_an_inspection_marks_its_reports_and_hears_the_camera_anew(sensor, server):
    sensor(SMALL_SCENE, "ethernet")
    before = wait_for(lambda: reports(server, messages.FINDING), 20)[0]

    server.command(messages.INSPECTION_START, {"inspection": "K7Q2", "known": []}, LONG)
    within = wait_for(lambda: [one for one in reports(server, messages.FINDING) if one["inspection"]], 20)[0]
    server.command(messages.INSPECTION_STOP, {"inspection": "K7Q2"}, LONG)
    wait_for(lambda: len(reports(server, messages.SESSION)) == 2)
    started, stopped = reports(server, messages.SESSION)

    assert before["inspection"] == ""
    assert (within["inspection"], within["body"]["event"]) == ("K7Q2", "raised")
    assert [started["body"], stopped["body"]] == [{"what": "started", "by": "cmd"}, {"what": "stopped", "by": "cmd"}]
    assert started["inspection"] == stopped["inspection"] == "K7Q2"
    last = server.reports[stopped["boot"], stopped["seq"] - 1]
    assert (last["kind"], last["inspection"]) == (messages.SWEEP, "K7Q2")


def test_a_known_emitter_is_not_reported_in_its_inspection(sensor, server):
    sensor(SMALL_SCENE, "ethernet", always_listen=False)
    wait_for(lambda: server.infos)

    server.command(messages.INSPECTION_START, {"inspection": "K7Q2", "known": [CAMERA]}, LONG)
    wait_for(lambda: len(reports(server, messages.SWEEP)) >= 3, 30)

    assert not reports(server, messages.FINDING)


def test_a_sensor_that_waits_for_an_inspection_does_not_listen(sensor, server):
    sensor(SMALL_SCENE, always_listen=False, upload_every_s=10)

    wait_for(lambda: len([one for one in server.states if one["state"] == messages.READY]) >= 4, 20)

    assert not reports(server, messages.SWEEP)
    assert not reports(server, messages.FINDING)


def test_an_inspection_goes_on_after_a_power_cut(sensor, server):
    cut = sensor(SILENCE, "ethernet")
    wait_for(lambda: server.infos)
    server.command(messages.INSPECTION_START, {"inspection": "K7Q2", "known": []}, LONG)
    wait_for(lambda: reports(server, messages.SESSION))

    cut.power_cut()

    again = wait_for(lambda: [one for one in reports(server, messages.RESET) if one["boot"] == 2])[0]
    assert (again["inspection"], again["body"]["cause"]) == ("K7Q2", "power_on")


def test_resets_by_usb_and_by_a_low_supply_voltage_are_no_crashes(sensor, server):
    chip = sensor(SILENCE, "ethernet")
    wait_for(lambda: server.infos)

    for boot, reset in ((2, chip.usb_reset), (3, chip.brown_out)):
        reset()
        wait_for(lambda boot=boot: [one for one in reports(server, messages.RESET) if one["boot"] == boot], 30)
    bodies = [one["body"] for one in reports(server, messages.RESET)]

    assert [(body["cause"], body["crashes"], body["brown_outs"]) for body in bodies] == [
        ("power_on", 0, 0),
        ("restart", 0, 0),
        ("brown_out", 0, 1),
    ]


def test_a_name_server_that_stalls_for_ten_seconds_delays_reports_and_loses_none(sensor, server):
    """A look-up blocks all tasks; the watchdog is fed often enough, and the reports arrive later."""
    chip = sensor(SILENCE, broker="localhost")
    wait_for(lambda: server.infos)
    chip.write_world("dns_ms", "10000")
    (chip.world / "no_dns").touch()
    sessions = len(server.infos)
    wait_for(lambda: [line for line in chip.said if "its name cannot be resolved" in line], 40)

    (chip.world / "no_dns").unlink()
    wait_for(lambda: len(server.infos) > sessions, 40)

    assert chip.starts == 1
    assert [seq for boot, seq in server.order] == list(range(1, len(server.order) + 1))


def test_a_board_with_5_ghz_finds_a_camera_there_and_says_what_it_listened_to(sensor, server):
    emitter = {**SMALL_SCENE["emitters"][0], "channel": 149}
    sensor({**SMALL_SCENE, "emitters": [emitter]}, board="esp32_c5", speed=20)

    finding = wait_for(lambda: reports(server, messages.FINDING), 40)[0]["body"]
    channels = [row[0] for row in wait_for(lambda: reports(server, messages.SWEEP), 40)[0]["body"]["channels"]]

    assert (finding["event"], finding["channel"]) == ("raised", 149)
    assert {1, 13, 36, 165} <= set(channels)
    assert 0 < len([channel for channel in channels if 52 <= channel <= 144]) < 16


def test_following_a_transmitter_tells_its_level(sensor, server):
    sensor(SMALL_SCENE, "ethernet", speed=4)
    wait_for(lambda: server.infos)

    server.command(messages.LOCATE, {"subject": CAMERA, "channel": 6, "seconds": 20}, LONG)
    heard = wait_for(lambda: [one for one in server.lives if one["rssi_dbm"] > -100], 20)

    assert heard[0]["subject"] == CAMERA
    assert all(abs(one["smoothed_dbm"] + 50) <= 6 for one in heard)


def test_a_restart_is_obeyed_answered_and_no_crash(sensor, server):
    sensor(SILENCE, "ethernet")
    wait_for(lambda: server.infos)

    command_id = server.command(messages.RESTART, {}, LONG)
    again = wait_for(lambda: [one for one in reports(server, messages.RESET) if one["boot"] == 2])[0]

    assert server.ack_of(command_id)["ok"]
    assert (again["body"]["cause"], again["body"]["crashes"]) == ("restart", 0)
    assert messages.DISCONNECTED in [one["state"] for one in server.states]


def test_commands_that_make_no_sense_are_refused_with_a_reason(sensor, server):
    sensor(SILENCE, "ethernet")
    wait_for(lambda: server.infos)

    asked = [
        server.command(messages.WIPE, {"device": "another"}, LONG),
        server.command(messages.DWELL, {"channel": 77, "seconds": 1}, LONG),
        server.command(messages.INSPECTION_STOP, {"inspection": "other"}, LONG),
    ]
    wait_for(lambda: all(map(server.ack_of, asked)))
    answers = [server.ack_of(command_id) for command_id in asked]

    assert [one["ok"] for one in answers] == [False, False, True]
    assert "channel" in answers[1]["error"]


def test_without_the_native_module_it_scans_and_says_so(sensor, server, tmp_path):
    world = tmp_path / "sensor" / "world"
    world.mkdir(parents=True)
    (world / "stock.py").write_text(
        "import sys\nfrom firmware.radio import sniffer\nsniffer.rfsniff = None\nimport firmware.main\n"
    )
    sensor(SMALL_SCENE, environ={"SIM_MAIN": "/.world/stock.py"})

    sweep = wait_for(lambda: reports(server, messages.SWEEP), 20)[0]["body"]

    assert server.infos[0]["capabilities"] == ["scan", "ble"]
    assert sweep["capabilities"] == ["scan", "ble"]
    assert (sweep["channels"], sweep["access_points"], sweep["ble"]) == ([], 3, 1)  # the third is its own network


def test_a_sensor_that_keeps_crashing_while_it_sniffs_narrows_what_it_listens_to(sensor, server):
    crashing = sensor(SILENCE, "ethernet")
    for number in range(1, 4):
        wait_for(lambda n=number: len(reports(server, messages.RESET)) >= n)
        wait_for(lambda: (crashing.world / "rtc").read_bytes()[3] == 2)  # it sniffs
        crashing.crash()

    wait_for(lambda: len(reports(server, messages.RESET)) >= 4)
    wait_for(lambda: server.infos[-1]["crashes"] == 3)

    assert server.infos[-1]["capabilities"] == ["scan", "sniff_management", "ble"]
    assert [one["body"]["cause"] for one in reports(server, messages.RESET)][1:] == ["crash"] * 3


def test_bad_settings_are_waited_for_without_a_reset(sensor, server, broker, tmp_path):
    file = tmp_path / "sensor" / "flash" / "settings.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"device": "Hall 1", "colour": "red"}')
    waiting = sensor(SILENCE, provision=False)
    wait_for(lambda: any("colour is not known here" in line for line in waiting.said))

    file.write_text(json.dumps(settings_for(DEVICE, KEY, port=broker.port, uplink="ethernet")))

    wait_for(lambda: server.infos)
    assert waiting.starts == 1
    assert not any(KEY.hex() in line for line in waiting.said)


def test_an_unexpected_error_is_kept_and_ends_in_a_restart(sensor, server, tmp_path):
    world = tmp_path / "sensor" / "world"
    world.mkdir(parents=True)
    (world / "broken.py").write_text(
        "import os\n"
        "from firmware.radio.plan import Plan\n"
        "def fails(self, *_):\n    raise ValueError('a bug')\n"
        "if os.getenv('SIM_CAUSE') == 'PWRON':\n    Plan.next = fails\n"
        "import firmware.main\n"
    )
    broken = sensor(SILENCE, "ethernet", environ={"SIM_MAIN": "/.world/broken.py"})

    again = wait_for(lambda: [one for one in reports(server, messages.RESET) if one["body"]["crashes"]], 20)[0]

    assert again["body"]["cause"] == "exception"
    assert "ValueError: a bug" in (broken.flash / "crash.txt").read_text()
    assert any("ValueError: a bug" in line for line in broken.said)


def test_a_chip_whose_memory_leaks_restarts_on_purpose_before_it_fails(sensor, server, tmp_path):
    """Each time Bluetooth is switched off, some memory is lost; without enough the chip would crash."""
    world = tmp_path / "sensor" / "world"
    world.mkdir(parents=True)
    (world / "idf_bytes").write_text("143000")
    (world / "leaking.py").write_text(
        "import bluetooth\n"
        "from firmware.maintenance import chip_memory\n"
        "bluetooth._LEAK_BYTES = 7000\n"
        "chip_memory.SETTLE_MS, chip_memory.MIN_FITS = 100000, 3\n"
        "import firmware.main\n"
    )
    sensor(SILENCE, "ethernet", environ={"SIM_MAIN": "/.world/leaking.py"}, speed=60)

    again = wait_for(lambda: [one for one in reports(server, messages.RESET) if one["boot"] == 2], 40)[0]
    sweeps = [one["body"] for one in reports(server, messages.SWEEP) if one["boot"] == 1]

    assert (again["body"]["cause"], again["body"]["crashes"]) == ("restart", 0)
    assert messages.BLE in sweeps[0]["capabilities"] and messages.BLE not in sweeps[-1]["capabilities"]
    assert 0 < server.infos[0]["chip_free_bytes"] < 91000


def test_with_memory_in_pieces_too_small_for_bluetooth_it_detects_and_does_not_claim_bluetooth(
    sensor, server, tmp_path
):
    world = tmp_path / "sensor" / "world"
    world.mkdir(parents=True)
    (world / "idf_largest").write_text("30000")
    sensor(SMALL_SCENE, "ethernet", speed=20)

    wait_for(lambda: reports(server, messages.FINDING), 20)
    sweeps = wait_for(lambda: reports(server, messages.SWEEP)[1:], 30)

    assert all(messages.BLE not in one["body"]["capabilities"] for one in sweeps)
    assert server.infos[0]["chip_largest_bytes"] == 30000
    assert len(reports(server, messages.RESET)) == 1


def test_reports_made_offline_are_delivered_in_order_when_the_network_is_back(sensor, server):
    offline = sensor(CAMERA_LATER, speed=40)
    wait_for(lambda: len(server.order) >= 2)
    (offline.world / "no_wifi").touch()
    wait_for(lambda: b'"kind":"finding"' in journal(offline).replace(b" ", b""), 20)
    assert not reports(server, messages.FINDING)

    (offline.world / "no_wifi").unlink()

    wait_for(lambda: reports(server, messages.FINDING), 20)
    assert [seq for _, seq in server.order] == list(range(1, len(server.order) + 1))


def journal(sensor):
    return b"".join(file.read_bytes() for file in (sensor.flash / "journal").glob("*.log"))
