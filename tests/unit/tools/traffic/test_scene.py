"""A scene file becomes all records on the air, in time order."""

import gzip
import itertools
import json
import random
import struct
import tracemalloc

import pytest

from ansim import frame_header as header
from tests.support import made_captures as captures
from tools.lib.errors import ToolError
from tools.traffic import scene
from tools.traffic.advertisers import busy_channels

CAMERA = {"pattern": {"kind": "camera", "kbps": 500}}


def stream(folder, name="x.hdr.csv.gz", frames=((0.0, 1, 1000), (0.5, 0, 94), (1.0, 1, 1200))):
    with gzip.open(folder / name, "wt") as file:
        file.write("t_s,up,mpdu_len,rssi\n" + "".join(f"{t_s},{up},{length},\n" for t_s, up, length in frames))
    return name


def records(description, folder=".", seed=0):
    return [
        (at_us, struct.unpack(header.RECORD_FORMAT, record))
        for at_us, record in scene.Scene(description, folder).records(seed)
    ]


def data(timed_records):
    return [(at_us, record) for at_us, record in timed_records if record[7] & 15 == header.KIND_DATA]


def test_a_scene_file_is_read_with_paths_beside_it(tmp_path):
    (tmp_path / "recorded").mkdir()
    stream(tmp_path / "recorded")
    path = tmp_path / "scene.json"
    path.write_text(
        json.dumps(
            {
                "duration_s": 5,
                "emitters": [{"stream": "recorded/x.hdr.csv.gz", "mac": "ac:de:48:00:00:09", "start_s": 2}],
            }
        )
    )

    timed_records = data(
        [(at_us, struct.unpack(header.RECORD_FORMAT, record)) for at_us, record in scene.load(path).records()]
    )

    assert [at_us for at_us, _ in timed_records] == [2_000_000, 2_500_000, 3_000_000]
    assert timed_records[0][1][9] == bytes.fromhex("acde48000009")
    assert timed_records[0][1][1] == 1000


def test_all_emitters_are_merged_in_time_order_up_to_the_end():
    description = {
        "duration_s": 10,
        "emitters": [{**CAMERA, "channel": channel, "loss": 0.2} for channel in (1, 6, 11)],
        "access_points": [{"ssid": "cafe", "bssid": "ac:de:48:01:00:06", "channel": 6, "rssi_dbm": -50}],
    }

    timed_records = records(description)

    assert [at_us for at_us, _ in timed_records] == sorted(at_us for at_us, _ in timed_records)
    assert 9_900_000 < timed_records[-1][0] < 10_000_000
    assert {record[5] for _, record in timed_records} == {1, 6, 11}


def test_the_same_seed_gives_the_same_scene_and_another_one_another():
    description = {"duration_s": 3, "emitters": [{**CAMERA, "loss": 0.3, "burst_ms": 20, "retries": 0.1}]}

    assert records(description, seed=4) == records(description, seed=4)
    assert records(description, seed=4) != records(description, seed=5)


def test_an_access_point_sends_a_beacon_every_102_4_ms_on_its_channel():
    description = {
        "duration_s": 60,
        "access_points": [
            {"ssid": "cafe", "bssid": "ac:de:48:01:00:06", "channel": 9, "rssi_dbm": -50, "auth": "open"}
        ],
    }

    timed_records = records(description)

    assert {later[0] - earlier[0] for earlier, later in itertools.pairwise(timed_records)} == {102_400}
    assert {(record[2], record[5], record[8], record[9]) for _, record in timed_records} == {
        (0x80, 9, b"\xff" * 6, bytes.fromhex("acde48010006"))
    }
    assert scene.Scene(description).access_points[0].security == 0


def test_a_looped_stream_goes_on_and_one_that_is_not_ends(tmp_path):
    name = stream(tmp_path)

    once = data(records({"duration_s": 20, "emitters": [{"stream": name}]}, tmp_path))
    again = data(records({"duration_s": 20, "emitters": [{"stream": name, "loop": True}]}, tmp_path))

    assert len(once) == 3
    assert len(again) > 50
    assert again[3][0] == 1_100_000


def test_a_part_of_a_stream_can_be_played(tmp_path):
    name = stream(tmp_path, frames=[(number * 1.0, 1, 100 + number) for number in range(10)])

    timed_records = data(
        records({"duration_s": 20, "emitters": [{"stream": name, "from_s": 3, "to_s": 6, "start_s": 1}]}, tmp_path)
    )

    assert [(at_us, record[1]) for at_us, record in timed_records] == [
        (1_000_000, 103),
        (2_000_000, 104),
        (3_000_000, 105),
    ]


def test_an_emitter_falls_silent_at_its_end():
    timed_records = records({"duration_s": 10, "emitters": [{**CAMERA, "start_s": 2, "end_s": 4}]})

    assert timed_records[0][0] >= 2_000_000
    assert timed_records[-1][0] < 4_000_000


def test_a_whole_capture_plays_with_its_own_addresses(tmp_path):
    frames = [(at_us, captures.radiotap(signal_dbm=-44) + captures.data()) for at_us in (0, 500_000, 900_000)]
    (tmp_path / "night.pcap").write_bytes(captures.pcap(frames))

    timed_records = records(
        {"duration_s": 3, "emitters": [{"stream": "night.pcap", "start_s": 1, "loop": True, "channel": 3}]}, tmp_path
    )

    assert [at_us for at_us, _ in timed_records] == [1_000_000, 1_500_000, 1_900_000, 2_000_000, 2_500_000, 2_900_000]
    assert {(record[4], record[5], record[9]) for _, record in timed_records} == {(-44, 3, captures.STATION)}
    assert [record[0] for _, record in timed_records] == [at_us for at_us, _ in timed_records]


def test_phones_have_a_random_address_and_other_devices_a_global_one():
    loaded = scene.Scene({"duration_s": 1, "emitters": [CAMERA, {"pattern": {"kind": "call"}}]})

    assert [header.is_local(header.address_bytes(loaded.addresses(index)[0])) for index in (0, 1)] == [False, True]


def test_bluetooth_advertisers_carry_their_name():
    description = {
        "duration_s": 1,
        "ble": [{"addr": "c0:ff:ee:00:00:01", "name": "V380_x", "adv_hex": "020106", "rssi_dbm": -70}],
    }

    assert scene.Scene(description).ble[0].payload == b"\x02\x01\x06\x07\x09V380_x"


def test_an_analogue_sender_fills_its_channels_while_it_is_on():
    loaded = scene.Scene({"duration_s": 60, "analogue": [{"centre_mhz": 2432, "width_mhz": 18, "start_s": 10}]})

    on, off = (busy_channels(loaded.analogue, at_s, 100, random.Random(1)) for at_s in (20, 5))
    assert [channel for channel in range(126) if on[channel] == 100] == list(range(23, 42))
    assert not any(off)


def test_all_problems_of_a_scene_are_listed_in_one_line(tmp_path):
    (tmp_path / "empty.pcap").touch()
    with pytest.raises(ToolError) as refused:
        scene.Scene(
            {
                "duration_s": 5,
                "emitters": [
                    {"channel": 2},
                    {"stream": "nowhere.pcap"},
                    {"stream": "empty.pcap"},
                    {"pattern": {"kind": "camera", "fps": 900}, "start_s": 4, "end_s": 3},
                    {**CAMERA, "role": "ap", "mac": "ac:de:48:00:00:01", "bssid": "ac:de:48:00:00:02"},
                    {**CAMERA, "rssi_dbm": [[5, -50], [5, -60]]},
                ],
                "ble": [{"addr": "c0:ff:ee:00:00:01", "adv_hex": "xyz", "rssi_dbm": 0}],
            },
            tmp_path,
        )

    text = str(refused.value)
    assert "\n" not in text
    for words in (
        "emitters[0] should have",
        "no file",
        "is empty",
        "pattern.fps",
        "end_s should be after",
        "emitters[4].bssid",
        "walk",
        "hex",
    ):
        assert words in text


@pytest.mark.parametrize(
    "description",
    [
        {},
        {"duration_s": 0},
        {"duration_s": float("nan")},
        {"duration_s": True},
        {"duration_s": 5, "emitters": [{**CAMERA, "channel": 200}]},
        {"duration_s": 5, "emitters": [{**CAMERA, "loss": 1.5}]},
        {"duration_s": 5, "emitters": [{**CAMERA, "mac": "AC-DE-48-00-00-01"}]},
        {"duration_s": 5, "emitters": {}},
        {
            "duration_s": 5,
            "access_points": [{"ssid": "x" * 33, "bssid": "ac:de:48:00:00:01", "channel": 1, "rssi_dbm": -40}],
        },
        {"duration_s": 5, "colour": "red"},
    ],
)
def test_a_scene_that_breaks_the_form_is_refused(description):
    with pytest.raises(ToolError, match="is not usable"):
        scene.Scene(description)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"duration_s": 1', "[" * 100_000])
def test_a_file_that_is_no_scene_is_refused(tmp_path, text):
    path = tmp_path / "scene.json"
    path.write_text(text)

    with pytest.raises(ToolError, match=r"scene\.json"):
        scene.load(path)


def test_a_long_scene_is_made_in_little_memory():
    description = {
        "duration_s": 100_000,
        "emitters": [{"pattern": {"kind": kind}} for kind in ("camera", "web", "call")],
    }
    made_records = scene.Scene(description).records()

    tracemalloc.start()
    for _ in itertools.islice(made_records, 20_000):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 500_000
