"""
Tables as CSV and XLSX files.

    csv_bytes(header, rows);  xlsx_bytes("title", header, rows)

Cells are texts, numbers or None; a row may be shorter than the header. A text that looks like a formula is neutralised.
"""

import csv
import io
import re

BOM = "\ufeff"  # without it Excel reads UTF-8 as the old Korean encoding
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
# What XML 1.0 cannot hold.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_WIDEST = 60


def neutral(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula; see OWASP, CSV injection."""
    text = _UNPRINTABLE.sub("", text)
    return f"'{text}" if text.lstrip(" \u3000").startswith(_FORMULA) or text.startswith(_FORMULA) else text


def csv_bytes(header: list[str], rows: list[list]) -> bytes:
    """Return UTF-8 with a byte order mark; lines end in CRLF (RFC 4180)."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    for row in [header, *rows]:
        writer.writerow(["" if cell is None else neutral(cell) if isinstance(cell, str) else cell for cell in row])
    return (BOM + out.getvalue()).encode("utf-8")


def xlsx_bytes(title: str, header: list[str], rows: list[list]) -> bytes:
    """Return a workbook with one sheet, whose header row is frozen. No cell is a formula."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter

    book = Workbook(write_only=True)
    sheet = book.create_sheet(re.sub(r"[\[\]:*?/\\]", " ", title)[:31])
    sheet.freeze_panes = "B2"
    for number, name in enumerate(header, 1):
        longest = max([len(str(row[number - 1] or "")) for row in rows[:200] if len(row) >= number] + [6])
        width = min(max(longest * 1.6, len(name) * 0.9, 8), _WIDEST)
        sheet.column_dimensions[get_column_letter(number)].width = width
    for row_index, row in enumerate([header, *rows]):
        cells = []
        for value in row:
            cell = WriteOnlyCell(sheet, value=None)
            if isinstance(value, str):
                cell.value = _UNPRINTABLE.sub("", value)[:32767]
                cell.data_type = "s"  # openpyxl would make a text that begins with = a formula
                cell.quotePrefix = True
            else:
                cell.value = value
            if row_index == 0:
                cell.font = Font(bold=True)
                cell.alignment = Alignment(wrap_text=True, vertical="top")
            cells.append(cell)
        sheet.append(cells)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
