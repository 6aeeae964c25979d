"""
Read recorded traffic: header streams of one device, and whole radiotap captures.

    for t_s, up, mpdu_len, rssi_dbm in streams.frames("camera.hdr.csv.gz"): ...
    for time_us, record in streams.records("night.pcapng"): ...

Both read as they go, so a file may be larger than the memory. Whatever is wrong with a
file ends in a ToolError of one line.
"""

import gzip
import json
import zlib

from tools.lib.errors import ToolError
from tools.traffic import pcap

STREAM_COLUMNS = "t_s,up,mpdu_len,rssi"
LONGEST_LINE = 200  # characters; a longer one is not a header stream, however it is compressed
LONGEST_S = 1 << 32  # of a stream, seconds
LONGEST_JSON = 16 << 20  # characters of a scene
LONGEST_FRAME = 65535  # bytes, what a header record can hold

FRAMES, RECORDS, SCENE = "frames", "records", "scene"
GZIP_MAGIC = b"\x1f\x8b"


def kind(path) -> str:
    """
    Return FRAMES, RECORDS or SCENE: what the file's first bytes say it is.

    Raises ToolError if it is none of these, empty or unreadable.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(64)
    except OSError as error:
        raise ToolError(f"cannot read {path}: {error.strerror}; give a capture, a header stream or a scene") from None
    if not head:
        raise ToolError(f"{path} is empty; capture again or copy it again")
    if head[:2] == GZIP_MAGIC:
        return FRAMES
    if pcap.is_capture(head):
        return RECORDS
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
        return SCENE
    raise ToolError(
        f"{path} is not a capture, a header stream or a scene (it starts with {head[:4].hex()}); "
        "pcap and pcapng files with radiotap headers, .hdr.csv.gz and scene .json are understood"
    )


def frames(path):
    """
    Yield (t_s, up, mpdu_len, rssi_dbm) of a .hdr.csv.gz file.

    t_s       float, seconds from the start, not negative
    up        1 sent by the device, 0 sent to it
    mpdu_len  802.11 MPDU length in bytes, FCS included, 1..65535
    rssi_dbm  int, or None where the capture has none

    Raises ToolError with the line number for anything else.
    """
    try:
        with gzip.open(path, "rt", encoding="ascii", newline="\n") as file:
            heading = file.readline(LONGEST_LINE).rstrip("\r\n")
            if heading != STREAM_COLUMNS:
                raise ToolError(
                    f"{path} is not a header stream: its first line should be {STREAM_COLUMNS}; unpack a capture before replaying it"
                )
            number = 1
            while line := file.readline(LONGEST_LINE):
                number += 1
                try:
                    time_text, up_text, length_text, rssi_text = line.split(",")
                    t_s, length = float(time_text), int(length_text)
                    rssi_text = rssi_text.strip()
                    rssi_dbm = int(rssi_text) if rssi_text else None
                except ValueError:
                    raise _bad_line(path, number) from None
                if not 0 <= t_s < LONGEST_S or not 1 <= length <= LONGEST_FRAME or up_text not in ("0", "1"):
                    raise _bad_line(path, number)
                if rssi_dbm is not None and not -128 <= rssi_dbm <= 127:
                    raise _bad_line(path, number)
                yield t_s, int(up_text), length, rssi_dbm
    except OSError as error:
        reason = error.strerror or "it is not a gzip file"
        raise ToolError(f"cannot read {path}: {reason}; copy it again") from None
    except (EOFError, zlib.error, UnicodeDecodeError):
        raise ToolError(f"{path} is cut off or damaged; copy it again") from None


def records(path, advance=None):
    """
    Yield (time_us, record) of a radiotap pcap or pcapng file, see pcap.records().

    time_us  int, microseconds since the file's first frame, never going back
    record   bytes, one header record (ansim/frame_header.py)
    """
    return pcap.records(path, advance)


def duration_s(path) -> float:
    """Return the time of the last frame of a header stream, in seconds."""
    last = 0.0
    for t_s, _, _, _ in frames(path):
        last = max(last, t_s)
    return last


def read_json(path, what: str):
    """Return the JSON object in a file. Raises ToolError; `what` names the kind of file in it."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read(LONGEST_JSON + 1)
        if len(text) > LONGEST_JSON:
            raise ToolError(f"{what} {path} is longer than {LONGEST_JSON >> 20} MB; split it")
        given = json.loads(text)
    except OSError as error:
        raise ToolError(f"cannot read {what} {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ToolError(f"{what} {path} is not JSON: {error}; check it with `python -m json.tool`") from None
    if type(given) is not dict:
        raise ToolError(f"{what} {path} should be a JSON object")
    return given


def _bad_line(path, number):
    return ToolError(f"{path} line {number} should be {STREAM_COLUMNS}, such as 0.0369,1,1114,-52; copy the file again")
