"""Makes the Flask application; see server.create_app()."""

import string
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import structlog
from flask import Flask, current_app
from sqlalchemy import text

from server import (
    api,
    cli,
    clock,
    db,
    i18n,
    metrics,
    request_ids,
    response_headers,
    security,
    vault,
    web,
)
from server.broker import http_access
from server.config import Settings
from server.services.upkeep import readiness
from server.web.assets import WebApp

log = structlog.get_logger()


def create(settings: Settings) -> Flask:
    """Return the Flask application; see server.create_app()."""
    app = WebApp("server")
    keys = vault.open_vault(settings)
    app.config.update(
        SECRET_KEY=keys.key("web-session"),
        SESSION_COOKIE_NAME="__Host-ansim" if settings.https else "ansim",  # the prefix binds it to this host
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.https,
        PERMANENT_SESSION_LIFETIME=settings.session_hours * 3600,  # a shift; also the longest life of a form
        MAX_CONTENT_LENGTH=16 << 20,
        MAX_FORM_MEMORY_SIZE=1 << 20,
        WTF_CSRF_TIME_LIMIT=None,  # the token is valid as long as the session
        WTF_CSRF_SSL_STRICT=settings.https,
        SEND_FILE_MAX_AGE_DEFAULT=3600,
    )
    app.extensions["settings"] = settings
    clock.use_zone(settings.time_zone)
    app.extensions["vault"] = keys
    app.extensions["sessions"] = db.open_sessions(settings.url())
    app.wsgi_app = _encode_query(app.wsgi_app)
    if settings.proxies:
        from werkzeug.middleware.proxy_fix import ProxyFix

        hops = settings.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)

    request_ids.init(app)
    security.init(app)
    i18n.init(app)
    response_headers.init(app)
    metrics.init(app)
    http_access.init(app)
    cli.init(app)
    app.add_url_rule("/healthz", view_func=health)
    app.add_url_rule("/readyz", view_func=readiness_page)
    web.register(app)
    api.register(app)
    return app


def _encode_query(application: Callable) -> Callable:
    """Percent-encode the bytes of a query string that are not ASCII: Werkzeug fails on those that are not UTF-8."""

    def handle(environ: dict, start_response: Callable) -> Any:
        query = environ.get("QUERY_STRING", "")
        if not query.isascii():
            environ["QUERY_STRING"] = quote(query.encode("latin-1"), safe=string.punctuation)
        return application(environ, start_response)

    return handle


@security.public
def health() -> tuple[str, int, dict[str, str]]:
    """Return 200 and "ok" while the database answers: for load balancers and tools/run.py."""
    with current_app.extensions["sessions"]() as session:
        session.execute(text("SELECT 1"))
    return "ok\n", 200, {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}


@security.public
def readiness_page():
    """Return 200 if the installation can do its work, else 503; the codes of readiness.py for operators only."""
    extensions = current_app.extensions
    problems = readiness.list_problems(extensions["sessions"], extensions["settings"], extensions["vault"])
    if problems != extensions.get("readiness"):
        extensions["readiness"] = problems
        log.warning("readiness has changed", ready=not problems, problems=problems)
    answer: dict[str, bool | list[str]] = {"ready": not problems}
    if metrics.is_operator():
        answer["problems"] = problems
    return answer, 503 if problems else 200, {"Cache-Control": "no-store"}
