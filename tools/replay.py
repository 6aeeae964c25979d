"""
Run the sensor's detectors on a capture, a header stream or a scene.

    python -m tools.replay night.pcapng
    python -m tools.replay camera.hdr.csv.gz --json
    python -m tools.replay scenes/one_camera.json --plan --loss 0.5 --seed 7

Without --plan every channel with traffic is received all the time. With --plan one sensor hops and
dwells as the firmware does, and receives nothing while it scans, listens to Bluetooth and uploads. A
header stream has no addresses; it is played as a station on channel 6 with generated ones, at -60 dBm where it
has no signal.

--json prints one object per line: findings that are raised, change their level or are cleared, and at the end
{"summary": {"frames": passed to the detectors, "stations": transmitters received,
"seconds": of the recording, "frames_per_s": speed of the replay itself}}. A capture may come through a pipe:

    tcpdump -i wlan0 -w - | python -m tools.replay - --json

What a capture does not tell is null (channel, rssi_dbm), and a note on stderr counts such frames; so do the
frames of other interfaces, and those that two adapters received. If the file is cut off, what came before is
replayed, and the command ends with an error.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from ansim.finding import CLEARED, RAISED, UPDATED, Finding
from ansim.frame_header import UNKNOWN_DBM
from tools.lib import arguments, errors, progress
from tools.traffic import opened, pcap, playback, scene, streams

LABELS = {RAISED: "camera-like", UPDATED: "camera-like", CLEARED: "no longer"}


def main(argv: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(argv)
    arguments.check_loss(options.loss)
    print_finding = _print_json if options.json else _print_text
    started_s = time.perf_counter()
    totals = playback.Totals()
    tally = pcap.Tally()
    recording = opened.open_recording(options.file)
    damage: list[errors.ToolError] = []
    with progress.bar(f"replaying {os.path.basename(recording.name)}", *_total(recording)) as advance:
        traffic = playback.open_traffic(recording, options.seed, options.loss, advance, tally)
        traffic = traffic._replace(records=_until_damage(traffic.records, damage))
        if options.plan:
            findings = playback.play_hopping(traffic, playback.make_engine(), playback.firmware_plan(traffic), totals)
        else:
            findings = playback.play_on_channel(traffic, playback.make_engine, totals)
        levels: dict[tuple[str, str], str] = {}
        for at_ms, finding in findings:
            subject = finding.kind, finding.subject
            if finding.event != UPDATED or finding.level != levels.get(subject, finding.level):
                print_finding(at_ms, finding)
            levels[subject] = finding.level
    took_s = time.perf_counter() - started_s
    if damage and not totals.frames:
        raise damage[0]
    for sentence in tally.sentences():
        print(f"note: {recording.name}: {sentence}", file=sys.stderr)
    summary = {
        "frames": totals.frames,
        "stations": totals.stations,
        "seconds": round(totals.now_ms / 1000, 3),
        "frames_per_s": round(totals.frames / took_s) if took_s else 0,
    }
    if options.json:
        print(json.dumps({"summary": summary}), flush=True)
    else:
        print(
            f"{summary['frames']} frames of {summary['stations']} stations in {summary['seconds']:.0f} s, "
            f"replayed at {summary['frames_per_s']} frames/s. RF hears only what transmits on 2.4 GHz."
        )
    if damage:
        raise damage[0]


def _until_damage(records, damage):
    """Yield records until their file turns out to be damaged; then append the error to `damage` and end."""
    try:
        yield from records
    except errors.ToolError as error:
        damage.append(error)


def as_json(at_ms: int, finding: Finding) -> dict[str, Any]:
    """Return a Finding as the object that --json prints."""
    return {
        "t_s": round(at_ms / 1000, 3),
        "event": finding.event,
        "level": finding.level,
        "kind": finding.kind,
        "subject": finding.subject,
        "score": finding.score,
        "channel": finding.channel or None,
        "rssi_dbm": None if finding.rssi_dbm == UNKNOWN_DBM else finding.rssi_dbm,
        "evidence": [
            {"rule": item.rule, "value": item.value, "threshold": item.threshold, "weight": item.weight}
            for item in finding.evidence
        ],
        "considered": dict(finding.considered),
        "likely": finding.likely,
    }


def _parser():
    parser = argparse.ArgumentParser(prog="python -m tools.replay", description=arguments.summary_line(__doc__))
    parser.add_argument(
        "file", help="a radiotap pcap or pcapng, a .hdr.csv.gz stream, a scene .json, - for standard input"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per line")
    parser.add_argument("--plan", action="store_true", help="hop and dwell as the firmware does")
    parser.add_argument(
        "--loss", type=float, default=0.0, metavar="P", help="leave out this share of the frames (0 to 0.99, default 0)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of everything random (default 0)")
    return parser


def _print_json(at_ms, finding):
    print(json.dumps(as_json(at_ms, finding)), flush=True)


def _print_text(at_ms, finding):
    evidence = ", ".join(f"{item.rule} {item.value} ({item.weight:+d})" for item in finding.evidence)
    reception = "unknown signal" if finding.rssi_dbm == UNKNOWN_DBM else f"{finding.rssi_dbm} dBm"
    if finding.channel:
        reception = f"channel {finding.channel}, {reception}"
    print(
        f"{at_ms / 1000:9.1f} s  {LABELS[finding.event]}: {finding.subject} ({finding.kind}, {finding.level}), "
        f"score {finding.score}, {reception}; {evidence}",
        flush=True,
    )


def _total(recording):
    """Return (total, unit) for the progress bar: bytes of a capture, seconds of a scene, None if it is not known."""
    kind = streams.kind(recording)
    if kind == streams.RECORDS:
        return None if recording.is_compressed else recording.size_bytes, "bytes"
    return (scene.load(recording.name).duration_s if kind == streams.SCENE else None), "seconds"


if __name__ == "__main__":
    errors.run(main)
