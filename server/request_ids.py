"""
A name for each request, which its log lines, its answer and an error page share.

    request_ids.of_request()      # "3f9c0a1b2c3d4e5f"; "" outside of requests

The name in the header X-Request-ID is taken over from a trusted reverse proxy only.
"""

import re

import structlog
from flask import Flask, Response, current_app, g, has_request_context, request

from server import ids

HEADER = "X-Request-ID"
_VALID = re.compile(r"[A-Za-z0-9-]{8,64}")


def init(app: Flask) -> None:
    """Name every request of the application. Register it before what may log or refuse."""
    app.before_request(_name)
    app.after_request(_answer)
    app.jinja_env.globals["request_id"] = of_request
    app.teardown_request(lambda _error: structlog.contextvars.clear_contextvars())


def of_request() -> str:
    """Return the name of the current request."""
    return g.get("request_id", "") if has_request_context() else ""


def _name():
    offered = request.headers.get(HEADER, "") if current_app.extensions["settings"].proxies else ""
    g.request_id = offered if _VALID.fullmatch(offered) else ids.new(16)
    structlog.contextvars.bind_contextvars(request=g.request_id)


def _answer(response: Response) -> Response:
    if of_request():
        response.headers[HEADER] = of_request()
    return response
