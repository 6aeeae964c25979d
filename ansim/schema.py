"""
Check decoded JSON against a table, and say everything that is wrong at once.

A rule is a function `rule(value, where, problems)`; the functions here make rules:

    sensor = record({"name": text(32), "channel": whole(1, 13), "note?": text(80)})
    problems = check(sensor, {"name": "hall"})      # ["channel is missing"]

A "?" after a field's name makes it optional. Values never appear in a problem, because
they may be secrets.
"""


def check(rule, value) -> list:
    """Return what is wrong with `value` as a list of sentences; empty if nothing is."""
    problems = []
    rule(value, "", problems)
    return problems


def whole(low, high):
    """A whole number low..high; True and False are not numbers."""

    def rule(value, where, problems):
        if type(value) is not int:
            problems.append("%s should be a whole number, is %s" % (where or "it", type(value).__name__))
        elif not low <= value <= high:
            problems.append("%s should be %d..%d" % (where or "it", low, high))

    return rule


def text(longest, shortest=0):
    """A string of shortest..longest characters."""

    def rule(value, where, problems):
        if type(value) is not str:
            problems.append("%s should be text, is %s" % (where or "it", type(value).__name__))
        elif not shortest <= len(value) <= longest:
            problems.append("%s should be %d..%d characters long" % (where or "it", shortest, longest))

    return rule


def hexadecimal(digits):
    """Exactly so many lower-case hex digits; 0 digits means the empty string is good too."""

    def rule(value, where, problems):
        good = type(value) is str and len(value) == digits and all(c in "0123456789abcdef" for c in value)
        if not good:
            problems.append("%s should be %d hex digits, lower case" % (where or "it", digits))

    return rule


def address(value, where, problems):
    """A hardware address: "c0:ff:ee:00:00:01"."""
    good = type(value) is str and len(value) == 17
    if good:
        for index, c in enumerate(value):
            if (c != ":") if index % 3 == 2 else (c not in "0123456789abcdef"):
                good = False
    if not good:
        problems.append("%s should be an address such as c0:ff:ee:00:00:01" % (where or "it"))


def true_or_false(value, where, problems):
    """True or False."""
    if value is not True and value is not False:
        problems.append("%s should be true or false, is %s" % (where or "it", type(value).__name__))


def one_of(*choices):
    """One of the given values."""

    def rule(value, where, problems):
        if type(value) is bool or value not in choices:
            wanted = ", ".join(str(choice) for choice in choices)
            problems.append("%s should be one of %s" % (where or "it", wanted))

    return rule


def maybe(inner):
    """None, or what `inner` accepts."""

    def rule(value, where, problems):
        if value is not None:
            inner(value, where, problems)

    return rule


def either(first, second):
    """What one of the two rules accepts; the problems of the first are told."""

    def rule(value, where, problems):
        found = []
        first(value, where, found)
        if found:
            others = []
            second(value, where, others)
            if others:
                problems.extend(found)

    return rule


def items(inner, most, least=0):
    """A list of least..most items that `inner` accepts."""

    def rule(value, where, problems):
        if type(value) is not list:
            problems.append("%s should be a list, is %s" % (where or "it", type(value).__name__))
        elif not least <= len(value) <= most:
            problems.append("%s should have %d..%d items" % (where or "it", least, most))
        else:
            for index, item in enumerate(value):
                inner(item, "%s[%d]" % (where, index), problems)

    return rule


def row(*inner):
    """A list of fixed length, each place with its own rule."""

    def rule(value, where, problems):
        if type(value) is not list or len(value) != len(inner):
            problems.append("%s should be a list of %d" % (where or "it", len(inner)))
        else:
            for index, one in enumerate(inner):
                one(value[index], "%s[%d]" % (where, index), problems)

    return rule


def record(fields, others=False):
    """An object with these fields; others=True lets unknown fields pass, for newer senders."""

    def rule(value, where, problems):
        if type(value) is not dict:
            problems.append("%s should be an object, is %s" % (where or "it", type(value).__name__))
            return
        before = where + "." if where else ""
        known = []
        for name in fields:
            optional = name[-1] == "?"
            plain = name[:-1] if optional else name
            known.append(plain)
            if plain in value:
                fields[name](value[plain], before + plain, problems)
            elif not optional:
                problems.append("%s%s is missing" % (before, plain))
        if not others:
            for name in sorted(str(key) for key in value):
                if name not in known:
                    problems.append("%s%s is not known here" % (before, _printable(name)))

    return rule


def any_object(value, where, problems):
    """An object whose fields are checked later."""
    if type(value) is not dict:
        problems.append("%s should be an object, is %s" % (where or "it", type(value).__name__))


def _printable(name):
    """A sender's own words as they may stand in a log: one line, not long."""
    return "".join([c if c == "_" or "a" <= c.lower() <= "z" or "0" <= c <= "9" else "?" for c in name[:40]])
