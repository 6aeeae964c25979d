"""
Static files, at addresses that contain a digest of their content, so that browsers can cache them.

The stylesheets of all pages are served as one file, STYLESHEET, put together at start. Packages of others (htmx,
Leaflet) are pinned dependencies, and are served from where they are installed, as if they were in static/vendor/.
"""

import hashlib
import importlib.util
from functools import cache
from pathlib import Path

from flask import Flask, Response, send_from_directory, url_for

STYLESHEET = "css/ansim.css"
# The parts of STYLESHEET, in the order of the cascade: what all pages share, then the subjects. map.css and paper.css
# are linked by the few pages that need them.
STYLES = (
    *("base", "layout", "components", "levels", "forms", "start"),
    *("findings", "inspecting", "places", "people", "sensors", "reporting", "charts"),
)

# vendor/<name>/ -> (package, its folder of static files). The packages hold these files only.
VENDORED = {
    "htmx": ("js_lib_htmx", "static/htmx"),
    "leaflet": ("js_lib_leaflet", "static/js_lib_leaflet"),
}


class WebApp(Flask):
    """Flask, with STYLESHEET and vendor/ among its static files."""

    def send_static_file(self, filename: str) -> Response:
        """Answer with a static file, or 404."""
        max_age = self.get_send_file_max_age(filename)
        if filename == STYLESHEET:
            answer = Response(self.extensions["assets"].stylesheet, content_type="text/css; charset=utf-8")
            if max_age is not None:
                answer.cache_control.public = True
                answer.cache_control.max_age = max_age
            return answer
        folder, name = _locate(self, filename)
        return send_from_directory(folder, name, max_age=max_age)


class Assets:
    """The addresses of static files, and the text of STYLESHEET."""

    def __init__(self, app: Flask):
        self._app = app
        self._digests: dict[tuple, str] = {}
        texts = [(_static_folder(app) / "css" / f"{name}.css").read_text() for name in STYLES]
        self.stylesheet = "\n".join(texts)
        self._stylesheet_digest = _short_digest(self.stylesheet.encode())

    def address(self, name: str) -> str:
        """Return the address of a static file. Raises FileNotFoundError if there is none."""
        return url_for("static", filename=name, v=self._digest(name))

    def _digest(self, name):
        if name == STYLESHEET:
            return self._stylesheet_digest
        folder, rest = _locate(self._app, name)
        stat = (folder / rest).stat()
        key = (name, stat.st_mtime_ns, stat.st_size)
        if key not in self._digests:
            self._digests[key] = _short_digest((folder / rest).read_bytes())
        return self._digests[key]


def init(app: Flask) -> None:
    """Give templates `asset("app.js")` and `stylesheet()`."""
    assets = app.extensions["assets"] = Assets(app)
    app.jinja_env.globals["asset"] = assets.address
    app.jinja_env.globals["stylesheet"] = lambda: assets.address(STYLESHEET)


def _short_digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def _static_folder(app: Flask) -> Path:
    return Path(app.static_folder or "")


def _locate(app: Flask, name: str) -> tuple[Path, str]:
    """Return (folder, name within) of a static file."""
    parts = name.split("/", 2)
    if len(parts) < 3 or parts[0] != "vendor" or parts[1] not in VENDORED:
        return _static_folder(app), name
    return _package_folder(parts[1]), parts[2]


@cache
def _package_folder(name):
    package, inside = VENDORED[name]
    spec = importlib.util.find_spec(package)
    assert spec and spec.origin, f"{package} is in requirements.txt"
    return Path(spec.origin).parent / inside
