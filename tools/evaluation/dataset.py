"""
The recordings to evaluate: a folder with a manifest.csv and one sub-folder per label.

    for case in dataset.read("captures"): ...

The files are `<label>/<id>.hdr.csv.gz`. If the manifest is missing, has other columns or does not list a
file, the name of the sub-folder decides the kind of the recording.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.lib.errors import ToolError
from tools.traffic import air, streams

CAMERA, IDLE, NEGATIVE, CAPTURE = "camera", "idle camera", "negative", "capture"

UNKNOWN = "unknown"  # collection

SUFFIX = ".hdr.csv.gz"
CAPTURE_SUFFIXES = (".pcap", ".pcapng", ".cap")
OTHER_SUFFIXES = (".json", ".csv", ".md", ".txt", ".py", ".png", ".svg", ".html", ".pdf")
TRUE_WORDS = ("1", "yes", "true", "y")
AP_WORDS = ("ap", "softap", "access_point", "access point", "accesspoint")
AP_IN_TEXT = re.compile(r"\b(ap|access[- ]point)[- ]?mode\b|\bsoft[- ]?ap\b|\(ap\)|\bown access point\b", re.IGNORECASE)


@dataclass(frozen=True)
class Case:
    """
    One recording.

    kind    CAMERA: a camera that sends video; IDLE: a camera that sends none; NEGATIVE: another device;
            CAPTURE: a whole capture without known cameras
    label   name of the folder
    device  groups the figures
    model   groups cameras of one model
    role    air.STATION or air.AP
    collection  where the recording was published, the manifest's column "repo"
    """

    path: Path
    kind: str
    label: str
    id: str
    device: str
    model: str
    role: str
    collection: str = UNKNOWN


def read(folder: Path | str) -> list[Case]:
    """Return the cases of a folder, sorted by label and id. Raises ToolError if there are none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise ToolError(f"{folder} is not a folder; give one with a manifest.csv and a sub-folder for each label")
    rows = _manifest(folder / "manifest.csv")
    cases = []
    for path in sorted(folder.rglob("*")):
        name = path.name
        if not path.is_file():
            continue
        is_capture = _is_capture(path)
        if not (name.endswith(SUFFIX) or is_capture):
            continue
        relative = path.relative_to(folder).as_posix()
        row = rows.get(relative) or rows.get(name.removesuffix(SUFFIX)) or {}
        label = row.get("label") or (path.parent.name if path.parent != folder else "unlabelled")
        own_id = _capture_id(name) if is_capture else name.removesuffix(SUFFIX)
        device = row.get("device") or own_id
        if device == "host":  # the manifest's word for many different phones and laptops
            device = own_id
        kind = CAPTURE if is_capture else _kind(label, row)
        role, collection = _role(label, own_id, row), row.get("repo") or UNKNOWN
        cases.append(Case(path, kind, label, own_id, device, row.get("model") or device, role, collection))
    if not cases:
        raise ToolError(f"{folder} has no {SUFFIX} file; give a folder laid out like the captures")
    return cases


def split_readable(cases: Sequence[Case]) -> tuple[list[Case], list[str]]:
    """
    Return (cases that can be read to their end, problems of the others).

    Raises ToolError if no case can be read.
    """
    readable, problems = [], []
    for case in cases:
        try:
            for _ in streams.records(case.path) if case.kind == CAPTURE else streams.frames(case.path):
                pass
            readable.append(case)
        except ToolError as error:
            problems.append(str(error))
    if not readable:
        raise ToolError(f"none of {len(cases)} recordings can be read; the first: {problems[0]}")
    return readable, problems


def scene_files(folder: Path | str) -> list[Path]:
    """Return the scene files in a folder and its sub-folders."""
    return [path for path in sorted(Path(folder).rglob("*.json")) if path.is_file()]


def other_files(folder: Path | str) -> list[str]:
    """Return the files of a folder that are neither recordings nor scenes nor documents, by their relative paths."""
    return [
        path.relative_to(folder).as_posix()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
        and not path.name.endswith(SUFFIX)
        and path.suffix.lower() not in OTHER_SUFFIXES
        and not _is_capture(path)
    ]


def _is_capture(path):
    """Return True for a pcap or pcapng, compressed or not: by its name, otherwise by its first bytes."""
    name = path.name.lower()
    if name.endswith(SUFFIX) or path.suffix.lower() in OTHER_SUFFIXES:
        return False
    if name.removesuffix(".gz").endswith(CAPTURE_SUFFIXES):
        return True
    try:
        return streams.kind(path) == streams.RECORDS
    except ToolError:
        return False


def _capture_id(name):
    stem = name[:-3] if name.lower().endswith(".gz") else name
    return Path(stem).stem


def _manifest(path):
    """Return the rows by their file and by their id, with keys in lower case."""
    if not path.exists():
        return {}
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            rows = [
                {(key or "").strip().lower(): _text(value) for key, value in row.items()}
                for row in csv.DictReader(file)
            ]
    except (OSError, csv.Error) as error:
        raise ToolError(f"cannot read {path}: {error}; repair it, or remove it: the manifest is optional") from None
    rows_by_name = {}
    for row in rows:
        for key in ("id", "file"):
            if row.get(key):
                rows_by_name[row[key].removeprefix("./")] = row
    return rows_by_name


def _text(value):
    return value.strip() if isinstance(value, str) else ""


def _kind(label, row):
    """Return the kind by the label, or by the manifest's columns if the label does not tell it."""
    words = re.split(r"[^a-z0-9]+", label.lower())
    if "neg" in words or "negative" in words:
        return NEGATIVE
    if "idle" in words:
        return IDLE
    if any(word.startswith("cam") for word in words):
        return CAMERA
    if row.get("camera", "").lower() in TRUE_WORDS:
        return CAMERA if row.get("video", "").lower() in TRUE_WORDS else IDLE
    return NEGATIVE


def _role(label, own_id, row):
    for column in ("role", "mode"):
        if row.get(column, "").lower() in AP_WORDS:
            return air.AP
    words = re.split(r"[^a-z0-9]+", f"{label} {own_id}".lower())
    if "ap" in words or "softap" in words or AP_IN_TEXT.search(row.get("model", "") + " " + row.get("device", "")):
        return air.AP
    return air.STATION
