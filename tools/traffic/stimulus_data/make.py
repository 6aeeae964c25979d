"""
Generate the encoder traffic on which the stimulus test is tested.

    sudo .venv/bin/python -m tools.traffic.stimulus_data.make tests/data/stimulus_encoder.json

Composes scenes from ffmpeg's test sources with movement (or light) in irregular slots, encodes them with
x264 and x265 as cameras do (no B frames, several key-frame intervals, constant quality and constant rate),
sends the pictures in real time over shaped veth pairs by UDP or TCP, and records the bytes of each 100 ms.
Takes ten minutes on two cores. Needs Debian's ffmpeg and iproute2, and root for the network namespaces.

Only the times at which the kernel sends vary, so a second run gives series that differ in a few packets
per bin.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress

from ansim.detect.stimulus import plan_slots
from tools.lib import arguments, errors
from tools.lib.errors import ToolError
from tools.traffic.stimulus_data import network, scene

SECONDS = 120
PARALLEL = 8  # streams sent at the same time

# name, codec, rate ("crf", "abr": constant over some seconds, "cbr": constant in each frame by padding), kbit,
# key-frame interval in s, background, patch, stimulus, noise sigma, transport, shaped kbit
RECIPE = [
    ("x264-crf-gop2", "libx264", "crf", 1200, 2, "testsrc2", "mandelbrot", "strong", 2.0, "udp", 4000),
    ("x264-crf-gop1", "libx264", "crf", 1200, 1, "mandelbrot", "testsrc2", "strong", 3.0, "tcp", 4000),
    ("x264-crf-gop4", "libx264", "crf", 1200, 4, "noise", "mandelbrot", "strong", 2.0, "udp", 3000),
    ("x264-crf-weak", "libx264", "crf", 1200, 2, "mandelbrot", "noise", "weak", 2.0, "udp", 4000),
    ("x264-crf-weak-noisy", "libx264", "crf", 1200, 2, "testsrc2", "mandelbrot", "weak", 5.0, "tcp", 4000),
    ("x264-crf-light", "libx264", "crf", 1200, 2, "mandelbrot", "testsrc2", "light", 2.0, "udp", 4000),
    ("x264-crf-tight-link", "libx264", "crf", 1200, 2, "testsrc2", "mandelbrot", "strong", 2.0, "tcp", 700),
    ("x264-abr-gop2", "libx264", "abr", 500, 2, "testsrc2", "mandelbrot", "strong", 2.0, "udp", 3000),
    ("x264-abr-gop4", "libx264", "abr", 800, 4, "mandelbrot", "testsrc2", "strong", 3.0, "tcp", 3000),
    ("x264-abr-weak", "libx264", "abr", 500, 2, "noise", "testsrc2", "weak", 2.0, "udp", 3000),
    ("x264-abr-light", "libx264", "abr", 500, 2, "testsrc2", "mandelbrot", "light", 2.0, "tcp", 3000),
    ("x264-cbr-gop2", "libx264", "cbr", 600, 2, "testsrc2", "mandelbrot", "strong", 2.0, "udp", 3000),
    ("x264-cbr-gop1", "libx264", "cbr", 400, 1, "mandelbrot", "noise", "strong", 3.0, "tcp", 3000),
    ("x265-crf-gop2", "libx265", "crf", 1000, 2, "testsrc2", "mandelbrot", "strong", 2.0, "udp", 4000),
    ("x265-crf-gop4", "libx265", "crf", 1000, 4, "mandelbrot", "testsrc2", "strong", 3.0, "tcp", 3000),
    ("x265-crf-weak", "libx265", "crf", 1000, 2, "noise", "mandelbrot", "weak", 2.0, "udp", 4000),
    ("x265-crf-light", "libx265", "crf", 1000, 2, "mandelbrot", "testsrc2", "light", 2.0, "tcp", 4000),
    ("x265-abr-gop2", "libx265", "abr", 400, 2, "mandelbrot", "noise", "strong", 2.0, "udp", 3000),
    ("x265-abr-gop4", "libx265", "abr", 600, 4, "testsrc2", "mandelbrot", "strong", 3.0, "tcp", 3000),
    ("x265-abr-weak", "libx265", "abr", 400, 2, "testsrc2", "noise", "weak", 2.0, "udp", 3000),
    ("x264-crf-nobody", "libx264", "crf", 1200, 2, "testsrc2", "mandelbrot", "none", 2.0, "udp", 4000),
    ("x264-abr-nobody", "libx264", "abr", 500, 4, "mandelbrot", "testsrc2", "none", 3.0, "tcp", 3000),
    ("x265-crf-nobody", "libx265", "crf", 1000, 2, "noise", "mandelbrot", "none", 2.0, "udp", 4000),
    ("x265-abr-nobody", "libx265", "abr", 400, 1, "testsrc2", "noise", "none", 2.0, "tcp", 3000),
]


def encoder_arguments(codec: str, rate: str, kbit: int, gop_s: int) -> list[str]:
    """Return ffmpeg's arguments for an encoder like a camera's: a key frame every `gop_s`, no look-ahead."""
    gop = gop_s * scene.FPS
    arguments = [
        "-c:v",
        codec,
        "-preset",
        "superfast",
        "-tune",
        "zerolatency",
        "-bf",
        "0",
        "-threads",
        "1",
        "-g",
        str(gop),
    ]
    limits = ["-maxrate", f"{kbit}k", "-bufsize", f"{2 * kbit}k"]
    if rate == "crf":
        arguments += ["-crf", "27" if codec == "libx264" else "24", *limits]
    elif rate == "abr":
        arguments += ["-b:v", f"{kbit}k", *limits]
    else:
        buffer_kbit = kbit // scene.FPS * 2  # two pictures, so that all have nearly the same size
        arguments += ["-b:v", f"{kbit}k", "-maxrate", f"{kbit}k", "-bufsize", f"{buffer_kbit}k", "-nal-hrd", "cbr"]
    if codec == "libx265":
        return [*arguments, "-x265-params", f"log-level=error:keyint={gop}:min-keyint={gop}:scenecut=0"]
    return [*arguments, "-sc_threshold", "0", "-keyint_min", str(gop)]


def encode(number: int, row: tuple, slots: list[tuple[int, int, int]], folder: Path) -> list[tuple[float, int]]:
    """Encode one stream of the recipe; return [(at_s, bytes), ...] of its pictures. Raises ToolError."""
    name, codec, rate, kbit, gop_s, background, patch, stimulus, noise, _, _ = row
    moves = scene.reactions(slots, np.random.default_rng(1000 + number))
    path = folder / f"{name}.mp4"
    size = f"{scene.WIDTH}x{scene.HEIGHT}"
    command = ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", size]
    command += ["-r", str(scene.FPS), "-i", "-", *encoder_arguments(codec, rate, kbit, gop_s), str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as encoder:
        assert encoder.stdin and encoder.stderr
        try:
            for frame in scene.frames(background, patch, stimulus, moves, SECONDS, noise, number):
                encoder.stdin.write(frame)
            encoder.stdin.close()
        except BrokenPipeError:
            pass  # ffmpeg's error output tells the reason
        error_text = encoder.stderr.read().decode()
    if encoder.returncode:
        raise ToolError(f"ffmpeg could not encode {name}: {error_text[-300:]}")
    probe = ["ffprobe", "-v", "error", "-show_entries", "packet=pts_time,size", "-of", "csv=p=0", str(path)]
    lines = subprocess.run(probe, capture_output=True, text=True, check=True).stdout.split()
    return [(float(line.split(",")[0]), int(line.split(",")[1])) for line in lines]


def make(recipe: list[tuple], progress: Progress) -> list[dict[str, Any]]:
    """Encode and send the streams of a recipe; return them as they are written to the file."""
    encoding = progress.add_task("encoding", total=len(recipe))
    sending = progress.add_task("sending", total=SECONDS * -(-len(recipe) // PARALLEL))
    jobs = []
    with tempfile.TemporaryDirectory() as folder:
        for number, row in enumerate(recipe):
            slots = plan_slots(number, SECONDS)
            units = encode(number, row, slots, Path(folder))
            jobs.append({"slots": slots, "units": units, "transport": row[9], "kbit": row[10]})
            progress.advance(encoding)
    streams = []
    for start in range(0, len(jobs), PARALLEL):
        batch = jobs[start : start + PARALLEL]
        series = network.transmit(batch, SECONDS, lambda _second: progress.advance(sending))
        for row, job, bytes_per_bin in zip(recipe[start:], batch, series, strict=False):
            names = ("name", "codec", "rate", "kbit", "gop_s", "background", "patch", "stimulus", "noise")
            stream = dict(zip(names, row, strict=False))
            stream |= {"transport": row[9], "link_kbit": row[10]}
            stream |= {"slots": job["slots"], "bytes_per_100ms": bytes_per_bin}
            streams.append(stream)
    return streams


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.traffic.stimulus_data.make", description=arguments.summary_line(__doc__)
    )
    parser.add_argument("output", type=Path, help="the JSON file to write")
    parser.add_argument("--only", default="", help="generate only the streams whose name contains this")
    options = parser.parse_args()
    recipe = [row for row in RECIPE if options.only in row[0]]
    if not recipe:
        raise ToolError(f"no stream's name contains {options.only!r}; choose another --only")
    with Progress() as progress:
        streams = make(recipe, progress)
    lines = ",\n".join(json.dumps(stream, separators=(",", ":")) for stream in streams)
    about = "Generated: encoder traffic, bytes of 802.11 MPDUs per 100 ms; made by tools/traffic/stimulus_data/make.py"
    options.output.write_text(f'{{"about":"{about}","seconds":{SECONDS},"streams":[\n{lines}\n]}}\n')
    print(f"{options.output}: {len(streams)} streams")


if __name__ == "__main__":
    errors.run(main)
