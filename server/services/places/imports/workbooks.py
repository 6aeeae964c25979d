"""Reader of XLSX workbooks: the first sheet with a table, row by row."""

import datetime
import zipfile
from collections.abc import Iterator
from pathlib import Path

import openpyxl

from server.services.errors import Refused
from server.services.places.imports.row import Row

MOST_UNPACKED_BYTES = 500 << 20  # of a workbook; the shared texts are held in memory
MOST_TEXT_BYTES = 100 << 20
MOST_ABOVE = 10  # title rows above a header
MOST_CELLS = 500  # in a row


def read_rows(path: Path) -> Iterator[Row]:
    """
    Yield the rows of the first sheet that has a row with two cells or more, from that row on.

    Raises Refused: import_workbook for anything but a workbook that can be read.
    """
    _check_size(path)
    size = path.stat().st_size
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
        for sheet in book.worksheets:
            rows = _rows_of(sheet, size)
            header = next((row for row in rows if sum(map(bool, row.cells)) > 1), None)
            if header is not None and header.line <= MOST_ABOVE + 1:
                yield header
                yield from rows
                return
    except Refused:
        raise
    except Exception:  # openpyxl raises whatever the part that it cannot read raises
        raise Refused("import_workbook") from None


def sheet_names(path: Path) -> list[str]:
    """Return the names of the sheets, [] if the file is no workbook."""
    try:
        with path.open("rb") as file:
            if file.read(4) != b"PK\x03\x04":
                return []
        return list(openpyxl.load_workbook(path, read_only=True, keep_links=False).sheetnames)
    except Exception:
        return []


def _rows_of(sheet, size):
    sheet.reset_dimensions()  # what a file says of its own size is often wrong
    for line, cells in enumerate(sheet.iter_rows(values_only=True), 1):
        texts = [_text(cell) for cell in cells[:MOST_CELLS]]
        while texts and not texts[-1]:
            texts.pop()
        if texts:
            yield Row(line, texts, None, size)


def _text(cell):
    """Return a cell as a text as a person sees it."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "Y" if cell else "N"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        return cell.date().isoformat()
    text = str(cell).replace("\x00", "").strip()
    return "" if text.startswith("#") and text.rstrip("!?").isupper() else text  # #N/A, #REF!


def _check_size(path):
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise Refused("import_workbook") from None
    texts = sum(part.file_size for part in parts if part.filename.endswith("sharedStrings.xml"))
    if sum(part.file_size for part in parts) > MOST_UNPACKED_BYTES or texts > MOST_TEXT_BYTES:
        raise Refused("import_workbook")
