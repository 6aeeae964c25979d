"""A file's rows, one at a time, with the line each begins on. Never the whole file in memory."""

import codecs
import csv
import itertools
import json
import os
from collections import namedtuple
from pathlib import Path

from server.services.errors import Refused

CHUNK_BYTES = 1 << 18
ENCODINGS = ("utf-8", "cp949")
MOST_COLUMNS = 500
SAMPLED, SAMPLE_LENGTH = 20, 80  # rows looked at, and characters told, for samples
MOST_ABOVE = 10  # lines of title above a header

# line   where the row begins, from 1; for GeoJSON the number of the feature
# cells  list of texts, blanks at the ends removed; for GeoJSON the feature as a dict
# bad    why it cannot be used, as (code, values) of wording.imports.PROBLEMS, or None
# read   bytes of the file read so far
Row = namedtuple("Row", ("line", "cells", "bad", "read"))


def is_geojson(path: Path) -> bool:
    """True for a JSON object; a table never begins with a brace."""
    with path.open("rb") as file:
        return file.read(200).removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"{"


def encoding_of(path: Path) -> str:
    """Return how the file is written: of ENCODINGS the first that fits, else the one that fails least often."""
    with path.open("rb") as file:
        if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16"
    failures = {name: _failures(path, name) for name in ENCODINGS}
    best = min(ENCODINGS, key=failures.get)
    return "utf-8-sig" if best == "utf-8" else best


def rows(path: Path):
    """
    Yield the rows of a table, header first, without a title above it. A row that cannot be read is yielded with `bad`
    and no cells.

    Commas, tabs and semicolons are told apart by the header. Raises Refused: import_empty, import_no_table.
    """
    with path.open("rb") as raw:
        text = codecs.getreader(encoding_of(path))(raw, errors="replace")
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
            if bad or any(cells):  # empty lines are no rows
                yield Row(begins, cells, bad, raw.tell())
            begins = above + reader.line_num + 1


def features(path: Path):
    """Yield a GeoJSON collection's features as rows. Raises Refused: import_no_features."""
    decoder = json.JSONDecoder()
    with path.open("rb") as raw:
        text = codecs.getreader("utf-8-sig")(raw, errors="replace")
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
                more = text.read(max(CHUNK_BYTES, len(buffer)))  # doubling, so that a huge feature costs no square
                if not more:
                    yield Row(number + 1, {}, ("cut_off", {}), raw.tell())
                    return
                buffer += more
                continue
            number += 1
            bad = None if isinstance(feature, dict) else ("no_feature", {})
            yield Row(number, feature if not bad else {}, bad, raw.tell())
            buffer = buffer[end:]


def samples(path: Path, most: int = 2) -> dict:
    """{column: the first values in it, in one text}, so that a person sees what a column holds."""
    table = rows(path)
    found = {column: [] for column in next(table).cells}
    for row in itertools.islice(table, SAMPLED):
        for column, cell in zip(found, row.cells, strict=False):
            if cell and cell not in found[column] and len(found[column]) < most:
                found[column].append(cell)
    return {column: ", ".join(cells)[:SAMPLE_LENGTH] for column, cells in found.items()}


def size(path: Path) -> int:
    """The file's length in bytes, for a progress bar."""
    return os.path.getsize(path)


def _failures(path, encoding):
    """How often the file breaks the encoding's rules."""
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
    (how many lines stand above the header, the header, the lines below it).

    Offices write titles and dates above their tables; a header has two names or more, or goes on in the next line.
    """
    top = [line.strip("\ufeff") for line in itertools.islice(lines, MOST_ABOVE + 1)]
    for above, line in enumerate(top):
        names = [name for name in line.split(_delimiter(line)) if name.strip(' "\r\n')]
        if len(names) > 1 or line.count('"') % 2:
            return above, line, itertools.chain(top[above + 1 :], lines)
    return 0, next((line for line in top if line.strip()), ""), itertools.chain(top[1:], lines)


def _delimiter(line):
    return max(",\t;|", key=line.count)
