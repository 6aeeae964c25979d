"""
The generated parts of docs/messages.md: tables of topics, fields, columns and values.

    text = fill(text)     # replaces what stands between <!-- generated: NAME --> and <!-- end -->
"""

import re

from ansim import settings
from server.wording import causes, rules, sensor_refusals
from server.wording.vocabulary import DETECTORS
from tools.message_reference import contents, descriptions

BEGIN, END = "<!-- generated: %s -->", "<!-- end -->"
_BLOCK = re.compile(r"(<!-- generated: ([^>]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fill(text: str) -> str:
    """Return the document with its generated parts made anew. Raises KeyError for an unknown part."""
    known = sections()
    return _BLOCK.sub(lambda match: f"{match[1]}\n{known[match[2]]}\n\n{match[3]}", text)


def section_names(text: str) -> list[str]:
    """Return the names of the generated parts of a document."""
    return [match[2] for match in _BLOCK.finditer(text)]


def sections() -> dict[str, str]:
    """Return {name: Markdown} of all generated parts."""
    made = {part.where: _fields(part) for part in contents.parts()}
    made["topics"] = _table(
        ("leaf", "written by", "retained", "QoS", "content"),
        [
            (f"`{leaf.name}`", leaf.writer, "yes" if leaf.retained else "no", leaf.qos, leaf.content)
            for leaf in contents.leaves()
        ],
    )
    made["evidence rules"] = _table(
        ("rule", "unit", "measures"),
        [(f"`{key}`", _unit(rule.form), str(rule.title)) for key, rule in rules.RULES.items()],
    )
    made["causes"] = _table(
        ("cause", "meaning"), [(f"`{key}`", str(cause.title)) for key, cause in causes.CAUSES.items()]
    )
    made["detectors"] = _table(("detector", "finds"), [(f"`{key}`", str(row.title)) for key, row in DETECTORS.items()])
    made["refusals"] = _table(
        ("code", "meaning"),
        [(f"`{code}`", str(text)) for code, text in sensor_refusals.SENSOR_REFUSALS.items() if code != "withdrawn"],
    )
    made["reset causes"] = _table(
        ("`cause`", "meaning"), [(f"`{key}`", text) for key, text in descriptions.RESET_CAUSES.items()]
    )
    made["checks"] = _table(
        ("check", "passes if", "value"),
        [(f"`{key}`", passes, value) for key, (passes, value) in descriptions.CHECKS.items()],
    )
    made["settings"] = _table(
        ("setting", "type"),
        [(f"`{name}`", type_text(schema)) for name, (schema, _) in settings.fields().items() if name != "device"],
    )
    return made


def type_text(schema: dict | tuple) -> str:
    """Return a schema in words, for a table."""
    if type(schema) is dict:
        return "object of " + ", ".join(f"`{name}`" for name in schema)
    kind = schema[0]
    if kind in ("int", "number"):
        return f"{'whole number' if kind == 'int' else 'number'} {schema[1]} to {schema[2]}"
    if kind == "text":
        return f"text, {schema[1]} to {schema[2]} characters"
    if kind == "hex":
        return f"{schema[1]} hex digits, lower case"
    if kind == "one_of":
        return " or ".join('`""`' if choice == "" else f"`{choice}`" for choice in schema[1])
    if kind == "nullable":
        return f"{type_text(schema[1])}, or null"
    if kind == "either":
        return f"{type_text(schema[1])}, or {type_text(schema[2])}"
    if kind == "list":
        return f"list of {schema[2]} to {schema[3]}: {type_text(schema[1])}"
    if kind == "row":
        return f"rows of {len(schema[1])} values"
    return {"address": "address `c0:ff:ee:00:00:01`", "bool": "true or false", "any_object": "object"}[kind]


def _fields(part: contents.Part) -> str:
    known = descriptions.FIELDS[part.where]
    if not part.schema:
        return "No arguments."
    rows = []
    for name, schema in part.schema.items():
        key = name.removesuffix("?")
        optional = "" if key == name else " (optional)"
        rows.append((f"`{key}`{optional}", type_text(schema), known[key]))
    text = _table(("field", "type", "meaning"), rows)
    for name in part.schema:
        path = f"{part.where}.{name.removesuffix('?')}"
        if path in descriptions.COLUMNS:
            text += f"\n\nA row of `{path.rpartition('.')[2]}`, in this order:\n\n" + _columns(
                part.schema[name][1], path
            )
        if path in descriptions.VALUES:
            values = descriptions.VALUES[path].items()
            text += "\n\n" + _table(
                (f"`{path.rpartition('.')[2]}`", "meaning"), [(f"`{key}`", value) for key, value in values]
            )
    return text


def _columns(schema: tuple, path: str) -> str:
    rows = zip(descriptions.COLUMNS[path], schema[1], strict=True)
    return _table(("column", "type", "meaning"), [(name, type_text(kind), text) for (name, text), kind in rows])


def _unit(form: str) -> str:
    return {"kbps": "kbit/s", "permille": "thousandths", "ppm": "parts per million", "flag": "0 or 1", "none": ""}.get(
        form, form
    )


def _table(head: tuple, rows: list[tuple]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)
