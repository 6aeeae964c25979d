"""
Problem documents (RFC 9457): the error answers of everything under /api.

    return problem_documents.document(404, "not_found")

One rule of language: `detail` is in the language that Accept-Language prefers, English or Korean, and English without
it. All else is for programs and the same in every language.
"""

import json

from flask import Response, make_response, request
from flask_babel import force_locale
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from server import wording
from server.wording import problems

MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "Bad request",
    401: "Not authorised",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Refused",
    410: "Not as received",
    412: "Changed meanwhile",
    413: "Too large",
    415: "Not JSON",
    422: "Not valid",
    429: "Too many requests",
    500: "Broken",
}
CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "not_json", 429: "too_many"}


def language() -> str:
    """Return the language of `detail`: "ko" if the request prefers Korean, else "en"."""
    return request.accept_languages.best_match(("en", "ko")) or "en"


def document(status: int, code: str, values: dict | None = None) -> Response:
    """
    Return a problem document.

    code    stable; a key of wording.problems.PROBLEMS, or a refusal's
    values  for programs; some sentences contain them
    """
    with force_locale(language()):
        known = code in problems.PROBLEMS
        detail = problems.problem(code, values or {}) if known else wording.refusal(code, values or {})
    body = {"type": f"urn:ansim:problem:{code}", "title": TITLES.get(status, "Error"), "status": status}
    answer = make_response(json.dumps({**body, "detail": detail, "code": code, "values": values or {}}), status)
    answer.content_type = MEDIA_TYPE
    if status == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="ansim"'
    return answer


def from_http(error: HTTPException) -> Response:
    """Return the document of one of werkzeug's errors, such as 405."""
    answer = document(error.code or 500, CODES.get(error.code or 500, "bad_request"))
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        answer.headers["Allow"] = ", ".join(error.valid_methods)
    return answer


def is_api_request() -> bool:
    """True for a request under /api, which gets problem documents instead of pages."""
    return request.path == "/api" or request.path.startswith("/api/")
