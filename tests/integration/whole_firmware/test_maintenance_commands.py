"""New settings, tables, the stimulus, the wipe and safe mode, on the whole firmware with a real broker."""

import json
from hashlib import sha256

import pytest

from ansim import envelope, messages
from tests.support import signature_parts
from tests.support.delivery import DEVICE, KEY
from tests.support.recording_sensor import LONG, reports
from tests.support.simulated_board import CAMERA, SILENCE, SMALL_SCENE
from tests.support.waiting import wait_for

pytestmark = pytest.mark.mosquitto


def settings(one):
    return json.loads((one.flash / "settings.json").read_text())


def boots(server):
    return {one["boot"] for one in reports(server, messages.RESET)}


def test_new_settings_are_kept_once_the_broker_was_reached_with_them(sensor, server):
    one = sensor(SILENCE, "ethernet")
    wait_for(lambda: server.infos)

    command_id = server.command(messages.SETTINGS, {"changes": {"upload_every_s": 33}}, LONG)

    wait_for(lambda: settings(one)["upload_every_s"] == 33)
    assert server.ack_of(command_id)["ok"] and boots(server) == {1, 2}
    assert not (one.flash / "settings.new").exists()


def test_settings_that_do_not_reach_the_broker_are_taken_back_within_two_minutes(sensor, server, broker):
    one = sensor(SILENCE, "ethernet", speed=40)
    wait_for(lambda: server.infos)

    server.command(messages.SETTINGS, {"changes": {"port": 1}}, LONG)

    wait_for(lambda: len(boots(server)) >= 2, 30)  # the one on trial is told of as well, afterwards
    assert settings(one)["port"] == broker.port
    wait_for(lambda: max(boots(server)) == 3, 30)
    assert not (one.flash / "settings.new").exists()
    causes = [row["body"]["cause"] for row in reports(server, messages.RESET)]
    assert causes == ["power_on", "restart", "restart"]


def test_a_power_cut_during_the_trial_brings_the_old_settings_back(sensor, server, broker):
    one = sensor(SILENCE, "ethernet")
    wait_for(lambda: server.infos)

    server.command(messages.SETTINGS, {"changes": {"port": 1}}, LONG)
    wait_for(lambda: (one.flash / "settings.tried").exists())
    one.power_cut()

    wait_for(lambda: len(boots(server)) >= 2, 30)
    assert settings(one)["port"] == broker.port


def test_bad_settings_are_refused_whole_and_say_no_values(sensor, server):
    one = sensor(SILENCE, "ethernet")
    wait_for(lambda: server.infos)
    before = settings(one)

    asked = [
        server.command(messages.SETTINGS, {"changes": {"port": 99999, "upload_every_s": 30}}, LONG),
        server.command(messages.SETTINGS, {"changes": {"wifi": [{"ssid": "x", "password": 5}]}}, LONG),
        server.command(messages.SETTINGS, {"changes": "all"}, LONG),
        server.command(messages.UPDATE, {"version": "2", "bytes": 10, "sha256": "zz", "hmac": ""}, LONG),
        server.command(messages.SIGNATURES, {"table": "ssids"}, LONG),
        server.command(
            messages.SLOTS, {"subject": CAMERA, "channel": 6, "slots": [[0, 5000, 1], [5000, 5000, 0]]}, LONG
        ),
        server.command(messages.WIPE, {}, LONG),
    ]
    wait_for(lambda: all(map(server.ack_of, asked)))
    answers = [server.ack_of(command_id) for command_id in asked]

    assert not [answer for answer in answers if answer["ok"] or not answer["error"]]
    assert settings(one) == before and boots(server) == {1}


def test_a_newer_table_is_taken_in_parts_and_used_after_the_restart(sensor, server, tmp_path):
    one = sensor(SILENCE, "ethernet")
    wait_for(lambda: server.infos)

    for args in signature_parts.parts(signature_parts.table(signature_parts.NEWER, KEY), 2000):
        command_id = server.command(messages.SIGNATURES, args, LONG)
        wait_for(lambda asked=command_id: server.ack_of(asked))
        assert server.ack_of(command_id)["ok"]

    wait_for(lambda: boots(server) == {1, 2})
    assert [file.name for file in (one.flash / "signatures").iterdir()] == ["ssids.bin"]


def test_a_stimulus_is_answered_with_a_report(sensor, server):
    sensor(SMALL_SCENE, "ethernet", speed=20)
    wait_for(lambda: server.infos)

    slots = [[at * 4000, 4000, at % 2] for at in range(9)]
    server.command(messages.SLOTS, {"subject": CAMERA, "channel": 6, "slots": slots}, LONG)

    told = wait_for(lambda: reports(server, messages.STIMULUS), 30)[0]["body"]
    assert (told["subject"], told["slots"]) == (CAMERA, 9)
    assert told["heard_permille"] > 900


def test_a_wiped_sensor_keeps_its_program_and_nothing_else(sensor, server):
    one = sensor(SILENCE, "ethernet")
    wait_for(lambda: server.infos)

    command_id = server.command(messages.WIPE, {"device": DEVICE}, LONG)

    wait_for(lambda: any("settings.json is missing" in line for line in one.said))
    assert server.ack_of(command_id)["ok"]
    assert not [path.name for path in one.flash.rglob("*") if path.is_file()]
    assert not any(KEY.hex() in line for line in one.said)


@pytest.fixture
def in_safe_mode(sensor, server, tmp_path):
    """A sensor that has crashed too often, and its info message in safe mode."""
    world = tmp_path / "sensor" / "world"
    world.mkdir(parents=True)
    (world / "broken.py").write_text(
        "from firmware import start\n"
        "from firmware.radio.plan import Plan\n"
        "def fails(self, *_):\n    raise ValueError('a bug')\n"
        "Plan.next = fails\n"
        "start.FIRST_PAUSE_S = 0\n"
        "start.main()\n"
    )
    one = sensor(SILENCE, "ethernet", speed=40, environ={"SIM_MAIN": "/.world/broken.py"})

    return one, world, wait_for(lambda: [info for info in server.infos if info.get("safe")], 60)[0]


def test_after_many_crashes_it_only_delivers_and_obeys(server, in_safe_mode):
    one, world, safe = in_safe_mode
    (world / "broken.py").write_text("import firmware.main\n")  # as an update would
    command_id = server.command(messages.RESTART, {}, LONG)

    wait_for(lambda: server.infos[-1]["capabilities"], 30)
    assert server.ack_of(command_id)["ok"] and one.is_on()
    assert safe["capabilities"] == [] and safe["crashes"] >= 5
    assert "safe" not in server.infos[-1]


def test_safe_mode_takes_an_update(server, in_safe_mode):
    one, _, _ = in_safe_mode
    program = {"ansim/__init__.py": b'VERSION = "9.0.0"\n', "firmware/start.py": b"# mended\n" * 300}
    lines = [f"{sha256(data).hexdigest()} {len(data)} {path}" for path, data in program.items()]
    manifest = "".join(line + "\n" for line in lines).encode()
    server.files = {sha256(data).hexdigest(): data for data in (manifest, *program.values())}
    digest = sha256(manifest).hexdigest()

    server.command(
        messages.UPDATE,
        {"version": "9.0.0", "bytes": len(manifest), "sha256": digest, "hmac": envelope.manifest_hmac(KEY, digest)},
        LONG,
    )

    slots = one.flash / "slots.json"
    wait_for(slots.exists, 30)
    assert (json.loads(slots.read_text())["slot"], json.loads(slots.read_text())["update"]) == ("a", digest)
    assert {path: (one.flash / "a" / path).read_bytes() for path in program} == program
