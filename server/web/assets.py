"""Addresses of static files that change when the file does, so that browsers may keep them for a year."""

import hashlib
from pathlib import Path

from flask import Flask, url_for


class Assets:
    """Remembers the digest of each static file by its time of change and size."""

    def __init__(self, folder: str):
        self._folder = Path(folder)
        self._digests = {}

    def address(self, name: str) -> str:
        """Return the address of a static file; raises FileNotFoundError for one that is not there."""
        stat = (self._folder / name).stat()
        key = (name, stat.st_mtime_ns, stat.st_size)
        if key not in self._digests:
            self._digests[key] = hashlib.sha256((self._folder / name).read_bytes()).hexdigest()[:12]
        return url_for("static", filename=name, v=self._digests[key])


def init(app: Flask) -> None:
    """Give templates `asset("css/base.css")`."""
    app.jinja_env.globals["asset"] = Assets(app.static_folder).address
