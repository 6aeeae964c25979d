"""
The OpenAPI document: what APIFlask derives from the operations, made usable for generators of clients.

    api.spec_processor(document.complete)

Each model has one component, named as its class: APIFlask's own names, such as `RestroomPage.RestroomOut`, contain a
dot, and generators mistake them for the model before the dot. Added here are what all operations share (problems,
limits, idempotency key), the operation for boards that claim a key, and the webhooks that the server sends.
"""

from typing import Any

from pydantic import BaseModel

from server import problem_documents
from server.api import schemas
from server.api.responses import KEY_HEADER
from server.services import idempotency
from server.services.outside.webhooks import SIGNATURE_HEADER

CLAIMS = "/api/v1/claims"
# Bodies of requests, by model; a test sends each of them.
EXAMPLES = {
    "Start": {"restroom": "8m2kq7xw", "sensors": ["hall-1"], "people": [{"name": "Kim", "agency": "Police"}]},
    "AnswersIn": {"stall": 0, "answers": {"ceiling": {"answer": "ok"}}},
    "StepIn": {"method": "lens", "outcome": "none_found"},
    "ResultIn": {"result": "not_completed", "reason": "A stall was locked"},
    "DispositionIn": {"kind": "false", "reason": "A loudspeaker"},
    "CommandIn": {"name": "dwell", "channel": 6, "seconds": 30},
    "MoveIn": {"organisation": "k3v9h2m7qd"},
    "MaintenanceIn": {"name": "settings", "changes": {"upload_every_s": 30}},
    "WebhookIn": {"name": "Control room", "url": "https://1.1.1.1/hook", "kinds": ["finding_new"]},
}
_COMPONENT = "#/components/schemas/"
_PROBLEM = {
    "description": "A problem document",
    "content": {problem_documents.MEDIA_TYPE: {"schema": {"$ref": _COMPONENT + "Problem"}}},
}
_TOO_MANY = {
    **_PROBLEM,
    "description": "Too many requests",
    "headers": {"Retry-After": {"description": "seconds to wait", "schema": {"type": "integer", "minimum": 1}}},
}


def complete(document: dict | str) -> dict:
    """Return the document with the above; a spec processor of APIFlask."""
    assert isinstance(document, dict), "APIFlask makes a text only if the format is YAML"
    models = document.setdefault("components", {}).setdefault("schemas", {})
    names = {name: name.rpartition(".")[2] for name in models}
    made: dict = _renamed(document, names)
    made["components"]["schemas"] = _flattened(models, names)
    for model in (schemas.ProblemOut, schemas.ClaimIn, schemas.ClaimOut, schemas.WebhookBody):
        _add_model(made, model)
    made["components"]["schemas"]["Problem"] = made["components"]["schemas"].pop("ProblemOut") | {"title": "Problem"}
    for name, example in EXAMPLES.items():
        made["components"]["schemas"][name]["examples"] = [example]
    made["security"] = [{"token": []}]
    for operations in made.get("paths", {}).values():
        for method, operation in operations.items():
            _complete_operation(method, operation)
    made["paths"][CLAIMS] = {"post": _claim()}
    made["webhooks"] = {"notifications": {"post": _webhook()}}
    return made


def _complete_operation(method: str, operation: dict) -> None:
    changes = method != "get"
    codes = ["400", "401", "403", "404", "413", "422"] + ["409", "412"] * changes
    operation["responses"].update(dict.fromkeys(codes, _PROBLEM))
    operation["responses"]["429"] = _TOO_MANY
    if method == "post":
        operation["responses"].pop("200", None)
        schema = {"type": "string", "minLength": 1, "maxLength": idempotency.MAX_KEY, "pattern": "^[!-~]+$"}
        key = {"name": KEY_HEADER, "in": "header", "required": False, "schema": schema}
        state = {"name": "If-Match", "in": "header", "required": False, "schema": {"type": "string"}}
        operation.setdefault("parameters", []).extend([key, state])


def _flattened(models: dict, names: dict) -> dict:
    """Return the models by their own names, without titles of fields, which generators take for class names."""
    found: dict[str, Any] = {}
    for name, model in models.items():
        own = names[name]
        model = {**_renamed(_without_titles(model), names), "title": own}
        if found.setdefault(own, model) != model:
            raise ValueError(f"two different models are called {own}")
    return found


def _renamed(part: Any, names: dict) -> Any:
    if isinstance(part, dict):
        return {
            key: _COMPONENT + names[value.removeprefix(_COMPONENT)]
            if key == "$ref" and value.removeprefix(_COMPONENT) in names
            else _renamed(value, names)
            for key, value in part.items()
        }
    return [_renamed(item, names) for item in part] if isinstance(part, list) else part


def _without_titles(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            # `properties` holds names of fields, one of which may be "title"
            key: {name: _without_titles(field) for name, field in value.items()}
            if key == "properties"
            else _without_titles(value)
            for key, value in schema.items()
            if key != "title" or not isinstance(value, str)
        }
    return [_without_titles(item) for item in schema] if isinstance(schema, list) else schema


def _add_model(document: dict, model: type[BaseModel]) -> None:
    schema = model.model_json_schema(ref_template=_COMPONENT + "{model}")
    inner = schema.pop("$defs", {})
    names = {name: name for name in (*inner, model.__name__)}
    document["components"]["schemas"] |= _flattened({**inner, model.__name__: schema}, names)


def _json(model: str) -> dict:
    return {"application/json": {"schema": {"$ref": _COMPONENT + model}}}


def _claim() -> dict:
    codes = dict.fromkeys(("400", "403", "409", "413"), _PROBLEM)
    return {
        "operationId": "post_claims_redeem",
        "tags": ["Claims"],
        "summary": "Enrol a board as a sensor with a claim code.",
        "description": "Needs no token: the claim code is valid once, for 30 minutes. The key is shown only here.",
        "security": [],
        "requestBody": {"required": True, "content": _json("ClaimIn")},
        "responses": {"201": {"description": "Enrolled", "content": _json("ClaimOut")}, **codes, "429": _TOO_MANY},
    }


def _webhook() -> dict:
    signature = {
        "name": SIGNATURE_HEADER,
        "in": "header",
        "required": True,
        "description": "t=<seconds>,v1=<hex HMAC-SHA256 of '<t>.' and the body, with the subscription's key as text>",
        "schema": {"type": "string"},
    }
    return {
        "operationId": "webhook_notifications",
        "summary": "Notifications, sent to the address of a subscription; at least once, in no particular order.",
        "security": [],
        "parameters": [signature],
        "requestBody": {"required": True, "content": _json("WebhookBody")},
        "responses": {"2XX": {"description": "Taken; any other status counts as failed and is tried again"}},
    }
