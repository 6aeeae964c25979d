"""
The REST API, version 1, under /api/v1; docs/api.md describes its use.

    api.register(app)        # called by server.create_app()

It is an APIFlask application of its own behind one route of the pages' application. Therefore its errors are problem
documents and not pages, it ignores cookies (and needs no CSRF token), and it is made at the first request to it.

    authentication  bearer tokens, their scopes and users
    responses       problem documents, pages of a list, idempotency keys
    document        the OpenAPI document
    schemas         pydantic models of requests and responses
    places          facilities, restrooms
    inspecting      inspections: list, start, steps, finish, correct; their log entries
    findings        findings and dispositions
    holes           holes, photos
    changes         the change feed
    documents       exports, certificates, proofs
    sensors         sensors
    webhooks        webhooks and their deliveries
    audit           the log
    reporting       half-year reports
"""

import threading
from typing import cast

from flask import Blueprint, Flask, current_app, request
from werkzeug.local import LocalProxy
from werkzeug.routing import BaseConverter
from werkzeug.wrappers import Response

from server import security, throttling

PREFIX = "/api/v1"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class _Anything(BaseConverter):
    """The rest of a URL path; unlike the converter `path` it also matches line breaks."""

    part_isolating = False
    regex = "(?s:.+)"


bp = Blueprint("api", __name__)
_lock = threading.Lock()


def register(app: Flask) -> None:
    """Add the route to the pages' application."""
    app.url_map.converters["anything"] = _Anything
    app.register_blueprint(bp)


@bp.route(f"{PREFIX}/<anything:rest>", methods=METHODS)
@throttling.limit_programs
@security.csrf.exempt  # the API ignores cookies
@security.public  # every operation but the OpenAPI document needs a token
def enter(rest: str) -> Response:
    """Pass the request to the API's application."""
    pages = cast("LocalProxy[Flask]", current_app)._get_current_object()
    return Response.from_app(application(pages).wsgi_app, request.environ)


def application(app: Flask) -> Flask:
    """Return the API's application of a pages' application; made at the first call."""
    api = app.extensions.get("api")
    if api is None:
        with _lock:
            api = app.extensions.get("api")
            if api is None:
                from server.api import api_app

                api = app.extensions["api"] = api_app.create(app)
    return api
