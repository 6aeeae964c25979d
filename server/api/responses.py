"""Responses of the API: problem documents (RFC 9457), pages of a list, answers of repeated POST requests."""

import hashlib
from collections.abc import Callable
from typing import Any

from apiflask import APIFlask
from flask import Response, current_app, g, make_response, request
from flask_babel import force_locale
from pydantic import BaseModel
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException

from server import problem_documents, wording
from server.models.people import User
from server.services import errors, idempotency, paging
from server.services.audit import seen

KEY_HEADER = "Idempotency-Key"
MAX_LIMIT = 200

Work = tuple[BaseModel, int, str]  # the answer, its status, and the address of what was made or ""


class Problem(Exception):
    """Makes the response a problem document. `code` is stable, `detail` is for people, `values` for programs."""

    def __init__(self, status: int, code: str, detail: str, values: dict | None = None):
        super().__init__(code)
        self.status, self.code, self.detail, self.values = status, code, detail, values or {}


def init(api: APIFlask) -> None:
    """Make every error of the application a problem document."""
    api.before_request(_check_address)
    api.error_processor(_invalid)  # first: it claims all HTTP errors
    # Such as a body of a hundred thousand brackets.
    api.register_error_handler(
        RecursionError, lambda _error: problem_documents.document(400, "bad_request", "Nested too deeply.")
    )
    api.register_error_handler(
        Problem, lambda error: problem_documents.document(error.status, error.code, error.detail, error.values)
    )
    api.register_error_handler(
        errors.NotFound, lambda _error: problem_documents.document(404, "not_found", "There is no such thing here.")
    )
    api.register_error_handler(
        paging.BadCursor,
        lambda _error: problem_documents.document(
            400, "cursor_bad", "This cursor did not come from a `next` of ours.", {}
        ),
    )
    api.register_error_handler(errors.Refused, _refused)
    api.register_error_handler(errors.ChangedMeanwhile, _changed)
    api.after_request(_tag)
    api.register_error_handler(HTTPException, problem_documents.from_http)
    api.register_error_handler(
        500, lambda _error: problem_documents.document(500, "broken", "Something is broken on this server.")
    )


def language() -> str:
    """Return "ko" if the request prefers Korean, else "en"."""
    return request.accept_languages.best_match(("en", "ko")) or "en"


def _check_address():
    # PostgreSQL cannot store this character.
    if "\0" in request.path or "%00" in request.query_string.decode("latin-1"):
        raise Problem(400, "bad_request", "The address holds a character that cannot be stored.")


def _refused(error):
    with force_locale(language()):
        detail = wording.refusal(error.code, error.values)
    return problem_documents.document(409, error.code, detail, error.values)


def _changed(error):
    changes = [{"kind": change.kind, "at_s": change.at_s, "by": change.by} for change in error.changes]
    detail = "Others have changed this since the state that If-Match names. Read it again."
    return problem_documents.document(412, "changed_meanwhile", detail, {"changes": changes})


def _tag(response: Response) -> Response:
    """Name the state that an answer about one object shows: the newest entry of the log before it was read."""
    if request.method == "GET" and request.view_args and response.status_code == 200:
        response.set_etag(str(g.newest_entry))
    return response


def _state_seen() -> int | None:
    """Return the state that If-Match names; None without one."""
    tags = request.if_match
    if not tags or tags.star_tag:
        return None
    numbers = [tag for tag in tags.as_set() if tag and tag.isascii() and tag.isdigit() and len(tag) <= 15]
    if len(numbers) != 1 or len(tags) != 1:
        raise Problem(400, "tag_bad", "If-Match holds the ETag of one answer.")
    return int(numbers[0])


def _invalid(error):
    """Return the document of APIFlask's own errors: input that does not match the schema."""
    detail = error.detail if isinstance(error.detail, dict) else {}
    rows = [
        {"in": place, "field": field, "problem": str(text)}
        for place, fields in detail.items()
        if isinstance(fields, dict)
        for field, texts in fields.items()
        for text in (texts if isinstance(texts, list) else [texts])
    ]
    return problem_documents.document(
        error.status_code, "not_valid", str(error.message), {"errors": rows} if rows else {}
    )


def page_out(rows: paging.Page, row_out: Callable[[Any], dict]) -> dict:
    """Return the JSON of a page of a list; row_out(row) is a row's JSON."""
    return {"items": [row_out(row) for row in rows.rows], "next": rows.next}


def once(user: User, work: Callable[[Session], Work]) -> Response:
    """
    Do a POST's work, or return the first answer again if it is repeated with the same idempotency key.

    work  takes a session that writes

    If the request has If-Match, a change of others since that state is answered with 412.
    """
    key = request.headers.get(KEY_HEADER)
    if key is not None and not (1 <= len(key) <= idempotency.MAX_KEY and key.isascii() and key.isprintable()):
        raise Problem(400, "key_bad", f"{KEY_HEADER} has 1 to {idempotency.MAX_KEY} printable ASCII characters.")
    content = f"{request.method} {request.path}\n".encode() + request.get_data(cache=True)
    with seen.form(_state_seen()), current_app.extensions["sessions"].begin() as session:
        kept = None
        if key is not None:
            kept = idempotency.begin(session, user, key, hashlib.sha256(content).hexdigest())
            if kept.status:
                return _answer(kept.body, kept.status, kept.location, again=True)
        model, status, location = work(session)
        body = model.model_dump_json().encode()
        if kept is not None:
            kept.status, kept.body, kept.location = status, body, location
    return _answer(body, status, location)


def _answer(body: bytes, status: int, location: str, again: bool = False) -> Response:
    answer = make_response(body, status)
    answer.content_type = "application/json"
    if location:
        answer.headers["Location"] = location
    if again:
        answer.headers["Idempotency-Replayed"] = "true"
    return answer


def complete_document(document: dict | str) -> dict:
    """Add to the OpenAPI document what all operations share: the token, the problems, the idempotency key."""
    assert isinstance(document, dict), "APIFlask makes a text only if the format is YAML"
    problem = {
        "description": "A problem document",
        "content": {problem_documents.MEDIA_TYPE: {"schema": _ref("Problem")}},
    }
    document.setdefault("components", {}).setdefault("schemas", {})["Problem"] = {
        "type": "object",
        "required": ["type", "title", "status", "detail", "code", "values"],
        "properties": {
            **{name: {"type": "string"} for name in ("type", "title", "detail", "code")},
            "status": {"type": "integer"},
            "values": {"type": "object"},
        },
    }
    document["security"] = [{"token": []}]
    for operations in document.get("paths", {}).values():
        for method, operation in operations.items():
            codes = ["400", "401", "403", "404", "413", "422"] + ["409", "412"] * (method == "post")
            for code in codes:
                operation["responses"][code] = problem
            if method == "post":
                operation["responses"].pop("200", None)
                schema = {"type": "string", "minLength": 1, "maxLength": idempotency.MAX_KEY, "pattern": "^[!-~]+$"}
                key = {"name": KEY_HEADER, "in": "header", "required": False, "schema": schema}
                state = {"name": "If-Match", "in": "header", "required": False, "schema": {"type": "string"}}
                operation.setdefault("parameters", []).extend([key, state])
    return document


def _ref(name):
    return {"$ref": f"#/components/schemas/{name}"}
