"""
Compile a scene into the file that a virtual sensor's radio reads (see sim/_simulation.py).

    sim_air.compile_scene(scene.load("scenes/quiet.json"), "scene.air", networks=["demo"])

The sensor must find what its channel carries at a moment without reading the rest, in a few
hundred bytes of memory: so the records lie channel by channel, with an index of 10 ms steps.

    offset  size
    0       8     "ANSIMAI1"
    8       4     duration in ms
    12      2, 2  how many access points and advertisers
    16      4, 4  where they begin
    24      12 each of 14 channels: where its index and its records begin, and how many records
    then    the rows, and for each channel in use its index (4 bytes a step: how many records
            lie before it) and its records (ansim/frame_header.py)

All numbers are little-endian.
"""

import array
import contextlib
import hashlib
import shutil
import struct
import sys
import tempfile
from pathlib import Path

from ansim.frame_header import CHANNEL, RECORD_BYTES
from tools.lib import progress
from tools.traffic import air, packets, patterns
from tools.traffic import scene as scenes

MAGIC = b"ANSIMAI1"
SLOT_US = 10_000
CHANNELS = 14
HEADER = struct.Struct("<8sIHHII")
CHANNEL_ROW = struct.Struct("<III")
AP_ROW = struct.Struct("<32sB6sBbB")
BLE_ROW = struct.Struct("<6sBbB31sI")

# Where the sensor's own network is put if the scene has none of that name.
OWN_BSSID, OWN_CHANNEL, OWN_DBM, OWN_SECURITY = bytes.fromhex("acde480200ff"), 1, -58, 3


def compiled(path, folder, seed=0, networks=()) -> Path:
    """
    Compile a scene file into `folder` unless that was done before; return the result's path.

    Raises ToolError if the scene cannot be used.
    """
    scene = scenes.load(path)
    digest = hashlib.sha256(repr((seed, sorted(networks), MAGIC)).encode())
    for source in (path, scenes.__file__, patterns.__file__, packets.__file__, air.__file__):
        digest.update(Path(source).read_bytes())
    for emitter in scene.emitters:
        if "stream" in emitter:
            stream = (Path(path).parent / emitter["stream"]).stat()
            digest.update(repr((stream.st_size, stream.st_mtime_ns)).encode())
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{Path(path).stem}-{digest.hexdigest()[:12]}.air"
    if not target.exists():
        compile_scene(scene, target, seed, networks)
    return target


def compile_scene(scene, path, seed=0, networks=()) -> None:
    """
    Write a tools.traffic.scene.Scene as a file.

    networks  names of networks that must be there for the sensor to join
    """
    duration_ms = int(scene.duration_s * 1000)
    access_points = _access_points(scene, networks)
    beacons = [
        BLE_ROW.pack(
            one.address, one.address_type, one.rssi_dbm, len(one.payload), one.payload.ljust(31, b"\0"), one.interval_ms
        )
        for one in scene.ble
    ]
    path = Path(path)
    unfinished = path.with_suffix(".new")
    with contextlib.ExitStack() as stack, open(unfinished, "wb") as file:
        channels = _sort_by_channel(scene, seed, stack)
        aps_at = HEADER.size + CHANNELS * CHANNEL_ROW.size
        beacons_at = aps_at + AP_ROW.size * len(access_points)
        at = beacons_at + BLE_ROW.size * len(beacons)
        rows = []
        for counts, _ in channels:
            total = counts[-1] if counts else 0
            index_bytes = 4 * len(counts) if counts else 0
            rows.append(CHANNEL_ROW.pack(at, at + index_bytes, total))
            at += index_bytes + total * RECORD_BYTES
        file.write(HEADER.pack(MAGIC, duration_ms, len(access_points), len(beacons), aps_at, beacons_at))
        for row in rows + access_points + beacons:
            file.write(row)
        for counts, records in channels:
            if counts:
                file.write(counts)
                records.seek(0)
                shutil.copyfileobj(records, file)
    unfinished.replace(path)


def _access_points(scene, networks):
    rows = []
    names = {one.ssid for one in scene.access_points}
    for one in scene.access_points:
        ssid = one.ssid.encode()[:32]
        rows.append(AP_ROW.pack(ssid.ljust(32, b"\0"), len(ssid), one.bssid, one.channel, one.rssi_dbm, one.security))
    for number, name in enumerate(sorted(set(networks) - names)):
        ssid = name.encode()[:32]
        bssid = OWN_BSSID[:4] + bytes([number]) + OWN_BSSID[5:]
        rows.append(AP_ROW.pack(ssid.ljust(32, b"\0"), len(ssid), bssid, OWN_CHANNEL, OWN_DBM, OWN_SECURITY))
    return rows


def _sort_by_channel(scene, seed, stack):
    """Return [(counts before each step, file of records), ...] for channels 1..14; (None, None) where all is silent."""
    slots = int(scene.duration_s * 1_000_000) // SLOT_US + 2
    channels = [(None, None)] * CHANNELS
    with progress.bar("compiling the scene", scene.duration_s) as advance:
        told_s = 0
        for time_us, record in scene.records(seed):
            number = record[CHANNEL] - 1
            if channels[number][0] is None:
                channels[number] = (array.array("I", bytes(4 * slots)), stack.enter_context(tempfile.TemporaryFile()))  # noqa: SIM115
            counts, records = channels[number]
            counts[time_us // SLOT_US + 1] += 1
            records.write(record)
            if time_us // 1_000_000 > told_s:
                advance(time_us // 1_000_000 - told_s)
                told_s = time_us // 1_000_000
    for counts, _ in channels:
        if counts:
            for slot in range(1, slots):
                counts[slot] += counts[slot - 1]
            if sys.byteorder == "big":
                counts.byteswap()
    return channels
