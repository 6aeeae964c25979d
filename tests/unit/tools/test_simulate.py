import json
import struct

import pytest

from ansim.frame_header import CHANNEL, RECORD_BYTES
from tools import simulate
from tools.lib.errors import ToolError
from tools.traffic import scene
from tools.traffic.scene import Scene
from tools.virtual_sensor import air_file

SCENE = {
    "duration_s": 5,
    "emitters": [
        {"pattern": {"kind": "camera"}, "channel": 6},
        {"pattern": {"kind": "call"}, "channel": 1, "start_s": 2},
    ],
    "access_points": [{"ssid": "hall", "bssid": "ac:de:48:01:00:06", "channel": 6, "rssi_dbm": -50}],
    "ble": [{"addr": "c2:de:48:05:00:01", "rssi_dbm": -60, "name": "watch"}],
}


def channels_of(data):
    """{channel: (counts before each step, records)} of a compiled scene."""
    channels = {}
    for place in range(air_file.CHANNELS):
        index_at, at, count = air_file.CHANNEL_ROW.unpack_from(
            data, air_file.HEADER.size + place * air_file.CHANNEL_ROW.size
        )
        if count:
            counts = struct.unpack_from(f"<{(at - index_at) // 4}I", data, index_at)
            records = [data[at + n * RECORD_BYTES : at + (n + 1) * RECORD_BYTES] for n in range(count)]
            channels[place + 1] = (counts, records)
    return channels


def test_a_compiled_scene_has_every_record_once_in_its_channel_and_its_step(tmp_path):
    scene_ = Scene(SCENE)
    air_file.compile_scene(scene_, tmp_path / "x.air")

    channels = channels_of((tmp_path / "x.air").read_bytes())

    expected = [(time_us, record) for time_us, record in scene_.records()]
    assert sum(len(records) for _, records in channels.values()) == len(expected)
    for channel, (counts, records) in channels.items():
        of_channel = [(time_us, record) for time_us, record in expected if record[CHANNEL] == channel]
        assert records == [record for _, record in of_channel]
        for slot in range(0, len(counts), 7):
            assert counts[slot] == sum(time_us < slot * air_file.SLOT_US for time_us, _ in of_channel)


def test_the_sensors_own_network_is_put_into_the_scene_once(tmp_path):
    air_file.compile_scene(Scene(SCENE), tmp_path / "x.air", networks=["hall", "ours"])

    data = (tmp_path / "x.air").read_bytes()
    _, _, count, _, at, _ = air_file.HEADER.unpack_from(data)
    rows = [air_file.ACCESS_POINT_ROW.unpack_from(data, at + n * air_file.ACCESS_POINT_ROW.size) for n in range(count)]
    assert [row[0][: row[1]] for row in rows] == [b"hall", b"ours"]


def test_a_scene_is_compiled_once(tmp_path):
    file = tmp_path / "x.json"
    file.write_text(json.dumps(SCENE))

    first = air_file.compile_cached(file, tmp_path / "air")
    made_at = first.stat().st_mtime_ns

    assert air_file.compile_cached(file, tmp_path / "air") == first
    assert first.stat().st_mtime_ns == made_at
    assert air_file.compile_cached(file, tmp_path / "air", seed=1) != first


@pytest.mark.parametrize("path", sorted(simulate.SCENES.glob("*.json")), ids=lambda path: path.stem)
def test_a_shipped_scene_is_good_and_says_that_it_is_generated(path):
    scene.load(path)

    text = path.read_text()
    assert "Generated, not recorded." in json.loads(text)["about"]
    assert '"stream"' not in text


def test_a_scene_can_be_named():
    assert simulate.scene_path("quiet") == simulate.SCENES / "quiet.json"
    with pytest.raises(ToolError, match="camera_station"):
        simulate.scene_path("nowhere")


def test_settings_for_a_virtual_sensor_are_checked():
    made = simulate.settings_for("hall-1", bytes(32), port=1234, upload_every_s=10)

    assert (made["key"], made["port"], made["tls"], made["upload_every_s"]) == ("00" * 32, 1234, False, 10)
    with pytest.raises(ToolError, match="device"):
        simulate.settings_for("Hall 1", bytes(32))


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "cannot read"), ("no json", "not JSON"), ("[]", "lists no sensor"), ('[{"device": "a"}]', '"key"')],
)
def test_a_bad_list_of_sensors_is_an_error_of_one_line(tmp_path, content, words):
    file = tmp_path / "sensors.json"
    if content is not None:
        file.write_text(content)

    with pytest.raises(ToolError, match=words):
        simulate.main(["quiet", "--sensors", str(file), "--data", str(tmp_path)])


def test_tls_needs_an_authority(tmp_path):
    file = tmp_path / "sensors.json"
    file.write_text(json.dumps([{"device": "a", "key": "00" * 32}]))

    with pytest.raises(ToolError, match="--ca"):
        simulate.main(["quiet", "--sensors", str(file), "--data", str(tmp_path), "--tls"])
