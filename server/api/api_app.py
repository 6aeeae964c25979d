"""Makes the API's application; see server/api/__init__.py."""

from apiflask import APIFlask
from flask import Flask
from flask_babel import Babel

from server import problem_documents
from server.api import (
    PREFIX,
    audit,
    authentication,
    changes,
    document,
    documents,
    findings,
    holes,
    inspecting,
    places,
    reporting,
    responses,
    sensors,
    webhooks,
)

DESCRIPTION = """\
Facilities, restrooms, inspections, findings, sensors, the log and reports.

Show a token (`Authorization: Bearer ansim_...`); people make tokens on their account page. A token can do what its
scopes and its person's role both allow, at the person's places; what lies elsewhere does not exist for it.
Lists come page by page: follow `next` as `?cursor=`. Every time is whole seconds since 1970-01-01 UTC.
Errors are problem documents (RFC 9457) with a stable `code`. Send `Idempotency-Key` with a POST to be able to repeat
it.
"""
MOST_BODY_BYTES = 1 << 20


def create(pages: Flask) -> APIFlask:
    """Return the application. It shares database, vault and settings with the pages' application."""
    api = APIFlask("server.api", "Ansim", "1", spec_path=f"{PREFIX}/openapi.json", docs_path=None, json_errors=False)
    api.config.update(
        MAX_CONTENT_LENGTH=MOST_BODY_BYTES,
        OPENAPI_VERSION="3.1.0",
        DESCRIPTION=DESCRIPTION,
        SERVERS=[{"url": "/"}],
        AUTO_SERVERS=False,
        AUTO_404_RESPONSE=False,
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        AUTO_OPERATION_ID=True,
        SECURITY_SCHEMES={"token": {"type": "http", "scheme": "bearer"}},
        BABEL_DEFAULT_LOCALE="en",
        BABEL_DEFAULT_TIMEZONE=pages.extensions["settings"].time_zone,
        BABEL_TRANSLATION_DIRECTORIES=str(pages.root_path) + "/translations",
        JSON_SORT_KEYS=False,
    )
    for name in ("settings", "vault", "sessions"):
        api.extensions[name] = pages.extensions[name]
    Babel(api, locale_selector=problem_documents.language)
    responses.init(api)
    authentication.init(api)
    for module in (places, inspecting, findings, holes, changes, documents, sensors, webhooks, audit, reporting):
        api.register_blueprint(module.bp)
    api.spec_processor(document.complete)
    return api
