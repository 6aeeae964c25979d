"""
The recordings to evaluate on: a folder with a manifest.csv and one sub-folder for each label.

    for case in dataset.read("captures"): ...

`<label>/<id>.hdr.csv.gz`, as the captures' README describes them. The manifest may be missing,
have other columns or not list a file; then the folder's name decides what the file is.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from tools.lib.errors import ToolError
from tools.traffic import air, streams

CAMERA, IDLE, NEGATIVE, CAPTURE = "camera", "idle camera", "negative", "capture"

SUFFIX = ".hdr.csv.gz"
CAPTURE_SUFFIXES = (".pcap", ".pcapng", ".cap")
TRUE_WORDS = ("1", "yes", "true", "y")
AP_WORDS = ("ap", "softap", "access_point", "access point", "accesspoint")
AP_IN_TEXT = re.compile(r"\b(ap|access[- ]point)[- ]?mode\b|\bsoft[- ]?ap\b|\(ap\)|\bown access point\b", re.IGNORECASE)


@dataclass(frozen=True)
class Case:
    """
    One recording.

    kind    CAMERA: it sends video; IDLE: a camera that does not; NEGATIVE: anything else;
            CAPTURE: a whole capture without known cameras
    label   the folder's name
    device  what the figures are grouped by
    model   for people; cameras of one model share it
    role    air.STATION or air.AP
    """

    path: Path
    kind: str
    label: str
    id: str
    device: str
    model: str
    role: str


def read(folder) -> list:
    """Return the cases of a folder, sorted by label and id. Raises ToolError if there is none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise ToolError(f"{folder} is not a folder; give one with a manifest.csv and a sub-folder for each label")
    rows = _manifest(folder / "manifest.csv")
    cases = []
    for path in sorted(folder.rglob("*")):
        name = path.name
        is_capture = path.suffix in CAPTURE_SUFFIXES
        if not path.is_file() or not (name.endswith(SUFFIX) or is_capture):
            continue
        relative = path.relative_to(folder).as_posix()
        row = rows.get(relative) or rows.get(name.removesuffix(SUFFIX)) or {}
        label = row.get("label") or (path.parent.name if path.parent != folder else "unlabelled")
        own_id = path.stem if is_capture else name.removesuffix(SUFFIX)
        device = row.get("device") or own_id
        if device == "host":  # one word for many phones and laptops
            device = own_id
        kind = CAPTURE if is_capture else _kind(label, row)
        cases.append(Case(path, kind, label, own_id, device, row.get("model") or device, _role(label, own_id, row)))
    if not cases:
        raise ToolError(f"{folder} has no {SUFFIX} file; give a folder laid out like the captures")
    return cases


def split_readable(cases) -> tuple:
    """
    ([cases that can be read to their end], [what is wrong with the others]).

    Raises ToolError if that leaves none.
    """
    good, problems = [], []
    for case in cases:
        try:
            for _ in streams.records(case.path) if case.kind == CAPTURE else streams.frames(case.path):
                pass
            good.append(case)
        except ToolError as error:
            problems.append(str(error))
    if not good:
        raise ToolError(f"none of {len(cases)} recordings can be read; the first: {problems[0]}")
    return good, problems


def scene_files(folder) -> list:
    """Paths of the scene files in a folder, at any depth."""
    return [path for path in sorted(Path(folder).rglob("*.json")) if path.is_file()]


def _manifest(path):
    """Rows by the file they name and by id, keys in lower case."""
    if not path.exists():
        return {}
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            rows = [
                {(key or "").strip().lower(): _text(value) for key, value in row.items()}
                for row in csv.DictReader(file)
            ]
    except (OSError, csv.Error) as error:
        raise ToolError(f"cannot read {path}: {error}; the evaluation works without it too, so move it away") from None
    found = {}
    for row in rows:
        for key in ("id", "file"):
            if row.get(key):
                found[row[key].removeprefix("./")] = row
    return found


def _text(value):
    return value.strip() if isinstance(value, str) else ""


def _kind(label, row):
    """The label decides; a label that says nothing leaves it to the manifest's columns."""
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
