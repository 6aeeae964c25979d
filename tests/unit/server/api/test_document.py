"""The OpenAPI document, tried by schemathesis: whatever is sent, no answer is a broken server's."""

import re

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from server.models.outside import KINDS, TEST
from server.models.places import BLOCKS
from server.services.sensors import fleet
from tests.unit.server.api.conftest import BASE

CHECKS = (not_a_server_error, content_type_conformance, response_schema_conformance)
EXAMPLES = 12  # an operation


@pytest.fixture
def document(app):
    return app.test_client().get(f"{BASE}/openapi.json").json


def test_it_is_openapi_3_1_and_every_reference_leads_somewhere(document):
    schemas = document["components"]["schemas"]

    assert document["openapi"] == "3.1.0" and document["security"] == [{"token": []}]
    assert len(document["paths"]) >= 17
    for name in references(document):
        assert name.removeprefix("#/components/schemas/") in schemas, name
    ids = [one["operationId"] for path in document["paths"].values() for one in path.values()]
    assert len(ids) == len(set(ids))


def test_it_is_valid_by_the_specification_s_own_schema(document):
    OPENAPI_31_VALIDATOR.validate(document)  # raises and says where
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert jsonschema_rs.meta.is_valid(_schema_of(operation, document)), (method, path)
            given = set(re.findall(r"{(\w+)}", path))
            told = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
            assert given == told, (method, path)


def _schema_of(operation, document):
    """A schema of what an operation takes and answers, references and all."""
    taken = [one["schema"] for one in operation.get("parameters", [])]
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    for one in [*bodies, *operation["responses"].values()]:
        taken += [content["schema"] for content in one.get("content", {}).values()]
    return {"allOf": taken, "components": document["components"]}


def test_each_model_has_one_component_named_as_its_title(document):
    schemas = document["components"]["schemas"]

    assert all("." not in name and schema["title"] == name for name, schema in schemas.items())
    titles = [schema["title"] for schema in schemas.values()]
    assert len(titles) == len(set(titles))


def test_every_operation_names_its_limit_and_the_enumerations_are_closed(document):
    schemas = document["components"]["schemas"]

    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert "Retry-After" in operation["responses"]["429"]["headers"], (method, path)
    assert schemas["RestroomOut"]["properties"]["block"]["enum"] == list(BLOCKS)
    assert schemas["SensorOut"]["properties"]["status"]["enum"] == list(fleet.STATES)
    assert document["paths"]["/api/v1/claims"]["post"]["security"] == []
    kinds = schemas["NotificationOut"]["properties"]["kind"]["enum"]
    assert document["webhooks"]["notifications"]["post"] and kinds == [*KINDS, TEST]


def references(part):
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_whatever_is_sent_is_answered_as_documented(app, program, say, room):
    ask = program("admin")
    running = ask.post("/inspections", {"restroom": room, "sensors": ["demo-1"]}).json
    say.finding("demo-1", running["id"])
    api = schemathesis.openapi.from_wsgi(f"{BASE}/openapi.json", app)
    headers = {"Authorization": f"Bearer {ask._token}"}
    tried = 0
    for result in api.get_all_operations():
        operation = result.ok()  # pyright: ignore[reportAttributeAccessIssue] an invalid schema fails the test

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType] its metaclass is not typed as iterable,
        )
        def try_it(case):
            case.call_and_validate(headers=headers, checks=CHECKS)

        _given(operation, try_it)
        tried += 1

    assert tried >= 17


def _given(operation, function):
    from hypothesis import given

    given(case=operation.as_strategy())(function)()
