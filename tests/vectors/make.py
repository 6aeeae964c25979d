"""
Generate the detectors' test vectors, except camera_stream's: `python -m tests.vectors.make`.

All data is generated, none is captured. The expected findings are recorded by running the
detectors, so a changed threshold shows as a change of these files; whether an alarm must be
raised (`fires`) is set here by hand.
"""

import json
import random
from pathlib import Path

from ansim.ble_fields import COMPLETE_NAME, MAKER_DATA, SERVICE_DATA_16
from ansim.detect.stimulus import plan_slots
from tests.support import vectors
from tests.support.walks import walk

FOLDER = Path(__file__).resolve().parent

A9 = ["FTYC811847AGFDZ", "c2:fd:00:00:00:01", 6, -52, 0]
ROUTER = ["KT_GiGA_2G_Wave2_152A", "00:07:89:d3:15:2d", 6, -48, 3]
CAFE = ["KT_starbucks", "00:30:0d:89:59:2f", 11, -60, 0]
PHONE = ["Galaxy S24 1234", "ea:12:34:56:78:9a", 1, -40, 3]


def access_points() -> list:
    """Return the vectors of camera_access_point."""
    away = [["scan", 1000 * s, [ROUTER]] for s in (40, 70, 100, 130)]
    plug = ["SmartLife-1A2B", "d8:1f:12:00:00:07", 6, -55, 0]
    brand = ["IPC-7F3K2Q", "24:0a:c4:00:00:08", 6, -55, 0]
    recorder = ["", "00:bc:99:00:00:09", 6, -70, 3]
    no_name = ["wlan_8842", "08:ea:40:00:00:0a", 3, -50, 0]
    campus = ["WIFI_CAMPUS", "24:0a:c4:00:00:0b", 6, -50, 0]
    return [
        _vector("a mini camera's own network is raised at once", True, ["scan", 1000, [A9, ROUTER]], ["judge", 1500]),
        _vector(
            "it is updated when it is nearer, and cleared when it is gone",
            True,
            ["scan", 1000, [A9]],
            ["judge", 1500],
            ["scan", 20000, [[*A9[:3], -40, 0]]],
            ["judge", 21000],
            *[row for scan in away for row in (scan, ["judge", scan[1] + 500])],
        ),
        _vector(
            "a camera maker's address and an open network",
            True,
            ["scan", 0, [["", "00:bc:99:00:00:09", 6, -60, 0]]],
            ["judge", 100],
        ),
        _vector(
            "an unknown open network on a camera module that itself streams to one client",
            True,
            ["scan", 0, [no_name]],
            ["judge", 100],
            ["traffic", 5000, no_name[1], 900, 1],
            ["judge", 5100],
        ),
        _vector("ordinary networks say nothing", False, ["scan", 0, [ROUTER, CAFE, PHONE]], ["judge", 100]),
        _vector(
            "weak and brand names never raise, whatever they add up to",
            False,
            ["scan", 0, [plug, brand, recorder, campus]],
            ["judge", 100],
            ["scan", 60000, [plug, brand, recorder, campus]],
            ["judge", 60100],
        ),
        _vector(
            "a router that serves one download",
            False,
            ["scan", 0, [ROUTER]],
            ["traffic", 5000, ROUTER[1], 9000, 1],
            ["judge", 5100],
        ),
        _vector(
            "a harmless name takes a camera maker's open network below the threshold",
            False,
            ["scan", 0, [["DIRECT-ab-EPSON-1", "00:bc:99:00:00:0c", 6, -60, 0]]],
            ["judge", 100],
        ),
    ]


def beacons() -> list:
    """Return the vectors of camera_beacon."""
    v380 = _field(COMPLETE_NAME, b"V380_12345678")
    tuya = _field(SERVICE_DATA_16, b"\x50\xfd\x01") + _field(MAKER_DATA, b"\xd0\x07\x00")
    glasses = _field(SERVICE_DATA_16, b"\x5f\xfd") + _field(MAKER_DATA, b"\xab\x01")
    named_glasses = _field(COMPLETE_NAME, b"Ray-Ban Meta 01")
    reolink = _field(COMPLETE_NAME, b"Reolink E1")
    return [
        _vector("a mini camera's name", True, _heard(0, "c4:00:00:00:00:01", 1, -60, v380), ["judge", 500]),
        _vector(
            "it falls silent",
            True,
            _heard(0, "c4:00:00:00:00:01", 1, -60, v380),
            ["judge", 500],
            ["judge", 179000],
            ["judge", 181000],
        ),
        _vector(
            "a brand's name on the brand's own address",
            True,
            _heard(0, "ec:71:db:00:00:02", 0, -65, reolink),
            ["judge", 500],
        ),
        _vector(
            "a plug waiting to be set up",
            False,
            _heard(0, "d8:1f:12:00:00:03", 0, -50, tuya),
            ["judge", 500],
            _heard(9000, "d8:1f:12:00:00:03", 0, -50, tuya),
            ["judge", 9500],
        ),
        _vector(
            "camera glasses name their brand three times, which is one sign",
            False,
            _heard(0, "7a:00:00:00:00:04", 1, -50, glasses),
            _heard(10, "7a:00:00:00:00:04", 1, -50, named_glasses),
            ["judge", 500],
        ),
        _vector(
            "headphones, a damaged payload and an empty one",
            False,
            _heard(0, "7a:00:00:00:00:05", 1, -50, _field(COMPLETE_NAME, b"Galaxy Buds2")),
            _heard(1, "7a:00:00:00:00:06", 1, -50, b"\x1e\x09V3"),
            _heard(2, "7a:00:00:00:00:07", 1, -50, b""),
            ["judge", 500],
        ),
    ]


def spectra() -> list:
    """Return the vectors of analogue_video."""
    rng = random.Random(5)
    sender = [[24, 2], [17, 60], [85, 1]]  # 2424-2440 MHz
    quiet = [["airtime", 8000, channel, 60] for channel in (4, 5, 6)]
    busy = [["airtime", 8000, channel, 700] for channel in (4, 5, 6)]
    bluetooth = [[1, rng.choice((0, 1, 2, 3))] for _ in range(126)]
    oven = [[30, 1], [50, 31], [46, 1]]
    zigbee = [[49, 0], [2, 59], [75, 0]]
    wide = [[10, 0], [38, 60], [78, 0]]
    return [
        _vector(
            "a sender on 2432 MHz, quiet Wi-Fi in between",
            True,
            ["spectrum", 1000, 60, sender],
            ["judge", 1100],
            *quiet,
            ["spectrum", 20000, 60, sender],
            ["judge", 20100],
            ["spectrum", 40000, 60, [[126, 1]]],
            ["judge", 40100],
            ["spectrum", 60000, 60, [[126, 1]]],
            ["judge", 60100],
        ),
        _vector(
            "a narrower and drifting one on 2414 MHz",
            True,
            ["spectrum", 1000, 60, [[7, 0], [11, 58], [108, 0]]],
            ["airtime", 2000, 1, 20],
            ["airtime", 2500, 2, 10],
            ["spectrum", 9000, 60, [[7, 0], [13, 56], [106, 0]]],
            ["judge", 9100],
        ),
        _vector(
            "the same plateau, but Wi-Fi fills it",
            False,
            ["spectrum", 1000, 60, sender],
            *busy,
            ["spectrum", 20000, 60, sender],
            ["judge", 20100],
        ),
        _vector(
            "the same plateau, and nobody listened to Wi-Fi there",
            False,
            ["spectrum", 1000, 60, sender],
            ["spectrum", 20000, 60, sender],
            ["judge", 20100],
            ["spectrum", 40000, 60, sender],
            ["judge", 40100],
        ),
        _vector(
            "a microwave oven, Bluetooth, Zigbee and something 38 MHz wide",
            False,
            *[
                row
                for shape in (oven, bluetooth, zigbee, wide)
                for row in (["spectrum", 1000, 60, shape], ["judge", 1100])
            ],
        ),
    ]


def stimulus() -> list:
    """Return the vectors of stimulus."""
    slots = plan_slots(3, 120)
    all_the_time = [[0, 120000]]
    hopping = [[at, at + 1700] for at in range(0, 120000, 2000)]
    little = [[at, at + 400] for at in range(0, 120000, 4000)]
    watching, elsewhere = _series(slots, 1), _series(plan_slots(9, 120), 2)
    return [
        _series_vector("a camera that watches this room", True, slots, all_the_time, watching),
        _series_vector("the same with frames missing during hops", True, slots, hopping, watching),
        _series_vector("a camera that watches another room", False, slots, all_the_time, elsewhere),
        _series_vector("too little was heard to say", False, slots, little, watching),
        _series_vector("it sent nothing", False, slots, all_the_time, [0] * 1200),
    ]


def proximity() -> list:
    """Return the vectors of proximity; "fires" is "warmer at some time"."""
    made = []
    for name, seed, mode, turns in (
        ("walking towards it", 4, "approach", False),
        ("walking away from it", 3, "leave", False),
        ("standing, and turning round", 6, "still", True),
    ):
        heard = [[one.at_ms, one.rssi_dbm] for one in walk(seed, mode, 6, turns) if one.at_ms < 40000]
        made.append(
            {
                "name": name,
                "fires": mode == "approach",
                "heard": heard,
                "readings_at_ms": [*range(2000, 40000, 4000), 47000],
            }
        )
    return made


def signatures() -> list:
    """Return the vectors of the tables."""
    cameras = [
        "V380-1234",
        "FTYC811847AGFDZ",
        "FTYC-811847-AGFDZ",
        "MV+12345678",
        "hdwificam_01",
        "iCam365-9",
        "spy cam 1",
    ]
    harmless = ["KT_GiGA_2G_152A", "SK_WiFiGIGA93EE_2.4G", "U+NetEDE8", "iptime", "T wifi zone_secure", "ollehWiFi"]
    more = ["KT_starbucks_Secure", "홍길동의 iPhone", "[LG_AirPurifier]1a81", "DIRECT-76-HP OfficeJet 7510", "SEOUL"]
    neither = [
        "",
        "ftyc811847agfdz",
        "FTYC81184AGFDZ",
        "WIFI_CAMPUS",
        "minicampus",
        "CLOUDCAMPUS",
        "AIS 5G",
        "SEOUL2",
        "x" * 32,
    ]
    ouis = ["00:bc:99:00:00:00", "02:bc:99:00:00:00", "24:0a:c4:00:00:00", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"]
    return [
        {"name": "names of cameras", "fires": True, "steps": [["ssid", name] for name in cameras]},
        {"name": "names of harmless devices", "fires": False, "steps": [["ssid", name] for name in harmless + more]},
        {"name": "names of neither", "fires": False, "steps": [["ssid", name] for name in neither]},
        {"name": "makers", "fires": True, "steps": [["oui", address] for address in ouis]},
        {
            "name": "Bluetooth LE",
            "fires": True,
            "steps": [
                ["ble_name", "LookCam_1"],
                ["ble_service", 0xFD50],
                ["ble_service", 0xFFF0],
                ["ble_maker", 0x034D],
            ],
        },
    ]


def _vector(name, fires, *steps):
    return {"name": name, "fires": fires, "steps": list(steps)}


def _heard(at_ms, address, address_type, rssi_dbm, payload):
    return ["heard", at_ms, address, address_type, rssi_dbm, payload.hex()]


def _field(kind, data):
    return bytes([len(data) + 1, kind]) + data


def _series(slots, seed):
    """Return bytes per 100 ms of a camera with a key frame each 2 s that sends half as much again in movement."""
    rng = random.Random(seed)
    series = []
    for place in range(1200):
        at_ms = place * 100 - 600
        moving = any(mark and start <= at_ms < start + length for start, length, mark in slots)
        level = rng.gauss(9000, 2200) if moving else rng.gauss(6000, 1800)
        series.append(max(0, int(level)) + (24000 if place % 20 == 7 else 0))
    return series


def _series_vector(name, fires, slots, listening, series):
    return {"name": name, "fires": fires, "slots": slots, "listening": listening, "bytes_per_100ms": series}


def main() -> None:
    """Write the files."""
    for what, made in (
        ("camera_access_point", access_points()),
        ("camera_beacon", beacons()),
        ("analogue_video", spectra()),
        ("stimulus", stimulus()),
        ("proximity", proximity()),
        ("signatures", signatures()),
    ):
        for vector in made:
            vector["expect"], fired = vectors.RUNNERS[what](vector)
            assert fired == vector["fires"], f"{what}: {vector['name']}: fired is {fired}\n{vector['expect']}"
        lines = ",\n".join(json.dumps(vector, separators=(",", ":")) for vector in made)
        (FOLDER / f"{what}.json").write_text(f'{{"what":"{what}","generated":true,"vectors":[\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
