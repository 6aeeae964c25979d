"""Answers that are files: CSV, XLSX and PDF."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import Response, current_app, redirect, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from server.services.reporting import pdf
from server.web import page

CSV, XLSX, PDF = "csv", "xlsx", "pdf"
TYPES = {
    CSV: "text/csv; charset=utf-8",
    XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    PDF: "application/pdf",
}


def download(data: bytes, kind: str, name: str) -> Response:
    """Return a file as an answer. kind: CSV, XLSX or PDF; its name gets the kind's ending."""
    answer = Response(data, content_type=TYPES[kind])
    answer.headers["Content-Disposition"] = _attachment(f"{file_name(name)}.{kind}")
    return answer


def _attachment(name):
    """Return Content-Disposition for a file's name; a header is ASCII, so the name is written as RFC 8187 says, too."""
    plain = re.sub(r"-{2,}", "-", "".join(c if c.isascii() and c not in '"%' else "-" for c in name))
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def file_name(name: str) -> str:
    """Return a name without the characters that a file system refuses."""
    return re.sub(r'[\s\\/:*?"<>|\x00-\x1f]+', "-", name).strip("-.")[:150]


def pdf_answer(template: str, back: str, name: str, **values: Any) -> ResponseReturnValue:
    """Return a template as PDF, or a redirect to `back` that says what the server lacks to make one."""
    html = render_template("reporting/sheet.html", body=template, **values)
    try:
        data = pdf.make(html, _style())
    except pdf.NotPossible as error:
        current_app.logger.warning("%s", error)
        page.flash_warning(_missing_text(error))
        return redirect(back)
    return download(data, PDF, name)


def _style() -> str:
    """Return the text of the stylesheet for paper: the PDF renderer fetches nothing."""
    return (Path(current_app.root_path) / "static" / "css" / "paper.css").read_text()


def _missing_text(error: pdf.NotPossible) -> str:
    what = gettext("the Pango library") if error.missing == pdf.PANGO else gettext("a Korean font (fonts-nanum)")
    return gettext(
        "This server cannot make PDF files: %(what)s is missing. Use the print view, and print it to a PDF file.",
        what=what,
    )
