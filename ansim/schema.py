"""
Check decoded JSON against a schema and list every problem at once.

    SENSOR = {"name": ("text", 1, 32), "channel": ("int", 1, 13), "note?": ("text", 0, 80)}
    problems = check(SENSOR, {"name": "hall"})      # ["channel is missing"]

A schema is plain data, so other programs can read it too (server/ingest/fast_decode.py compiles it):

    {"name": schema, "name?": schema}  an object with these fields and no others; "?" marks an optional field
    ("int", low, high)                 a whole number low..high; true and false are not numbers
    ("number", low, high)              a whole or decimal number low..high
    ("text", shortest, longest)        a string, its length in characters
    ("hex", digits)                    exactly so many hexadecimal digits, lower case
    ADDRESS                            a hardware address: "c0:ff:ee:00:00:01"
    BOOL                               true or false
    ("one_of", (choice, ...))          one of these values
    ("nullable", schema)               null, or a value that the schema accepts
    ("either", first, second)          a value that one of two schemas accepts; problems are the first one's
    ("list", schema, least, most)      a list of least..most items
    ("row", (schema, ...))             a list of fixed length, each place with its own schema
    ANY_OBJECT                         an object whose fields are checked later

Values never appear in a problem, because they may be secrets.
"""

ADDRESS = ("address",)
BOOL = ("bool",)
ANY_OBJECT = ("any_object",)


def check(schema: dict | tuple, value: object, where: str = "") -> list:
    """
    Return the problems of `value` as a list of sentences; empty if there are none.

    where  name of the value in the sentences; "" for "it" and fields without a prefix
    """
    problems = []
    _check(schema, value, where, problems)
    return problems


def field_names(problems: list) -> str:
    """Return the names of the fields that the problems of check() are about, as "channel,seconds"."""
    return ",".join([problem.split(" ", 1)[0] for problem in problems])


def _check(schema, value, where, problems):
    if type(schema) is dict:
        _check_object(schema, value, where, problems)
        return
    kind = schema[0]
    if kind == "nullable":
        if value is not None:
            _check(schema[1], value, where, problems)
    elif kind == "either":
        first = check(schema[1], value, where)
        if first and check(schema[2], value, where):
            problems.extend(first)
    elif kind == "list":
        _check_list(schema, value, where, problems)
    elif kind == "row":
        _check_row(schema[1], value, where, problems)
    else:
        problem = _SCALARS[kind](schema, value)
        if problem:
            problems.append("%s should be %s" % (where or "it", problem))


def _check_object(fields, value, where, problems):
    if type(value) is not dict:
        problems.append("%s should be an object, is %s" % (where or "it", type(value).__name__))
        return
    prefix = where + "." if where else ""
    known = []
    for name in fields:
        optional = name[-1] == "?"
        key = name[:-1] if optional else name
        known.append(key)
        if key in value:
            _check(fields[name], value[key], prefix + key, problems)
        elif not optional:
            problems.append("%s%s is missing" % (prefix, key))
    for name in sorted(str(key) for key in value):
        if name not in known:
            problems.append("%s%s is not known here" % (prefix, _printable(name)))


def _check_list(schema, value, where, problems):
    _, item_schema, least, most = schema
    if type(value) is not list:
        problems.append("%s should be a list, is %s" % (where or "it", type(value).__name__))
    elif not least <= len(value) <= most:
        problems.append("%s should have %d..%d items" % (where or "it", least, most))
    else:
        for index, item in enumerate(value):
            _check(item_schema, item, "%s[%d]" % (where, index), problems)


def _check_row(schemas, value, where, problems):
    if type(value) is not list or len(value) != len(schemas):
        problems.append("%s should be a list of %d" % (where or "it", len(schemas)))
    else:
        for index, item_schema in enumerate(schemas):
            _check(item_schema, value[index], "%s[%d]" % (where, index), problems)


# Checks of single values: each returns how the sentence "it should be ..." ends, or None.


def _int_problem(schema, value):
    if type(value) is not int:
        return "a whole number, is " + type(value).__name__
    return None if schema[1] <= value <= schema[2] else "%d..%d" % schema[1:]


def _number_problem(schema, value):
    good = type(value) in (int, float) and schema[1] <= value <= schema[2]
    return None if good else "a number %s..%s" % schema[1:]


def _text_problem(schema, value):
    if type(value) is not str:
        return "text, is " + type(value).__name__
    return None if schema[1] <= len(value) <= schema[2] else "%d..%d characters long" % schema[1:]


def _hex_problem(schema, value):
    good = type(value) is str and len(value) == schema[1] and all(c in "0123456789abcdef" for c in value)
    return None if good else "%d hex digits, lower case" % schema[1]


def _address_problem(_schema, value):
    good = type(value) is str and len(value) == 17
    if good:
        for index, c in enumerate(value):
            if (c != ":") if index % 3 == 2 else (c not in "0123456789abcdef"):
                good = False
    return None if good else "an address such as c0:ff:ee:00:00:01"


def _bool_problem(_schema, value):
    return None if value is True or value is False else "true or false, is " + type(value).__name__


def _choice_problem(schema, value):
    good = type(value) is not bool and value in schema[1]
    return None if good else "one of " + ", ".join(str(choice) for choice in schema[1])


def _any_object_problem(_schema, value):
    return None if type(value) is dict else "an object, is " + type(value).__name__


_SCALARS = {
    "int": _int_problem,
    "number": _number_problem,
    "text": _text_problem,
    "hex": _hex_problem,
    "address": _address_problem,
    "bool": _bool_problem,
    "one_of": _choice_problem,
    "any_object": _any_object_problem,
}


def _printable(name):
    """Return an unknown field's name as it may stand in a diagnostic log: one line, at most 40 characters."""
    return "".join([c if c == "_" or "a" <= c.lower() <= "z" or "0" <= c <= "9" else "?" for c in name[:40]])
