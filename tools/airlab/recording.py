"""
What the sensor received in a scenario, as a record file (tools/traffic/record_file.py) that says where it comes from.

    recording.convert(capture, scenario, summary, target)
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.airlab.scenario import Scenario
from tools.traffic import pcap, record_file

MADE_BY = "tools.airlab of this project; no recording of anybody's radio"
BEFORE_US = 1_000_000  # kept from before the first program starts
PCAP_HEADER_BYTES = 24


def convert(capture: Path, scenario: Scenario, summary: dict[str, Any], target: Path) -> None:
    """Write a record file of a pcap, from shortly before the first program starts to the scenario's end."""
    from_us = summary["begun_ns"] // 1000 - BEFORE_US
    until_us = from_us + BEFORE_US + scenario.seconds * 1_000_000
    record_file.write(target, header(scenario, summary), _cut(capture, from_us, until_us))


def header(scenario: Scenario, summary: dict[str, Any]) -> dict[str, Any]:
    """Return the header of a scenario's record file: its origin, and what each address is."""
    return {
        "made_by": MADE_BY,
        "versions": summary["versions"],
        "scenario": scenario.name,
        "seed": scenario.seed,
        "about": scenario.about,
        "seconds": scenario.seconds,
        "every_s": scenario.every_s,
        "is_held_out": scenario.is_held_out,
        "sensor": list(scenario.air.sensor),
        "problems": summary["problems"],
        "stations": [
            {
                "name": station.name,
                "address": station.address,
                "label": station.label,
                "kind": station.kind,
                "place": list(station.place),
            }
            for station in scenario.stations
        ],
    }


def _cut(capture: Path, from_us: int, until_us: int) -> Iterator[tuple[int, bytes]]:
    """Yield the (time_us, record) between two times of the pcap, with times from `from_us` on."""
    with capture.open("rb") as file:
        head = file.read(PCAP_HEADER_BYTES + 8)
        seconds, microseconds = struct.unpack_from("<II", head, PCAP_HEADER_BYTES)
        file.seek(0)
        for time_us, record in pcap.read(file, capture):
            at_us = seconds * 1_000_000 + microseconds + time_us
            if at_us > until_us:
                return
            if at_us >= from_us:
                yield at_us - from_us, record
