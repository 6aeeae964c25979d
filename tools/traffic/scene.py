"""
A scene: the transmissions in an invented place for some time, described by a JSON file.

    scene = scene.load("scenes/one_camera.json")
    for time_us, record in scene.records(seed=0): ...       # all channels, in time order

    {"duration_s": 120,
     "emitters": [{"stream": "x.hdr.csv.gz", "mac": "02:00:00:00:00:05", "bssid": "02:00:00:00:00:01",
                   "channel": 6, "rssi_dbm": -55, "start_s": 3, "loop": true, "loss": 0.3},
                  {"pattern": {"kind": "call", "up_kbps": 500}, "channel": 1, "rssi_dbm": [[0, -80], [60, -45]]}],
     "access_points": [{"ssid": "cafe", "bssid": "02:00:00:00:00:01", "channel": 6, "rssi_dbm": -60, "auth": 3}],
     "ble": [{"addr": "c0:ff:ee:00:00:01", "name": "V380_x", "adv_hex": "", "rssi_dbm": -70, "interval_ms": 500}],
     "analogue": [{"centre_mhz": 2432, "width_mhz": 18, "duty": 1.0}]}

An emitter is a "stream" (a header stream, or a radiotap capture with its own addresses) or a
"pattern" (generated, see patterns.py). Paths are relative to the scene's file. The other fields are
optional; EMITTER below lists them with their defaults.
"""

import heapq
import itertools
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansim.frame_header import KIND_MANAGEMENT, RECORD_FORMAT, SUBTYPE_BEACON, address_bytes
from ansim.observation import AccessPoint
from ansim.schema import ADDRESS, ANY_OBJECT, BOOL, check
from tools.lib.errors import ToolError
from tools.traffic import air, patterns, streams
from tools.traffic.advertisers import Analogue, Beacon, ble_payload

AUTH = {"open": 0, "wep": 1, "wpa-psk": 2, "wpa2-psk": 3, "wpa/wpa2-psk": 4, "wpa2-enterprise": 5, "wpa3-psk": 6}
BEACON_US = 102_400
BEACON_RATE = 0x00  # 1 Mbit/s
BROADCAST = b"\xff" * 6
MOST_EMITTERS = 500
# Of generated addresses. AC:DE:48 is the prefix in the IEEE's own examples, so no maker has it. Phones use random,
# locally administered addresses, which the first byte shows.
DEVICE_PREFIX, BSSID_PREFIX, CLIENT_PREFIX, PHONE_PREFIX = "ac:de:48:00", "ac:de:48:01", "da:de:48:02", "da:de:48:00"

_dbm = ("int", -128, 20)
_channel = ("int", 1, 177)
_share = ("number", 0, 1)
_time_s = ("number", 0, 1e7)
_walk = ("list", ("row", (("number", 0, 1e7), ("number", -128, 20))), 1, 1000)  # [[t_s, dbm], ...]

EMITTER = {
    "name?": ("text", 0, 64),  # for people
    "stream?": ("text", 1, 4096),
    "pattern?": ANY_OBJECT,
    "role?": ("one_of", (air.STATION, air.AP)),  # AP: the device is its own access point; default station
    "mac?": ADDRESS,  # default generated from its index in the list
    "bssid?": ADDRESS,  # default generated for its channel; the BSSID of an AP is its own address
    "client?": ADDRESS,  # the client of an AP
    "channel?": _channel,  # default 6; of a capture: move all its frames to this channel
    "rssi_dbm?": ("either", _dbm, _walk),  # default -60; [[t_s, dbm], ...] for a sensor that is carried
    "partner_dbm?": _dbm,  # of its access point or client; default -60
    "jitter_db?": ("number", 0, 20),  # standard deviation of each frame's signal; default 2
    "start_s?": _time_s,  # time of its first frame; default 0
    "end_s?": _time_s,  # when it stops sending; default never
    "from_s?": ("number", 0, 1e9),  # section of the stream to play; default all
    "to_s?": ("number", 0, 1e9),
    "loop?": BOOL,  # repeat the stream; default false
    "loss?": _share,  # share of its frames that the sensor does not receive; default 0
    "burst_ms?": ("number", 0, 60000),  # mean length of the periods in which frames are lost; default 0: independently
    "retries?": _share,  # share of frames sent twice; default 0
    "control?": BOOL,  # add its ACKs and Block Acks; default true
    "cts?": BOOL,  # add a CTS before each burst; default false
    "undecodable?": BOOL,  # the sensor's radio cannot decode its data; default false
}
SCENE = {
    "about?": ("text", 0, 2000),
    "duration_s": ("number", 0.1, 1e7),
    "emitters?": ("list", EMITTER, 0, MOST_EMITTERS),
    "access_points?": (
        "list",
        {
            "ssid": ("text", 0, 32),
            "bssid": ADDRESS,
            "channel": _channel,
            "rssi_dbm": _dbm,
            "auth?": ("either", ("int", 0, 20), ("one_of", tuple(AUTH))),
            "beacons?": BOOL,
            "loss?": _share,
        },
        0,
        200,
    ),
    "ble?": (
        "list",
        {
            "addr": ADDRESS,
            "addr_type?": ("int", 0, 1),
            "name?": ("text", 0, 29),
            "adv_hex?": ("text", 0, 62),
            "rssi_dbm": _dbm,
            "interval_ms?": ("int", 20, 60000),
        },
        0,
        200,
    ),
    "analogue?": (
        "list",
        {
            "centre_mhz": ("number", 2400, 2526),
            "width_mhz": ("number", 1, 60),
            "duty?": _share,
            "start_s?": _time_s,
            "end_s?": _time_s,
        },
        0,
        20,
    ),
}


def load(path: Path | str) -> "Scene":
    """Read and check a scene file. Raises ToolError that names all its problems."""
    return Scene(streams.read_json(path, "scene"), Path(path).parent, str(path))


class Scene:
    """
    A checked scene.

    duration_s     float
    emitters       list of dict, as in the description
    access_points  list of AccessPoint (ansim/observation.py), at_ms 0
    ble            list of Beacon (tools/traffic/advertisers.py)
    analogue       list of Analogue (tools/traffic/advertisers.py)
    """

    def __init__(self, description: dict[str, Any], folder: Path | str = ".", name: str = "the scene"):
        problems = check(SCENE, description)
        if not problems:
            problems = _contradictions(description, Path(folder))
        if problems:
            raise ToolError(f"{name} is not usable: " + "; ".join(problems))
        self.duration_s = float(description["duration_s"])
        self.emitters = description.get("emitters", [])
        self._folder = Path(folder)
        self._aps = description.get("access_points", [])
        self.access_points = [
            AccessPoint(0, ap["ssid"], address_bytes(ap["bssid"]), ap["channel"], ap["rssi_dbm"], _auth(ap))
            for ap in self._aps
        ]
        self.ble = [
            Beacon(
                address_bytes(beacon["addr"]),
                beacon.get("addr_type", 0),
                beacon["rssi_dbm"],
                ble_payload(beacon.get("adv_hex", ""), beacon.get("name", "")),
                beacon.get("interval_ms", 1000),
                beacon.get("name", ""),
            )
            for beacon in description.get("ble", [])
        ]
        self.analogue = [
            Analogue(
                sender["centre_mhz"],
                sender["width_mhz"],
                sender.get("duty", 1.0),
                sender.get("start_s", 0),
                sender.get("end_s", self.duration_s),
            )
            for sender in description.get("analogue", [])
        ]

    def records(self, seed: int | str = 0) -> Iterator[tuple[int, bytes]]:
        """
        Yield (time_us, record) of all channels in time order; the same seed gives the same records.

        time_us  int, microseconds since the scene's start; never wraps
        record   bytes, one header record (ansim/frame_header.py)

        Memory does not grow with the duration. Raises ToolError if a stream is damaged.
        """
        end_us = int(self.duration_s * 1_000_000)
        parts = [self._emitted(index, emitter, seed) for index, emitter in enumerate(self.emitters)]
        parts += [self._beacons(index, ap, seed) for index, ap in enumerate(self._aps) if ap.get("beacons", True)]
        for time_us, record in heapq.merge(*parts):
            if time_us >= end_us:
                return
            yield time_us, record

    def addresses(self, index: int) -> tuple[str, str, str]:
        """Return (mac, bssid, client) of the emitter with this index as text, with defaults filled in."""
        return _addresses(index, self.emitters[index])

    def _emitted(self, index, emitter, seed):
        start_us = int(emitter.get("start_s", 0) * 1_000_000)
        end_us = int(min(emitter.get("end_s", self.duration_s), self.duration_s) * 1_000_000)
        path = self._folder / emitter["stream"] if "stream" in emitter else None
        if path and streams.kind(path) == streams.RECORDS:
            records = self._captured(path, emitter, f"{seed} {index}", start_us, end_us)
        else:
            mac, bssid, client = (address_bytes(address) for address in _addresses(index, emitter))
            device = air.Emitter(
                mac,
                bssid,
                emitter.get("channel", 6),
                client,
                emitter.get("role", air.STATION),
                emitter.get("rssi_dbm", -60),
                emitter.get("partner_dbm", -60),
                emitter.get("jitter_db", 2.0),
                emitter.get("loss", 0.0),
                emitter.get("burst_ms", 0.0),
                emitter.get("retries", 0.0),
                emitter.get("control", True),
                emitter.get("cts", False),
                emitter.get("undecodable", False),
            )
            frames = stream_frames(path, emitter) if path else patterns.frames(emitter["pattern"], f"{seed} {index}")
            records = device.records(frames, f"{seed} {index}", start_us)
        for time_us, record in records:
            if time_us >= end_us:
                return
            yield time_us, record

    def _captured(self, path, emitter, seed, start_us, end_us):
        """Yield a capture with its own addresses, channels and signals; the scene sets loss, start and loop."""
        random_ = air.seeded_random(seed)
        is_lost = air.Loss(emitter.get("loss", 0.0), emitter.get("burst_ms", 0.0), random_).is_lost
        channel = bytes([emitter["channel"]]) if "channel" in emitter else None
        from_us = int(emitter.get("from_s", 0) * 1_000_000)
        to_us = int(emitter["to_s"] * 1_000_000) if "to_s" in emitter else None
        while start_us < end_us:
            last_us = 0
            for time_us, record in streams.records(path):
                if time_us < from_us:
                    continue
                if to_us is not None and time_us >= to_us:
                    break
                last_us = time_us - from_us
                at_us = start_us + last_us
                if not is_lost(at_us):
                    yield (
                        at_us,
                        struct.pack("<I", at_us & 0xFFFFFFFF)
                        + (record[4:] if channel is None else record[4:11] + channel + record[12:]),
                    )
            if not emitter.get("loop"):
                return
            start_us += last_us + 100_000

    def _beacons(self, index, ap, seed):
        random_ = air.seeded_random(f"{seed} beacon {index}")
        bssid = address_bytes(ap["bssid"])
        length = 130 + len(ap["ssid"].encode())
        pack = struct.Struct(RECORD_FORMAT).pack
        time_us = random_.randrange(BEACON_US)
        sequence = random_.randrange(4096)
        loss = ap.get("loss", 0.0)
        while True:
            if not loss or random_.random() >= loss:
                rssi_dbm = max(-128, min(20, ap["rssi_dbm"] + round(random_.gauss(0, 2))))
                yield (
                    time_us,
                    pack(
                        time_us & 0xFFFFFFFF,
                        length,
                        SUBTYPE_BEACON,
                        0,
                        rssi_dbm,
                        ap["channel"],
                        BEACON_RATE,
                        KIND_MANAGEMENT,
                        BROADCAST,
                        bssid,
                        bssid,
                        sequence << 4,
                        0,
                    ),
                )
            sequence = (sequence + 1) & 0xFFF
            time_us += BEACON_US


def stream_frames(path: Path | str, options: dict[str, Any]) -> Iterator[tuple[float, int, int, int | None]]:
    """
    Yield the frames of a section of a header stream, starting at 0 s.

    options  dict with any of from_s, to_s (the section) and loop (repeat it)
    """
    from_s, to_s = options.get("from_s", 0.0), options.get("to_s")
    start_s = 0.0
    while True:
        last_s = 0.0
        has_frames = False
        for t_s, up, length, rssi_dbm in streams.frames(path):
            if t_s < from_s:
                continue
            if to_s is not None and t_s >= to_s:
                break
            has_frames = True
            last_s = max(last_s, t_s - from_s)
            yield start_s + t_s - from_s, up, length, rssi_dbm
        if not has_frames or not options.get("loop"):
            return
        start_s += (last_s if to_s is None else max(last_s, min(to_s - from_s, last_s + 1))) + 0.1


def generated_address(prefix: str, index: int) -> str:
    """Return an address as text: one of the prefixes above and a number 0..65535."""
    return f"{prefix}:{index >> 8:02x}:{index & 0xFF:02x}"


def _addresses(index, emitter):
    mac = emitter.get("mac")
    if not mac:
        is_phone = emitter.get("pattern", {}).get("kind") in patterns.PHONES
        mac = generated_address(PHONE_PREFIX if is_phone else DEVICE_PREFIX, index)
    if emitter.get("role") == air.AP:
        bssid = mac
    else:
        bssid = emitter.get("bssid") or generated_address(BSSID_PREFIX, emitter.get("channel", 6))
    client = emitter.get("client") or generated_address(CLIENT_PREFIX, index)
    return mac, bssid, client


def _auth(ap):
    auth = ap.get("auth", 3)
    return AUTH[auth] if type(auth) is str else auth


def _contradictions(description, folder):
    """Return the problems that the schema cannot express."""
    problems = []
    for index, emitter in enumerate(description.get("emitters", [])):
        where = f"emitters[{index}]"
        if ("stream" in emitter) == ("pattern" in emitter):
            problems.append(f"{where} should have either stream or pattern")
        elif "pattern" in emitter:
            problems += patterns.check(emitter["pattern"], f"{where}.pattern")
        elif not (folder / emitter["stream"]).is_file():
            problems.append(f"{where}.stream: there is no file {folder / emitter['stream']}")
        else:
            try:
                if streams.kind(folder / emitter["stream"]) == streams.SCENE:
                    problems.append(f"{where}.stream should be a capture or a header stream")
            except ToolError as error:
                problems.append(f"{where}.stream: {error}")
        for low, high in (("from_s", "to_s"), ("start_s", "end_s")):
            if high in emitter and emitter[high] <= emitter.get(low, 0):
                problems.append(f"{where}.{high} should be after {low}")
        walk = emitter.get("rssi_dbm")
        if type(walk) is list and any(later[0] <= earlier[0] for earlier, later in itertools.pairwise(walk)):
            problems.append(f"{where}.rssi_dbm: the times of the walk should increase")
        if emitter.get("role") == air.AP and emitter.get("bssid", emitter.get("mac")) != emitter.get("mac"):
            problems.append(
                f"{where}.bssid should be its mac, or be left out: an access point's BSSID is its own address"
            )
    for index, beacon in enumerate(description.get("ble", [])):
        try:
            if len(ble_payload(beacon.get("adv_hex", ""), beacon.get("name", ""))) > 31:
                problems.append(f"ble[{index}]: adv_hex and name together are longer than 31 bytes")
        except ValueError:
            problems.append(f"ble[{index}].adv_hex should be hex digits")
    return problems
