"""
Compile a scene into the file that a virtual sensor's radio reads (see sim/_simulation.py).

    compile_scene(scene.load("scenes/quiet.json"), "scene.air", networks=["demo"])

The sensor must find the records of one channel at one moment with a few hundred bytes of memory, so the records
are stored channel by channel, with an index in steps of 10 ms.

    offset  size
    0       8     "ANSIMAI2"
    8       4     duration in ms
    12      2, 2  number of access points, number of advertisers
    16      4, 4  offset of the access points, offset of the advertisers
    24      12 for each of 177 channels: offset of its index, offset of its records, number of records
    then    the rows, and for each channel in use its index (4 bytes a step: number of records before it)
            and its records (ansim/frame_header.py)

All numbers are little-endian.
"""

import array
import contextlib
import hashlib
import shutil
import struct
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ansim.frame_header import CHANNEL, RECORD_BYTES
from tools.lib import progress
from tools.traffic import air, packets, patterns
from tools.traffic import scene as scenes

MAGIC = b"ANSIMAI2"
SLOT_US = 10_000
CHANNELS = 177  # the last of 5 GHz
HEADER = struct.Struct("<8sIHHII")
CHANNEL_ROW = struct.Struct("<III")
ACCESS_POINT_ROW = struct.Struct("<32sB6sBbB")
ADVERTISER_ROW = struct.Struct("<6sBbB31sI")

# The access point of the sensor's own network, if the scene has none of that name.
OWN_BSSID, OWN_CHANNEL, OWN_DBM, OWN_SECURITY = bytes.fromhex("acde480200ff"), 1, -58, 3


def compile_cached(path: str | Path, folder: str | Path, seed: int = 0, networks: Iterable[str] = ()) -> Path:
    """
    Compile a scene file into `folder`, unless it already has the same compilation; return its path.

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


def compile_scene(scene: scenes.Scene, path: str | Path, seed: int = 0, networks: Iterable[str] = ()) -> None:
    """
    Write a scene as a compiled file.

    networks  names of networks that get an access point if the scene has none
    """
    duration_ms = int(scene.duration_s * 1000)
    access_points = _access_points(scene, networks)
    advertisers = [
        ADVERTISER_ROW.pack(
            beacon.address,
            beacon.address_type,
            beacon.rssi_dbm,
            len(beacon.payload),
            beacon.payload.ljust(31, b"\0"),
            beacon.interval_ms,
        )
        for beacon in scene.ble
    ]
    path = Path(path)
    unfinished = path.with_suffix(".new")
    with contextlib.ExitStack() as stack, open(unfinished, "wb") as file:
        channels = _sort_by_channel(scene, seed, stack)
        access_points_at = HEADER.size + CHANNELS * CHANNEL_ROW.size
        advertisers_at = access_points_at + ACCESS_POINT_ROW.size * len(access_points)
        offset = advertisers_at + ADVERTISER_ROW.size * len(advertisers)
        rows = []
        for channel in channels:
            total = channel.counts[-1] if channel else 0
            index_bytes = 4 * len(channel.counts) if channel else 0
            rows.append(CHANNEL_ROW.pack(offset, offset + index_bytes, total))
            offset += index_bytes + total * RECORD_BYTES
        sizes = (len(access_points), len(advertisers), access_points_at, advertisers_at)
        file.write(HEADER.pack(MAGIC, duration_ms, *sizes))
        for row in rows + access_points + advertisers:
            file.write(row)
        for channel in channels:
            if channel:
                file.write(channel.counts)
                channel.records.seek(0)
                shutil.copyfileobj(channel.records, file)
    unfinished.replace(path)


def _access_points(scene, networks):
    rows = []
    names = {access_point.ssid for access_point in scene.access_points}
    for access_point in scene.access_points:
        rows.append(
            _access_point_row(
                access_point.ssid,
                access_point.bssid,
                access_point.channel,
                access_point.rssi_dbm,
                access_point.security,
            )
        )
    for number, name in enumerate(sorted(set(networks) - names)):
        bssid = OWN_BSSID[:4] + bytes([number]) + OWN_BSSID[5:]
        rows.append(_access_point_row(name, bssid, OWN_CHANNEL, OWN_DBM, OWN_SECURITY))
    return rows


def _access_point_row(name, bssid, channel, rssi_dbm, security):
    ssid = name.encode()[:32]
    return ACCESS_POINT_ROW.pack(ssid.ljust(32, b"\0"), len(ssid), bssid, channel, rssi_dbm, security)


class _Channel(NamedTuple):
    counts: array.array  # number of records before each step
    records: BinaryIO


def _sort_by_channel(scene, seed, stack) -> list[_Channel | None]:
    """Return the records of channels 1..177, None for an unused channel."""
    slots = int(scene.duration_s * 1_000_000) // SLOT_US + 2
    channels: list[_Channel | None] = [None] * CHANNELS
    with progress.bar("compiling the scene", scene.duration_s) as advance:
        shown_s = 0
        for time_us, record in scene.records(seed):
            number = record[CHANNEL] - 1
            channel = channels[number]
            if channel is None:
                file = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
                channel = channels[number] = _Channel(array.array("I", bytes(4 * slots)), file)
            channel.counts[time_us // SLOT_US + 1] += 1
            channel.records.write(record)
            if time_us // 1_000_000 > shown_s:
                advance(time_us // 1_000_000 - shown_s)
                shown_s = time_us // 1_000_000
    for channel in channels:
        if channel:
            counts = channel.counts
            for slot in range(1, slots):
                counts[slot] += counts[slot - 1]
            if sys.byteorder == "big":
                counts.byteswap()
    return channels
