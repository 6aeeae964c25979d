"""Readers of tables and GeoJSON files: one row at a time, never the whole file in memory."""

import codecs
import csv
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from server.services.errors import Refused

CHUNK_BYTES = 1 << 18
ENCODINGS = ("utf-8", "cp949")
MOST_COLUMNS = 500
SAMPLED, SAMPLE_LENGTH = 20, 80  # rows read and characters returned for samples
MOST_ABOVE = 10  # title lines above a header


class Row(NamedTuple):
    """
    line   line on which the row begins, from 1; for GeoJSON the number of the feature
    cells  list of texts without surrounding blanks; for GeoJSON the feature as a dict
    bad    problem (code, values) of wording.imports.PROBLEMS, or None
    read   bytes of the file read so far
    """

    line: int
    cells: Any
    bad: tuple[str, dict] | None
    read: int


def is_geojson(path: Path) -> bool:
    """Return whether a file is a JSON object; a table never begins with a brace."""
    with path.open("rb") as file:
        return file.read(200).removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"{"


def detect_encoding(path: Path) -> str:
    """Return the encoding: the first of ENCODINGS without errors, else the one with the fewest."""
    with path.open("rb") as file:
        if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16"
    failures = {name: _failures(path, name) for name in ENCODINGS}
    best = min(ENCODINGS, key=lambda name: failures[name])
    return "utf-8-sig" if best == "utf-8" else best


def read_rows(path: Path) -> Iterator[Row]:
    """
    Yield the rows of a table, the header first; title lines above it are skipped. An unreadable row has `bad` set.

    The delimiter (comma, tab, semicolon, bar) is detected from the header.
    Raises Refused: import_empty, import_no_table.
    """
    with path.open("rb") as raw:
        text = codecs.getreader(detect_encoding(path))(raw, "replace")
        lines = _lines(text)
        above, first, rest = _header(lines)
        if not first.strip():
            raise Refused("import_empty")
        reader = csv.reader(itertools.chain([first], rest), delimiter=_delimiter(first))
        begins = header = above + 1
        while True:
            bad, cells = None, []
            try:
                cells = [cell.replace("\x00", "").strip() for cell in next(reader)]
            except StopIteration:
                return
            except csv.Error:
                bad = ("quotation", {})
            if any("\ufffd" in cell for cell in cells):
                bad = ("encoding", {})
            if begins == header and (bad or len(cells) > MOST_COLUMNS):
                raise Refused("import_no_table")
            if bad or any(cells):  # empty lines are skipped
                yield Row(begins, cells, bad, raw.tell())
            begins = above + reader.line_num + 1


def read_features(path: Path) -> Iterator[Row]:
    """Yield the features of a GeoJSON collection as rows. Raises Refused: import_no_features."""
    decoder = json.JSONDecoder()
    with path.open("rb") as raw:
        text = codecs.getreader("utf-8-sig")(raw, "replace")
        buffer = text.read(CHUNK_BYTES)
        at = buffer.find('"features"')
        while at < 0:
            more = text.read(CHUNK_BYTES)
            if not more:
                raise Refused("import_no_features")
            buffer, at = buffer[-20:] + more, (buffer[-20:] + more).find('"features"')
        buffer = buffer[at:].partition("[")[2]
        number = 0
        while True:
            buffer = buffer.lstrip(" \t\r\n,")
            if buffer.startswith("]"):
                return
            try:
                feature, end = decoder.raw_decode(buffer)
            except ValueError:
                more = text.read(max(CHUNK_BYTES, len(buffer)))  # doubled, so that a huge feature takes linear time
                if not more:
                    yield Row(number + 1, {}, ("cut_off", {}), raw.tell())
                    return
                buffer += more
                continue
            number += 1
            bad = None if isinstance(feature, dict) else ("no_feature", {})
            yield Row(number, feature if not bad else {}, bad, raw.tell())
            buffer = buffer[end:]


def sample_columns(path: Path, most: int = 2) -> dict[str, str]:
    """Return {column: its first values in one text}."""
    table = read_rows(path)
    samples = {column: [] for column in next(table).cells}
    for row in itertools.islice(table, SAMPLED):
        for column, cell in zip(samples, row.cells, strict=False):
            if cell and cell not in samples[column] and len(samples[column]) < most:
                samples[column].append(cell)
    return {column: ", ".join(cells)[:SAMPLE_LENGTH] for column, cells in samples.items()}


def _failures(path, encoding):
    """Return the number of decoding errors."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    failures = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            failures += decoder.decode(chunk).count("\ufffd")
    return failures + decoder.decode(b"", final=True).count("\ufffd")


def _lines(text):
    while line := text.readline():
        yield line


def _header(lines):
    """
    Return (number of lines above the header, the header, the lines below it).

    Offices write titles and dates above their tables; a header has two names or more, or continues on the next line.
    """
    top = [line.strip("\ufeff") for line in itertools.islice(lines, MOST_ABOVE + 1)]
    for above, line in enumerate(top):
        names = [name for name in line.split(_delimiter(line)) if name.strip(' "\r\n')]
        if len(names) > 1 or line.count('"') % 2:
            return above, line, itertools.chain(top[above + 1 :], lines)
    return 0, next((line for line in top if line.strip()), ""), itertools.chain(top[1:], lines)


def _delimiter(line):
    return max(",\t;|", key=line.count)
