"""Responses of the API: problem documents (RFC 9457), pages of a list, answers of repeated POST requests."""

import hashlib
from collections.abc import Callable
from typing import Any

from apiflask import APIFlask
from flask import Response, current_app, g, make_response, request
from pydantic import BaseModel
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException

from server import problem_documents
from server.models.people import User
from server.services import errors, idempotency, paging
from server.services.audit import edit_conflicts

KEY_HEADER = "Idempotency-Key"
MAX_LIMIT = 200

Work = tuple[BaseModel, int, str]  # the answer, its status, and the address of what was made or ""


class Problem(Exception):
    """Makes the response a problem document; see problem_documents.document()."""

    def __init__(self, status: int, code: str, values: dict | None = None):
        super().__init__(code)
        self.status, self.code, self.values = status, code, values or {}


def init(api: APIFlask) -> None:
    """Make every error of the application a problem document."""
    api.before_request(_check_address)
    api.error_processor(_invalid)  # first: it claims all HTTP errors
    # Such as a body of a hundred thousand brackets.
    document = problem_documents.document
    api.register_error_handler(RecursionError, lambda _error: document(400, "nested_too_deeply"))
    api.register_error_handler(Problem, lambda error: document(error.status, error.code, error.values))
    api.register_error_handler(errors.NotFound, lambda _error: document(404, "not_found"))
    api.register_error_handler(paging.BadCursor, lambda _error: document(400, "cursor_bad"))
    api.register_error_handler(errors.Refused, lambda error: document(409, error.code, error.values))
    api.register_error_handler(errors.ChangedMeanwhile, _changed)
    api.after_request(_tag)
    api.register_error_handler(HTTPException, problem_documents.from_http)
    api.register_error_handler(500, lambda _error: document(500, "broken"))


def _check_address():
    # PostgreSQL cannot store this character.
    if "\0" in request.path or "%00" in request.query_string.decode("latin-1"):
        raise Problem(400, "not_storable")


def _changed(error):
    changes = [{"kind": change.kind, "at_s": change.at_s, "by": change.by} for change in error.changes]
    return problem_documents.document(412, "changed_meanwhile", {"changes": changes})


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
        raise Problem(400, "tag_bad")
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
    is_content = error.status_code in (400, 422)
    code = "not_valid" if is_content else problem_documents.CODES.get(error.status_code, "bad_request")
    return problem_documents.document(error.status_code, code, {"errors": rows} if rows else {})


def page_out(rows: paging.Page, row_out: Callable[[Any], dict]) -> dict:
    """Return the JSON of a page of a list; row_out(row) is a row's JSON."""
    return {"items": [row_out(row) for row in rows.rows], "next": rows.next}


def once(user: User, work: Callable[[Session], Work], secret: bool = False) -> Response:
    """
    Do a POST's work, or return the first answer again if it is repeated with the same idempotency key.

    work    takes a session that writes
    secret  the answer holds a secret, and is kept sealed

    If the request has If-Match, a change of others since that state is answered with 412.
    """
    key = request.headers.get(KEY_HEADER)
    if key is not None and not (1 <= len(key) <= idempotency.MAX_KEY and key.isascii() and key.isprintable()):
        raise Problem(400, "key_bad")
    content = f"{request.method} {request.path}\n".encode() + request.get_data(cache=True)
    with edit_conflicts.form(_state_seen()), current_app.extensions["sessions"].begin() as session:
        kept = None
        if key is not None:
            kept = idempotency.begin(session, user, key, hashlib.sha256(content).hexdigest())
            if kept.status:
                body = current_app.extensions["vault"].unseal(kept.body) if secret else kept.body
                return _answer(body, kept.status, kept.location, again=True)
        model, status, location = work(session)
        body = model.model_dump_json().encode()
        if kept is not None:
            kept.status, kept.location = status, location
            kept.body = current_app.extensions["vault"].seal(body) if secret else body
    return _answer(body, status, location)


def _answer(body: bytes, status: int, location: str, again: bool = False) -> Response:
    answer = make_response(body, status)
    answer.content_type = "application/json"
    if location:
        answer.headers["Location"] = location
    if again:
        answer.headers["Idempotency-Replayed"] = "true"
    return answer
