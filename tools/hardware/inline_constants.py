"""
Constants put in place of their names, for code that is frozen into an interpreter's image.

    sources = inlined({"firmware/network/clock.py": "...", ...})     # the same files, the same lines

A name at the top of a module takes heap on a board: 16 bytes where it is defined and again in each module
that imports it (half of that with 32 bits), and the program has some hundred numbers and words of that kind.
mpy-cross leaves out only what is called _NAME and wrapped in const(), and only within one module.

Replaced is a name in capitals that is given a number, a text or a short tuple of them once, at the top of a module, wherever it
is used by its bare name or as module.NAME. A definition goes when nobody is left who could ask for it; it stays
when it is asked for in a way that cannot be followed, as boards' pins are (`board.LED`). Lines keep their
numbers, so what a crash says still points into the source.
"""

import ast
import re
from pathlib import PurePosixPath

_LONGEST_TUPLE = 200  # characters: it comes again wherever it is used, though in the flash only
_NAME = re.compile(r"_?[A-Z][A-Z0-9_]*$")
_OPERATORS = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.LShift: lambda a, b: a << b,
    ast.BitOr: lambda a, b: a | b,
}


class _Unknown(Exception):
    """Not a number or text that can be told from the source."""


class _Module:
    """One file: what its top defines and imports, and what else gives a value to a name."""

    def __init__(self, path, source):
        self.name = _dotted(path)
        self.tree = ast.parse(source)
        self.lines = source.splitlines(keepends=True)
        self.constants = {}
        self.definitions = []  # (statement, names) of constants
        self.imports = []  # (statement, module it names) of every `from ... import`
        self.taken = {}  # local name -> (module, name) it was imported as
        self.aliases = {}  # local name -> module
        self.stores = {}  # name -> how often anything gives it a value
        for node in ast.walk(self.tree):
            for name in _stored(node):
                self.stores[name] = self.stores.get(name, 0) + 1

    def import_from(self, names):
        """Sort out what `from a.b import c` brings: a module or a name. names: all modules there are."""
        for node in ast.walk(self.tree):
            if not isinstance(node, ast.ImportFrom) or not node.module:
                continue
            self.imports.append(node)
            for one in node.names:
                local = one.asname or one.name
                if f"{node.module}.{one.name}" in names:
                    self.aliases[local] = f"{node.module}.{one.name}"
                else:
                    self.taken[local] = (node.module, one.name)


def inline_constants(sources: dict[str, str], asked: tuple = ()) -> dict[str, str]:
    """
    Return the sources with constants in place of their names.

    sources  {path below the import root, with slashes: text} of everything that may ask for a constant
    asked    names that others ask for as well, so that their definitions stay
    """
    modules = {_dotted(path): _Module(path, text) for path, text in sources.items()}
    for one in modules.values():
        one.import_from(modules)
    while any(_define(one, modules) for one in modules.values()):  # constants may be made of others' constants
        pass
    wanted = _asked_elsewhere(modules) | set(asked)
    return {path: _rewritten(modules[_dotted(path)], modules, wanted) for path in sources}


def _dotted(path):
    parts = PurePosixPath(path).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _stored(node):
    """Names that this node alone gives a value to."""
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        return [node.id]
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [(one.asname or one.name).split(".")[0] for one in node.names]
    if isinstance(node, ast.Global):
        return node.names * 2
    if isinstance(node, ast.ExceptHandler) and node.name:
        return [node.name]
    return []


def _define(module, modules):
    """Look for constants whose values are known by now; True if there is a new one."""
    found = False
    for statement in module.tree.body:
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            continue
        target = statement.targets[0]
        targets = target.elts if isinstance(target, ast.Tuple) else [target]
        names = [one.id for one in targets if isinstance(one, ast.Name) and _NAME.match(one.id)]
        if len(names) != len(targets) or names[0] in module.constants or any(module.stores[one] > 1 for one in names):
            continue
        try:
            values = _values(statement.value, module, modules) if isinstance(target, ast.Tuple) else None
            values = [_value(statement.value, module, modules)] if values is None else values
        except _Unknown:
            continue
        if len(values) == len(names):
            module.constants.update(zip(names, values, strict=True))
            module.definitions.append((statement, names))
            found = True
    return found


def _values(node, module, modules):
    """The values of (1, 2, "a") or of range(...), for a definition of several names."""
    if isinstance(node, ast.Tuple):
        return [_value(one, module, modules) for one in node.elts]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
        return list(range(*[_value(one, module, modules) for one in node.args]))
    raise _Unknown


def _value(node, module, modules):
    if isinstance(node, ast.Constant) and type(node.value) in (int, str):
        return node.value
    if isinstance(node, ast.Tuple):
        values = tuple(_value(one, module, modules) for one in node.elts)
        if len(repr(values)) <= _LONGEST_TUPLE:
            return values
        raise _Unknown
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_number(node.operand, module, modules)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _number(node.left, module, modules), _number(node.right, module, modules)
        return _OPERATORS[type(node.op)](left, right)
    value = _looked_up(node, module, modules)
    if value is None:
        raise _Unknown
    return value


def _number(node, module, modules):
    value = _value(node, module, modules)
    if type(value) is not int:
        raise _Unknown
    return value


def _looked_up(node, module, modules):
    """The constant that a name or module.NAME stands for, None if it is none."""
    found = _meant(node, module)
    return modules[found[0]].constants.get(found[1]) if found and found[0] in modules else None


def _meant(node, module):
    """Return (module, name) that an expression means for certain, else None."""
    if isinstance(node, ast.Name) and _NAME.match(node.id):
        if module.stores.get(node.id, 0) > 1:
            return None
        return module.taken.get(node.id, (module.name, node.id))
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        alias = node.value.id
        if alias in module.aliases and module.stores.get(alias, 0) == 1:
            return module.aliases[alias], node.attr
    return None


def _uses(module):
    """Yield every expression that may stand for a constant, and whether its text may be replaced."""
    inside_text = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.JoinedStr):
            inside_text.update(ast.walk(node))
    for node in ast.walk(module.tree):
        if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load):
            yield node, node not in inside_text


def _asked_elsewhere(modules):
    """Return the names, and (module, name), that are asked for in ways that are not replaced."""
    asked = set()
    for module in modules.values():
        for node, replaceable in _uses(module):
            found = _meant(node, module)
            if found and found[0] in modules and replaceable:
                continue
            asked.add(found if found else node.attr if isinstance(node, ast.Attribute) else (module.name, node.id))
        for name, number in module.stores.items():  # given a value twice: by whatever name it came
            if number > 1:
                asked.add(module.taken.get(name, (module.name, name)))
    return asked


def _rewritten(module, modules, asked):
    """Return the text of a module with constants in place, and what nobody needs gone."""
    edits = []
    for node, replaceable in _uses(module):
        value = _looked_up(node, module, modules)
        if value is not None and replaceable:
            edits.append((node, f"({value})" if type(value) is int and value < 0 else repr(value)))
    gone = [
        statement for statement, names in module.definitions if not any(_stays(module, one, asked) for one in names)
    ]
    edits = [edit for edit in edits if not any(_is_within(edit[0], statement) for statement in gone)]
    edits += [(statement, "pass") for statement in gone]
    needed = _needed_aliases(module, modules)
    for statement in module.imports:
        left = [one for one in statement.names if not _is_replaced(statement, one, module, modules, needed)]
        if len(left) < len(statement.names):
            words = ", ".join(f"{one.name} as {one.asname}" if one.asname else one.name for one in left)
            edits.append((statement, f"from {statement.module} import {words}" if left else "pass"))
    return _edited(module.lines, edits)


def _stays(module, name, asked):
    return name in asked or (module.name, name) in asked


def _needed_aliases(module, modules):
    """Return the names of modules that are asked for anything but constants."""
    replaced = set()
    needed = set()
    for node, replaceable in _uses(module):
        if isinstance(node, ast.Attribute) and replaceable and _looked_up(node, module, modules) is not None:
            replaced.add(node.value)
        elif isinstance(node, ast.Name) and node not in replaced:
            needed.add(node.id)
    return needed


def _is_replaced(statement, one, module, modules, needed):
    """True if this name of a `from ... import` is put in place everywhere."""
    local = one.asname or one.name
    if module.stores.get(local, 0) > 1:
        return False
    if local in module.aliases:
        return local not in needed
    return bool(_NAME.match(local)) and statement.module in modules and one.name in modules[statement.module].constants


def _is_within(node, statement):
    return statement.lineno <= node.lineno and node.end_lineno <= statement.end_lineno


def _edited(lines, edits):
    """Put new text where nodes are, the last one first; the lines keep their numbers."""
    lines = list(lines)
    for node, text in sorted(edits, key=lambda edit: (-edit[0].lineno, -edit[0].col_offset)):
        first, last = node.lineno - 1, node.end_lineno - 1
        # The columns of `ast` count bytes.
        before, after = lines[first].encode()[: node.col_offset].decode(), lines[last].encode()[node.end_col_offset :]
        lines[first] = before + text + after.decode()
        lines[first + 1 : last + 1] = ["\n"] * (last - first)
        if last > first:
            lines[last] = lines[last].rstrip("\n") + "\n"
    return "".join(lines)
