"""
Static files: where they are, and addresses that change when a file does, so that browsers may keep them for a year.

Programs of others (htmx, Leaflet) come from pinned packages and are served from where those are installed, as if they
lay in static/vendor/.
"""

import hashlib
import importlib.util
from functools import cache
from pathlib import Path

from flask import Flask, send_from_directory, url_for

# vendor/<name>/ -> (package, its folder of static files). The packages hold these files only.
VENDORED = {
    "htmx": ("js_lib_htmx", "static/htmx"),
    "leaflet": ("js_lib_leaflet", "static/js_lib_leaflet"),
}


class WebApp(Flask):
    """Flask, with vendor/ among its static files."""

    def send_static_file(self, filename):
        """Answer with a static file; 404 for one that is not there."""
        folder, name = _split(filename) or (self.static_folder, filename)
        return send_from_directory(folder, name, max_age=self.get_send_file_max_age(filename))


class Assets:
    """Remembers the digest of each static file by its time of change and size."""

    def __init__(self, folder: str):
        self._folder = Path(folder)
        self._digests = {}

    def address(self, name: str) -> str:
        """Return the address of a static file; raises FileNotFoundError for one that is not there."""
        folder, rest = _split(name) or (self._folder, name)
        file = folder / rest
        stat = file.stat()
        key = (name, stat.st_mtime_ns, stat.st_size)
        if key not in self._digests:
            self._digests[key] = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
        return url_for("static", filename=name, v=self._digests[key])


def init(app: Flask) -> None:
    """Give templates `asset("css/base.css")`."""
    app.jinja_env.globals["asset"] = Assets(app.static_folder).address


def _split(name):
    """Return (folder, name within) of a file in vendor/, None for any other."""
    parts = name.split("/", 2)
    if len(parts) < 3 or parts[0] != "vendor" or parts[1] not in VENDORED:
        return None
    return _folder(parts[1]), parts[2]


@cache
def _folder(name):
    package, inside = VENDORED[name]
    return Path(importlib.util.find_spec(package).origin).parent / inside
