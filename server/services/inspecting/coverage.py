"""
How thoroughly the sensors listened: channels and seconds, from sweep reports.

An inspection's RF step counts only if every channel was listened to long enough. What was
not covered is part of the result.
"""

from collections import namedtuple
from itertools import pairwise

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.models.inspections import Inspection
from server.models.intake import Sweep

CHANNELS = tuple(range(1, 14))  # 2.4 GHz Wi-Fi in Korea
# Least time on each channel. A streaming camera sends in 60-100 % of seconds, and the windowed rule
# judges it from about 2 s of traffic; a cycle over 13 channels takes 4-5 s and gives each one 0.35 s.
# So this is nine visits, 40 s of hopping. A site's plan may ask for more.
ENOUGH_MS = 3000
# Above this share of frames without an address, a quiet channel cannot be called quiet.
UNDECODABLE_PERMILLE = 500
MOST_GAP_MS = 4 * 3_600_000  # no inspection lasts longer

# listened_ms  time the sniffer was on the channel, all sensors together
# dropped      frames lost in the sensor
# enough       listened_ms reached ENOUGH_MS
ChannelCoverage = namedtuple(
    "ChannelCoverage", ("channel", "listened_ms", "frames", "undecodable", "dropped", "enough")
)


_FIELDS = ("channels", "listened_ms", "deaf_ms", "sweeps", "capabilities", "tables_full", "gap_ms")


class Coverage(namedtuple("Coverage", _FIELDS, defaults=(0,))):
    """
    channels      13 ChannelCoverage, by number
    deaf_ms       time the sniffer did not listen: uploading, scanning, BLE
    sweeps        how many sweep reports this rests on
    capabilities  what the sensors listened with, as report.CAPABILITIES
    tables_full   at least once there were more transmitters than the sensor could follow
    gap_ms        time between two sweeps of which nothing is known: a lost report, or a restart
    """

    @property
    def missing(self) -> list[int]:
        """Channels that were not listened to long enough."""
        return [one.channel for one in self.channels if not one.enough]

    @property
    def enough(self) -> bool:
        """True if the RF step can be claimed as done."""
        return not self.missing

    @property
    def percent(self) -> int:
        """How much of the least time on all channels has been reached, 0..100."""
        reached = sum(min(one.listened_ms, ENOUGH_MS) for one in self.channels)
        return reached * 100 // (ENOUGH_MS * len(self.channels))

    @property
    def undecodable_permille(self) -> int:
        """Share of frames that the radio could not read, in thousandths."""
        frames = sum(one.frames for one in self.channels)
        return sum(one.undecodable for one in self.channels) * 1000 // frames if frames else 0

    def summary(self) -> dict:
        """What an inspection's result keeps of it."""
        return {
            "percent": self.percent,
            "enough": self.enough,
            "enough_ms": ENOUGH_MS,
            "missing": self.missing,
            "listened_ms": self.listened_ms,
            "deaf_ms": self.deaf_ms,
            "undecodable_permille": self.undecodable_permille,
            "tables_full": self.tables_full,
            "gap_ms": self.gap_ms,
            "capabilities": list(self.capabilities),
            "sweeps": self.sweeps,
            "channels": [[one.channel, one.listened_ms, one.frames, one.undecodable] for one in self.channels],
        }


def of_inspection(session: Session, inspection: Inspection) -> Coverage:
    """Add up the sweeps of an inspection."""
    columns = (Sweep.channels, Sweep.deaf_ms, Sweep.capabilities, Sweep.tables_full)
    wanted = select(Sweep.sensor_id, Sweep.from_ms, Sweep.to_ms, *columns)
    rows = session.execute(wanted.where(Sweep.inspection_id == inspection.id)).all()
    spans = sorted(tuple(row[:3]) for row in rows)
    return add_up([tuple(row[3:]) for row in rows])._replace(gap_ms=_gaps_ms(spans))


def _gaps_ms(spans):
    """Time between the (sensor, from_ms, to_ms) of one sensor, in order."""
    gap_ms = 0
    for (sensor, _from, ended), (next_sensor, began, _to) in pairwise(spans):
        # A restart begins the clock of ticks anew; what lies before it sorts after it, and a span of hours is no gap.
        if sensor == next_sensor and 0 < began - ended < MOST_GAP_MS:
            gap_ms += began - ended
    return gap_ms


def add_up(sweeps) -> Coverage:
    """Return the Coverage of rows (channels, deaf_ms, capabilities, full) as Sweep has them."""
    totals = {channel: [0, 0, 0, 0] for channel in CHANNELS}
    deaf_ms, tables_full, capabilities = 0, False, set()
    for channels, deaf, with_what, full in sweeps:
        deaf_ms += deaf
        tables_full = tables_full or full
        capabilities.update(with_what)
        for channel, *numbers in channels:
            if channel in totals:
                totals[channel] = [a + b for a, b in zip(totals[channel], numbers, strict=True)]
    rows = [ChannelCoverage(channel, *totals[channel], totals[channel][0] >= ENOUGH_MS) for channel in CHANNELS]
    listened_ms = sum(row.listened_ms for row in rows)
    return Coverage(rows, listened_ms, deaf_ms, len(sweeps), sorted(capabilities), tables_full)
