"""Readers of tables and GeoJSON files: one row at a time, never the whole file in memory."""

import codecs
import csv
import io
import itertools
import json
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from server.services.errors import Refused
from server.services.places.imports import workbooks
from server.services.places.imports.row import Row

CHUNK_BYTES = 1 << 18
ENCODINGS = ("utf-8", "cp949")
MOST_COLUMNS = 500
SAMPLED, SAMPLE_LENGTH = 20, 80  # rows read and characters returned for samples
MOST_ABOVE = 10  # title lines above a header
MOST_LINES = 40  # in one row; a row of more has a quotation mark that was never closed
LONGEST_HEADER = 20_000
HEAD_BYTES = 4096
ZIP_MAGIC, OLE_MAGIC = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"  # XLSX and other documents; XLS


def is_geojson(path: Path) -> bool:
    """Return whether a file is a JSON object; a table never begins with a brace."""
    with path.open("rb") as file:
        return file.read(200).removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"{"


def detect_encoding(path: Path) -> str:
    """Return the encoding: UTF-16 by its mark or its zeros, else the one of ENCODINGS with the fewest errors."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    zeros = head[0::2].count(0), head[1::2].count(0)  # digits, commas and line ends have one in UTF-16
    if max(zeros) > len(head) // 20 and min(zeros) * 10 < max(zeros):
        return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
    failures = {name: _failures(path, name) for name in ENCODINGS}
    best = min(ENCODINGS, key=lambda name: failures[name])
    return "utf-8-sig" if best == "utf-8" else best


def read_rows(path: Path) -> Iterator[Row]:
    """
    Yield the rows of a table, the header first; title lines above it are skipped. An unreadable row has `bad` set.

    The table is a text, whose delimiter (comma, tab, semicolon, bar) is detected from the header, or the first sheet
    of an XLSX workbook that has one. The header's cells are names: each once, also where the file has none.
    Raises Refused: import_empty, import_no_table, import_workbook.
    """
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(ZIP_MAGIC):
        rows = workbooks.read_rows(path)
    elif head.startswith(OLE_MAGIC):
        raise Refused("import_workbook")
    else:
        rows = _text_rows(path)
    header = next(rows, None)
    if header is None:
        raise Refused("import_empty")
    if header.bad or len(header.cells) > MOST_COLUMNS:
        raise Refused("import_no_table")
    names = column_names(header.cells)
    yield header._replace(cells=names)
    for row in rows:
        cells = row.cells
        while len(cells) > len(names) and not cells[-1]:  # a comma at the end of the line
            cells = cells[:-1]
        yield row._replace(cells=cells)


def column_names(cells: list[str]) -> list[str]:
    """
    Return a name for every column, each once: "#5" for the fifth without a name, "이름 #7" for the second 이름.

    Columns without a name at the end are left in, so that what stands below them is not lost.
    """
    names: list[str] = []
    for number, cell in enumerate(cells, 1):
        name = " ".join(cell.split())
        names.append(name if name and name not in names else f"{name} #{number}".strip())
    return names


def _text_rows(path):
    """Yield the rows of a text, the header first."""
    with path.open("rb") as raw:
        # Only LF, CR and CR LF end a line; str.splitlines() would split cells at VT, FS, NEL or U+2028.
        text = io.TextIOWrapper(raw, detect_encoding(path), "replace", newline="")
        above, first, rest = _header(iter(text.readline, ""))
        if not first.strip():
            raise Refused("import_empty")
        delimiter = _delimiter(first)
        columns = 0
        for line, cells, bad in records(itertools.chain([first], rest), delimiter):
            cells = [cell.replace("\x00", "").strip() for cell in cells]
            if not bad and any("\ufffd" in cell for cell in cells):
                bad = ("encoding", {})
            if not columns:
                columns = len(cells)
            if bad or any(cells):  # empty lines are skipped
                yield Row(above + line, cells, bad, raw.tell())


def records(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str], tuple | None]]:
    """
    Yield (line, cells, problem) of the records of a CSV text; lines count from 1.

    lines  with their ends

    A quoted cell may hold line ends. A quotation mark that is never closed, or closes in another row, makes its own
    line a bad record and no other: reading goes on with the next line.
    """
    source = iter(lines)
    waiting: deque[str] = deque()  # read ahead
    columns = 0  # of the first record
    number = 0
    while True:
        if not waiting and (line := next(source, None)) is not None:
            waiting.append(line)
        if not waiting:
            return
        taken, cells = _whole_record(waiting, source, delimiter, columns)
        bad = None
        if cells is None:
            taken, cells = 1, _loose_record(waiting[0], delimiter, columns)
            if cells is None:
                cells, bad = [], ("quotation", {})
        for _ in range(taken):
            waiting.popleft()
        yield number + 1, cells, bad
        columns = columns or len(cells)
        number += taken


def _whole_record(waiting, source, delimiter, columns):
    """
    Return (number of lines, cells) of the record that begins with waiting[0]; cells None if it breaks the rules.

    Lines are added to `waiting` as needed. A record of several lines must have as many cells as the first one.
    """
    for taken in range(1, MOST_LINES + 1):
        if taken > len(waiting):
            line = next(source, None)
            if line is None:
                return 0, None
            waiting.append(line)
        reader = csv.reader(itertools.islice(waiting, taken), delimiter=delimiter, strict=True)
        try:
            cells = next(reader)
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                continue
            return 0, None
        if taken > 1 and columns and len(cells) < columns:
            return 0, None
        return taken, cells
    return 0, None


def _loose_record(line, delimiter, columns):
    """Return the cells of a line with stray quotation marks, if it has as many as the first record; else None."""
    try:
        cells = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return None
    ends_open = any("\n" in cell or "\r" in cell for cell in cells[-1:])
    return cells if len(cells) == columns and not ends_open else None


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


def _header(lines):
    """
    Return (number of lines above the header, the header, the lines below it).

    Offices write titles and dates above their tables; a header has two names or more, or continues on the next line.
    """
    top = [line.strip("\ufeff") for line in itertools.islice(lines, MOST_ABOVE + 1)]
    for above, line in enumerate(top):
        names = [name for name in line.split(_delimiter(line)) if name.strip(' "\r\n')]
        if len(names) > 1 or (line.count('"') % 2 and len(line) < LONGEST_HEADER):
            return above, line, itertools.chain(top[above + 1 :], lines)
    return 0, next((line for line in top if line.strip()), ""), itertools.chain(top[1:], lines)


def _delimiter(line):
    return max(",\t;|", key=line.count)
