"""One row of a file, as its reader passes it on."""

from typing import Any, NamedTuple


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
