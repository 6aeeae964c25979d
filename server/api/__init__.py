"""
The REST API for programs, version 1, under /api/v1. docs/api.md tells how to use it.

    api.register(app)        # called by server.create_app()

It is an APIFlask application of its own behind one route of the pages' application. So its errors are problem
documents and theirs are pages, cookies mean nothing in it (and so it needs no CSRF token), and it is made when the
first program asks: nobody else waits for it.

    access      who asks: bearer tokens, scopes, places
    answers     problem documents, pages of a list, idempotency keys
    models      what goes in and out, as pydantic models
    places      facilities, restrooms
    inspecting  inspections: list, start, steps, finish, correct; their log entries
    findings    findings and dispositions
    watching    sensors, the log, reports
"""

import threading

from flask import Blueprint, Response, current_app, request
from werkzeug.routing import BaseConverter

from server import security

PREFIX = "/api/v1"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class _Anything(BaseConverter):
    """The rest of an address, whatever it holds: also the line breaks that `path` does not take."""

    part_isolating = False
    regex = "(?s:.+)"


bp = Blueprint("api", __name__)
_making = threading.Lock()


def register(app) -> None:
    """Add the one route to the pages' application."""
    app.url_map.converters["anything"] = _Anything
    app.register_blueprint(bp)


@bp.route(f"{PREFIX}/<anything:rest>", methods=METHODS)
@security.csrf.exempt  # no cookie counts in there
@security.public  # every operation but the OpenAPI document asks for a token
def enter(rest):
    """Hand the request over to the API's application."""
    return Response.from_app(application(current_app._get_current_object()).wsgi_app, request.environ)


def application(app):
    """The API's application for a pages' application; made at the first call."""
    made = app.extensions.get("api")
    if made is None:
        with _making:
            made = app.extensions.get("api")
            if made is None:
                from server.api import api_app

                made = app.extensions["api"] = api_app.create(app)
    return made
