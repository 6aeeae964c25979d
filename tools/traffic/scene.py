"""
A scene: what is on the air in a made-up place for some time, as a JSON file.

    scene = scene.load("scenes/one_camera.json")
    for time_us, record in scene.records(seed=0): ...       # all channels, in time order

    {"duration_s": 120,
     "emitters": [{"stream": "x.hdr.csv.gz", "mac": "02:00:00:00:00:05", "bssid": "02:00:00:00:00:01",
                   "channel": 6, "rssi_dbm": -55, "start_s": 3, "loop": true, "loss": 0.3},
                  {"pattern": {"kind": "call", "up_kbps": 500}, "channel": 1, "rssi_dbm": [[0, -80], [60, -45]]}],
     "access_points": [{"ssid": "cafe", "bssid": "02:00:00:00:00:01", "channel": 6, "rssi_dbm": -60, "auth": 3}],
     "ble": [{"addr": "c0:ff:ee:00:00:01", "name": "V380_x", "adv_hex": "", "rssi_dbm": -70, "interval_ms": 500}],
     "analogue": [{"centre_mhz": 2432, "width_mhz": 18, "duty": 1.0}]}

An emitter is a "stream" (a header stream, or a whole radiotap capture with the addresses in
it) or a "pattern" (generated, see patterns.py); paths are relative to the scene's file. Its
other fields are optional; EMITTER below says what each is and its default.
"""

import heapq
import itertools
import struct
from pathlib import Path

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
# Made-up addresses. AC:DE:48 is the prefix of the IEEE's own examples, so no maker has it; a phone
# makes up its address itself, which shows in its first byte.
DEVICE_PREFIX, BSSID_PREFIX, CLIENT_PREFIX, PHONE_PREFIX = "ac:de:48:00", "ac:de:48:01", "da:de:48:02", "da:de:48:00"

_dbm = ("int", -128, 20)
_channel = ("int", 1, 14)
_share = ("number", 0, 1)
_time_s = ("number", 0, 1e7)
_walk = ("list", ("row", (("number", 0, 1e7), ("number", -128, 20))), 1, 1000)  # [[t_s, dbm], ...]

EMITTER = {
    "name?": ("text", 0, 64),  # for people
    "stream?": ("text", 1, 4096),
    "pattern?": ANY_OBJECT,
    "role?": ("one_of", (air.STATION, air.AP)),  # AP: the device is its own access point; default station
    "mac?": ADDRESS,  # default a made-up one, by its place in the list
    "bssid?": ADDRESS,  # default a made-up one for its channel; of an AP its own address
    "client?": ADDRESS,  # who an AP talks to
    "channel?": _channel,  # default 6; of a whole capture: move all its frames there
    "rssi_dbm?": ("either", _dbm, _walk),  # default -60; [[t_s, dbm], ...] for a sensor that is carried about
    "partner_dbm?": _dbm,  # of its access point or client; default -60
    "jitter_db?": ("number", 0, 20),  # standard deviation of each frame's signal; default 2
    "start_s?": _time_s,  # when it begins; default 0
    "end_s?": _time_s,  # when it falls silent; default never
    "from_s?": ("number", 0, 1e9),  # the part of the stream that is played; default all
    "to_s?": ("number", 0, 1e9),
    "loop?": BOOL,  # again when it has ended; default false
    "loss?": _share,  # share of its frames the sensor does not hear; default 0
    "burst_ms?": ("number", 0, 60000),  # mean length of the periods in which they are lost; default 0, one by one
    "retries?": _share,  # share of frames sent twice; default 0
    "control?": BOOL,  # its ACKs and Block Acks are on the air too; default true
    "cts?": BOOL,  # and a CTS before each burst; default false
    "undecodable?": BOOL,  # its data cannot be read by the sensor's radio; default false
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


def load(path) -> "Scene":
    """Read and check a scene file. Raises ToolError with everything that is wrong with it."""
    return Scene(streams.read_json(path, "scene"), Path(path).parent, str(path))


class Scene:
    """
    A checked scene.

    duration_s     float
    emitters       list of dict, as given
    access_points  list of AccessPoint (ansim/observation.py), at_ms 0
    ble            list of Beacon (tools/traffic/advertisers.py)
    analogue       list of Analogue (tools/traffic/advertisers.py)
    """

    def __init__(self, given: dict, folder=".", name="the scene"):
        problems = check(SCENE, given)
        if not problems:
            problems = _contradictions(given, Path(folder))
        if problems:
            raise ToolError(f"{name} is not usable: " + "; ".join(problems))
        self.duration_s = float(given["duration_s"])
        self.emitters = given.get("emitters", [])
        self._folder = Path(folder)
        self._aps = given.get("access_points", [])
        self.access_points = [
            AccessPoint(0, ap["ssid"], address_bytes(ap["bssid"]), ap["channel"], ap["rssi_dbm"], _auth(ap))
            for ap in self._aps
        ]
        self.ble = [
            Beacon(
                address_bytes(one["addr"]),
                one.get("addr_type", 0),
                one["rssi_dbm"],
                ble_payload(one.get("adv_hex", ""), one.get("name", "")),
                one.get("interval_ms", 1000),
                one.get("name", ""),
            )
            for one in given.get("ble", [])
        ]
        self.analogue = [
            Analogue(
                one["centre_mhz"],
                one["width_mhz"],
                one.get("duty", 1.0),
                one.get("start_s", 0),
                one.get("end_s", self.duration_s),
            )
            for one in given.get("analogue", [])
        ]

    def records(self, seed=0):
        """
        Yield (time_us, record) over all channels in time order, the same for the same seed.

        time_us  int, microseconds since the scene's start; it does not wrap
        record   bytes, one header record (ansim/frame_header.py)

        Memory does not grow with the duration. Raises ToolError if a stream turns out damaged.
        """
        end_us = int(self.duration_s * 1_000_000)
        parts = [self._emitted(index, emitter, seed) for index, emitter in enumerate(self.emitters)]
        parts += [self._beacons(index, ap, seed) for index, ap in enumerate(self._aps) if ap.get("beacons", True)]
        for time_us, one in heapq.merge(*parts):
            if time_us >= end_us:
                return
            yield time_us, one

    def addresses(self, index) -> tuple:
        """(mac, bssid, client) of the emitter at this place, as text, defaults filled in."""
        return _addresses(index, self.emitters[index])

    def _emitted(self, index, emitter, seed):
        start_us = int(emitter.get("start_s", 0) * 1_000_000)
        end_us = int(min(emitter.get("end_s", self.duration_s), self.duration_s) * 1_000_000)
        path = self._folder / emitter["stream"] if "stream" in emitter else None
        if path and streams.kind(path) == streams.RECORDS:
            heard = self._captured(path, emitter, f"{seed} {index}", start_us, end_us)
        else:
            mac, bssid, client = (address_bytes(one) for one in _addresses(index, emitter))
            made = air.Emitter(
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
            heard = made.records(frames, f"{seed} {index}", start_us)
        for time_us, one in heard:
            if time_us >= end_us:
                return
            yield time_us, one

    def _captured(self, path, emitter, seed, start_us, end_us):
        """A whole capture: its own addresses, channels and signals; loss, start and loop are the scene's."""
        random_ = air.seeded_random(seed)
        lost = air.Loss(emitter.get("loss", 0.0), emitter.get("burst_ms", 0.0), random_).is_lost
        channel = bytes([emitter["channel"]]) if "channel" in emitter else None
        from_us = int(emitter.get("from_s", 0) * 1_000_000)
        to_us = int(emitter["to_s"] * 1_000_000) if "to_s" in emitter else None
        while start_us < end_us:
            last_us = 0
            for time_us, one in streams.records(path):
                if time_us < from_us:
                    continue
                if to_us is not None and time_us >= to_us:
                    break
                last_us = time_us - from_us
                at_us = start_us + last_us
                if not lost(at_us):
                    yield (
                        at_us,
                        struct.pack("<I", at_us & 0xFFFFFFFF)
                        + (one[4:] if channel is None else one[4:11] + channel + one[12:]),
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


def stream_frames(path, part):
    """
    Yield the frames of a header stream, from its own zero, cut and looped.

    part  dict with any of from_s, to_s (the part of the stream) and loop
    """
    from_s, to_s = part.get("from_s", 0.0), part.get("to_s")
    start_s = 0.0
    while True:
        last_s = 0.0
        any_frame = False
        for t_s, up, length, rssi_dbm in streams.frames(path):
            if t_s < from_s:
                continue
            if to_s is not None and t_s >= to_s:
                break
            any_frame = True
            last_s = max(last_s, t_s - from_s)
            yield start_s + t_s - from_s, up, length, rssi_dbm
        if not any_frame or not part.get("loop"):
            return
        start_s += (last_s if to_s is None else max(last_s, min(to_s - from_s, last_s + 1))) + 0.1


def generated_address(start, index) -> str:
    """A made-up address as text: one of the MADE_ starts and a number 0..65535."""
    return f"{start}:{index >> 8:02x}:{index & 0xFF:02x}"


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


def _contradictions(given, folder):
    problems = []
    for index, emitter in enumerate(given.get("emitters", [])):
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
            problems.append(f"{where}.rssi_dbm: the times of the walk should grow")
        if emitter.get("role") == air.AP and emitter.get("bssid", emitter.get("mac")) != emitter.get("mac"):
            problems.append(f"{where}.bssid should be its mac, or left out: an access point's BSSID is its own address")
    for index, one in enumerate(given.get("ble", [])):
        try:
            if len(ble_payload(one.get("adv_hex", ""), one.get("name", ""))) > 31:
                problems.append(f"ble[{index}]: adv_hex and name together are longer than 31 bytes")
        except ValueError:
            problems.append(f"ble[{index}].adv_hex should be hex digits")
    return problems
