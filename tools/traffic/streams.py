"""
Read recorded traffic: header streams of one device, radiotap captures and record files.

    for t_s, up, mpdu_len, rssi_dbm in streams.frames("camera.hdr.csv.gz"): ...
    for time_us, record in streams.records("night.pcapng"): ...

Files are read incrementally, so they may be larger than the memory. Every problem with a file is
raised as a ToolError of one line.
"""

import io
import json
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tools.lib.errors import ToolError
from tools.traffic import opened, pcap, record_file
from tools.traffic.opened import Recording

STREAM_COLUMNS = "t_s,up,mpdu_len,rssi"
LONGEST_LINE = 200  # characters; a file with a longer line is no header stream
LONGEST_S = 1 << 32  # seconds of a stream
LONGEST_JSON = 16 << 20  # characters of a scene
LONGEST_FRAME = 65535  # bytes, the limit of a header record

FRAMES, RECORDS, SCENE = "frames", "records", "scene"


def kind(path: Path | str | Recording) -> str:
    """
    Return the type of a recording by its first bytes: FRAMES, RECORDS or SCENE.

    Raises ToolError if it is none of these, empty or unreadable.
    """
    if not isinstance(path, Recording):
        with Recording(path) as recording:
            return kind(recording)
    recording = path
    if pcap.is_capture(recording.head) or record_file.is_record_file(recording.head):
        return RECORDS
    if recording.is_compressed:
        return FRAMES
    if not recording.head:
        raise ToolError(f"{recording.name} is empty; copy it again or make a new capture")
    if recording.head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
        return SCENE
    if compression := recording.other_compression():
        raise ToolError(f"{recording.name} is not a capture: it is compressed by {compression}; decompress it first")
    raise ToolError(
        f"{recording.name} is not a capture, a header stream or a scene (it starts with {recording.head[:4].hex()}); "
        "supported are pcap and pcapng files with radiotap headers, .records.xz files, .hdr.csv.gz streams and "
        "scene .json files"
    )


def frames(path: Path | str | Recording) -> Iterator[tuple[float, int, int, int | None]]:
    """
    Yield (t_s, up, mpdu_len, rssi_dbm) of each frame in a .hdr.csv.gz file.

    t_s       float, seconds from the start, not negative
    up        1 sent by the device, 0 sent to it
    mpdu_len  802.11 MPDU length in bytes, FCS included, 1..65535
    rssi_dbm  int, or None if the capture has none

    Raises ToolError that names the first line of another form.
    """
    with opened.open_recording(path) as recording:
        if not recording.is_compressed:
            raise ToolError(f"cannot read {recording.name}: it is not a compressed header stream; copy it again")
        name = recording.name
        try:
            yield from _stream_lines(io.TextIOWrapper(recording.content, encoding="ascii", newline="\n"), name)
        except OSError as error:
            raise ToolError(f"cannot read {name}: {error.strerror or 'it is damaged'}; copy it again") from None
        except (EOFError, zlib.error, lzma.LZMAError, UnicodeDecodeError):
            raise ToolError(f"{name} is cut off or damaged; copy it again") from None


def _stream_lines(file, name):
    heading = file.readline(LONGEST_LINE).rstrip("\r\n")
    if heading != STREAM_COLUMNS:
        raise ToolError(f"{name} is not a header stream: its first line should be {STREAM_COLUMNS}")
    number = 1
    while line := file.readline(LONGEST_LINE):
        number += 1
        try:
            time_text, up_text, length_text, rssi_text = line.split(",")
            t_s, length = float(time_text), int(length_text)
            rssi_text = rssi_text.strip()
            rssi_dbm = int(rssi_text) if rssi_text else None
        except ValueError:
            raise _bad_line(name, number) from None
        if not 0 <= t_s < LONGEST_S or not 1 <= length <= LONGEST_FRAME or up_text not in ("0", "1"):
            raise _bad_line(name, number)
        if rssi_dbm is not None and not -128 <= rssi_dbm <= 127:
            raise _bad_line(name, number)
        yield t_s, int(up_text), length, rssi_dbm


def records(
    path: Path | str | Recording, advance: Callable[[int], object] | None = None, tally: pcap.Tally | None = None
) -> Iterator[tuple[int, bytes]]:
    """
    Yield (time_us, record) of a radiotap pcap or pcapng file, see pcap.records(), or of a record file.

    time_us  int, microseconds since the file's first frame, never decreasing
    record   bytes, one header record (ansim/frame_header.py)
    """
    recording = opened.open_recording(path)
    if record_file.is_record_file(recording.head):
        return record_file.records(recording, advance)
    return pcap.records(recording, advance, tally)


def duration_s(path: Path | str) -> float:
    """Return the time of the last frame of a header stream, in seconds."""
    last = 0.0
    for t_s, _, _, _ in frames(path):
        last = max(last, t_s)
    return last


def read_json(path: Path | str, file_type: str) -> dict[str, Any]:
    """Return the JSON object in a file. Raises ToolError, which calls the file by its type and path."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read(LONGEST_JSON + 1)
        if len(text) > LONGEST_JSON:
            raise ToolError(f"{file_type} {path} is longer than {LONGEST_JSON >> 20} MB; split it")
        content = json.loads(text)
    except OSError as error:
        raise ToolError(f"cannot read {file_type} {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ToolError(f"{file_type} {path} is not JSON: {error}; check it with `python -m json.tool`") from None
    if type(content) is not dict:
        raise ToolError(f"{file_type} {path} should be a JSON object")
    return content


def _bad_line(path, number):
    return ToolError(f"{path} line {number} should be {STREAM_COLUMNS}, such as 0.0369,1,1114,-52; copy the file again")
