"""
JSON Schema (draft 7) of a schema of ansim/schema.py.

    json_schema(uplink_schemas.message("state"), "state")    # {"type": "object", "required": [...], ...}
"""

from tools.message_reference import descriptions

STORABLE_PATTERN = "^[^\\u0000]*$"  # decode.py refuses U+0000, which PostgreSQL cannot store
ADDRESS_PATTERN = "^[0-9a-f]{2}(:[0-9a-f]{2}){5}$"


def json_schema(schema: dict | tuple, where: str) -> dict:
    """
    Return the JSON Schema that accepts the same values.

    where  name of the value in descriptions.py: "state", "report sweep", "report sweep.channels"
    """
    if type(schema) is dict:
        return object_schema(schema, where)
    return _KINDS[schema[0]](schema, where)


def object_schema(fields: dict, where: str) -> dict:
    """Return the JSON Schema of an object with these fields and no others."""
    properties, required = {}, []
    for name, field_schema in fields.items():
        key = name.removesuffix("?")
        if key == name:
            required.append(key)
        value = json_schema(field_schema, f"{where}.{key}")
        text = descriptions.FIELDS.get(where, {}).get(key)
        properties[key] = {**value, "description": text.replace("`", "")} if text else value
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


def _nullable(schema, where):
    value = json_schema(schema[1], where)
    return {**value, "type": [value["type"], "null"]}


def _list(schema, where):
    return {"type": "array", "items": json_schema(schema[1], where), "minItems": schema[2], "maxItems": schema[3]}


def _row(schema, where):
    columns = descriptions.COLUMNS[where]
    items = [
        {"title": name, **json_schema(column, ""), "description": text.replace("`", "")}
        for (name, text), column in zip(columns, schema[1], strict=True)
    ]
    count = len(items)
    return {"type": "array", "items": items, "additionalItems": False, "minItems": count, "maxItems": count}


def _one_of(schema, _where):
    choices = list(schema[1])
    return {"type": "string" if isinstance(choices[0], str) else "integer", "enum": choices}


_KINDS = {
    "int": lambda schema, _where: {"type": "integer", "minimum": schema[1], "maximum": schema[2]},
    "number": lambda schema, _where: {"type": "number", "minimum": schema[1], "maximum": schema[2]},
    "text": lambda schema, _where: {
        "type": "string",
        "minLength": schema[1],
        "maxLength": schema[2],
        "pattern": STORABLE_PATTERN,
    },
    "hex": lambda schema, _where: {"type": "string", "pattern": f"^[0-9a-f]{{{schema[1]}}}$"},
    "address": lambda _schema, _where: {"type": "string", "pattern": ADDRESS_PATTERN},
    "bool": lambda _schema, _where: {"type": "boolean"},
    "any_object": lambda _schema, _where: {"type": "object"},
    "one_of": _one_of,
    "nullable": _nullable,
    "either": lambda schema, where: {"anyOf": [json_schema(part, where) for part in schema[1:]]},
    "list": _list,
    "row": _row,
}
