"""
RF coverage: how long the sensors listened to each channel, from their sweep reports.

An inspection's RF step can be "none found" only if every channel was listened to long enough. Missing coverage is part
of the result.
"""

from collections.abc import Collection
from itertools import pairwise
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from ansim.frame_header import FIRST_5GHZ
from server.models.inspections import Inspection
from server.models.intake import Sweep

CHANNELS = tuple(range(1, 14))  # 2.4 GHz Wi-Fi in Korea
# Least time on each channel. A streaming camera sends in 60-100 % of seconds, and the windowed rule
# judges it from about 2 s of traffic; a cycle over 13 channels takes 4-5 s and gives each one 0.35 s.
# So this is nine dwells, 40 s of hopping. A site's plan may ask for more.
ENOUGH_MS = 3000
# Above this share of frames without an address, a quiet channel cannot be called quiet.
UNDECODABLE_PERMILLE = 500
MOST_GAP_MS = 4 * 3_600_000  # no inspection lasts longer
COUNTS = (Sweep.deaf_ms, Sweep.numbered, Sweep.missed, Sweep.flash_ms, Sweep.ble_dropped)
COLUMNS = (Sweep.channels, Sweep.capabilities, Sweep.tables_full, *COUNTS)  # what sum_sweeps() sums


class ChannelCoverage(NamedTuple):
    """
    listened_ms  time the sniffer was on the channel, all sensors together
    dropped      frames lost in the sensor
    enough       listened_ms reached ENOUGH_MS
    """

    channel: int
    listened_ms: int
    frames: int
    undecodable: int
    dropped: int
    enough: bool


class Coverage(NamedTuple):
    """
    channels      13 ChannelCoverage of 2.4 GHz, by number; only they decide whether there was enough listening
    channels_5ghz  ChannelCoverage of the channels of 5 GHz that a sensor listened to, by number
    deaf_ms       time the sniffer did not listen: uploading, scanning, BLE
    sweeps        how many sweep reports this rests on
    capabilities  what the sensors listened with: some of messages.CAPABILITIES
    tables_full   at least once there were more transmitters than the sensor could follow
    numbered, missed  frames with a sequence number that were received, and how many numbers were missing in between
    flash_ms      part of the listening in which a sensor wrote its flash and was deaf
    ble_dropped   Bluetooth advertisements that came faster than a sensor took them
    gap_ms        time between two sweeps of which nothing is known: a lost report, or a restart
    """

    channels: list[ChannelCoverage]
    listened_ms: int
    deaf_ms: int
    sweeps: int
    capabilities: list[str]
    tables_full: bool
    channels_5ghz: list[ChannelCoverage] = []
    numbered: int = 0
    missed: int = 0
    flash_ms: int = 0
    ble_dropped: int = 0
    gap_ms: int = 0

    @property
    def missing(self) -> list[int]:
        """Channels that were not listened to long enough."""
        return [row.channel for row in self.channels if not row.enough]

    @property
    def enough(self) -> bool:
        """True if the RF step can be claimed as done."""
        return not self.missing

    @property
    def percent(self) -> int:
        """How much of the least time on all channels has been reached, 0..100."""
        reached = sum(min(row.listened_ms, ENOUGH_MS) for row in self.channels)
        return reached * 100 // (ENOUGH_MS * len(self.channels))

    @property
    def undecodable_permille(self) -> int:
        """Share of frames that the radio could not read, in thousandths."""
        frames = sum(row.frames for row in self.channels)
        return sum(row.undecodable for row in self.channels) * 1000 // frames if frames else 0

    @property
    def missed_permille(self) -> int:
        """Share of frames that the sensors did not receive, in thousandths, estimated from gaps in their numbers."""
        return self.missed * 1000 // (self.numbered + self.missed) if self.missed else 0

    def summary(self) -> dict:
        """Return the coverage as JSON, as an InspectionResult keeps it."""
        return {
            "percent": self.percent,
            "enough": self.enough,
            "enough_ms": ENOUGH_MS,
            "missing": self.missing,
            "listened_ms": self.listened_ms,
            "deaf_ms": self.deaf_ms,
            "undecodable_permille": self.undecodable_permille,
            "missed_permille": self.missed_permille,
            "flash_ms": self.flash_ms,
            "ble_dropped": self.ble_dropped,
            "tables_full": self.tables_full,
            "gap_ms": self.gap_ms,
            "capabilities": list(self.capabilities),
            "sweeps": self.sweeps,
            "channels": [[row.channel, row.listened_ms, row.frames, row.undecodable] for row in self.channels],
            "channels_5ghz": [
                [row.channel, row.listened_ms, row.frames, row.undecodable] for row in self.channels_5ghz
            ],
        }


def of_inspection(session: Session, inspection: Inspection) -> Coverage:
    """Return the coverage of an inspection's sweeps."""
    query = select(Sweep.sensor_id, Sweep.from_ms, Sweep.to_ms, *COLUMNS)
    rows = session.execute(query.where(Sweep.inspection_id == inspection.id)).all()
    spans = sorted(tuple(row[:3]) for row in rows)
    return sum_sweeps([tuple(row[3:]) for row in rows])._replace(gap_ms=_gaps_ms(spans))


def _gaps_ms(spans):
    """Return the time between the spans (sensor_id, from_ms, to_ms) of the same sensor. `spans` is sorted."""
    gap_ms = 0
    for (sensor_id, _from_ms, end_ms), (next_sensor_id, next_from_ms, _to_ms) in pairwise(spans):
        # A restart sets the clock of ticks to zero: earlier spans sort after later ones, and hours are no gap.
        if sensor_id == next_sensor_id and 0 < next_from_ms - end_ms < MOST_GAP_MS:
            gap_ms += next_from_ms - end_ms
    return gap_ms


def sum_sweeps(sweeps: Collection[tuple]) -> Coverage:
    """Return the Coverage of rows with the values of COLUMNS."""
    totals = {channel: [0, 0, 0, 0] for channel in CHANNELS}
    counts, tables_full, capabilities = [0] * len(COUNTS), False, set()
    for channels, sweep_capabilities, sweep_tables_full, *sweep_counts in sweeps:
        counts = [a + b for a, b in zip(counts, sweep_counts, strict=True)]
        tables_full = tables_full or sweep_tables_full
        capabilities.update(sweep_capabilities)
        for channel, *numbers in channels:
            if channel in CHANNELS or channel >= FIRST_5GHZ:
                total = totals.get(channel, [0, 0, 0, 0])
                totals[channel] = [a + b for a, b in zip(total, numbers, strict=True)]
    rows = [_channel_row(channel, totals[channel]) for channel in sorted(totals)]
    deaf_ms, numbered, missed, flash_ms, ble_dropped = counts
    channels = rows[: len(CHANNELS)]
    return Coverage(
        channels,
        sum(row.listened_ms for row in channels),
        deaf_ms,
        len(sweeps),
        sorted(capabilities),
        tables_full,
        rows[len(CHANNELS) :],
        numbered,
        missed,
        flash_ms,
        ble_dropped,
    )


def _channel_row(channel, totals):
    listened_ms, frames, undecodable, dropped = totals
    return ChannelCoverage(channel, listened_ms, frames, undecodable, dropped, listened_ms >= ENOUGH_MS)
