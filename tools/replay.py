"""
Run the sensor's detectors on a capture, a header stream or a scene.

    python -m tools.replay night.pcapng
    python -m tools.replay camera.hdr.csv.gz --json
    python -m tools.replay scenes/one_camera.json --plan --loss 0.5 --seed 7

Without --plan every channel that something is sent on is heard all the time. With --plan one
sensor hops and dwells as the firmware does, and is deaf while it scans, listens to Bluetooth
and uploads. A header stream has no addresses; it is played as a station on channel 6 with
made-up ones.

--json prints one object a line: findings that are raised or cleared, and at last
{"summary": {"frames": handed to the detectors, "stations": transmitters heard,
"seconds": of the recording, "frames_per_s": speed of the replay itself}}.
"""

import argparse
import json
import os
import time

from ansim.finding import CLEARED, RAISED
from tools.lib import errors, progress
from tools.traffic import playback, scene, streams

WORDS = {RAISED: "camera-like", CLEARED: "no longer"}


def main(arguments=None) -> None:
    given = _parser().parse_args(arguments)
    if not 0 <= given.loss < 1:
        raise errors.ToolError(f"--loss {given.loss} is not a share of frames; give 0 to 0.99")
    say = _say_json if given.json else _say
    started = time.perf_counter()
    tally = playback.Totals()
    with progress.bar(f"replaying {os.path.basename(given.file)}", *_total(given.file)) as advance:
        traffic = playback.open_traffic(given.file, given.seed, given.loss, advance)
        if given.plan:
            found = playback.play_hopping(traffic, playback.make_engine(), playback.firmware_plan(traffic), tally)
        else:
            found = playback.play_on_channel(traffic, playback.make_engine, tally)
        for at_ms, finding in found:
            if finding.event in WORDS:
                say(at_ms, finding)
    took_s = time.perf_counter() - started
    summary = {
        "frames": tally.frames,
        "stations": tally.stations,
        "seconds": round(tally.now_ms / 1000, 3),
        "frames_per_s": round(tally.frames / took_s) if took_s else 0,
    }
    if given.json:
        print(json.dumps({"summary": summary}), flush=True)
    else:
        print(
            f"{summary['frames']} frames of {summary['stations']} stations in {summary['seconds']:.0f} s, "
            f"replayed at {summary['frames_per_s']} frames/s. RF hears only what transmits on 2.4 GHz."
        )


def as_json(at_ms: int, finding) -> dict:
    """Return a Finding as the object that --json prints."""
    return {
        "t_s": round(at_ms / 1000, 3),
        "event": finding.event,
        "kind": finding.kind,
        "subject": finding.subject,
        "score": finding.score,
        "channel": finding.channel,
        "rssi_dbm": finding.rssi_dbm,
        "evidence": [
            {"rule": one.rule, "value": one.value, "threshold": one.threshold, "weight": one.weight}
            for one in finding.evidence
        ],
    }


def _parser():
    parser = argparse.ArgumentParser(prog="python -m tools.replay", description=__doc__.strip().splitlines()[0])
    parser.add_argument("file", help="a radiotap pcap or pcapng, a .hdr.csv.gz stream, or a scene .json")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument("--plan", action="store_true", help="hop and dwell as the firmware does")
    parser.add_argument(
        "--loss", type=float, default=0.0, metavar="P", help="leave out this share of the frames (0 to 0.99)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of everything that is random (default 0)")
    return parser


def _say_json(at_ms, finding):
    print(json.dumps(as_json(at_ms, finding)), flush=True)


def _say(at_ms, finding):
    why = ", ".join(f"{one.rule} {one.value} ({one.weight:+d})" for one in finding.evidence)
    where = f"channel {finding.channel}, {finding.rssi_dbm} dBm" if finding.channel else f"{finding.rssi_dbm} dBm"
    print(
        f"{at_ms / 1000:9.1f} s  {WORDS[finding.event]}: {finding.subject} ({finding.kind}), score {finding.score}, {where}; {why}",
        flush=True,
    )


def _total(path):
    """What the progress bar runs to: bytes of a capture, seconds of a scene; unknown for a header stream."""
    kind = streams.kind(path)
    if kind == streams.RECORDS:
        return os.path.getsize(path), "bytes"
    return (scene.load(path).duration_s if kind == streams.SCENE else None), "seconds"


if __name__ == "__main__":
    errors.run(main)
