"""
Replace constants by their values in code that is frozen into an interpreter's image.

    sources = inline_constants({"firmware/network/clock.py": "...", ...})     # the same files, the same lines

A name at the top of a module takes heap on a board: 16 bytes where it is defined and again in each module
that imports it (half of that with 32 bits), and the program has some hundred constants. mpy-cross removes
only names that are called _NAME and wrapped in const(), and only within one module.

A constant is a name in capitals that is assigned a number, a text or a short tuple of them once, at the top of
a module. Every use as NAME or module.NAME is replaced. The definition is removed when no use is left; it stays
when the name is used in a way that cannot be resolved, as the boards' pins are (`board.LED`). Lines keep their
numbers, so a traceback still points into the source.
"""

import ast
import re
from pathlib import PurePosixPath

_LONGEST_TUPLE = 200  # characters: it is repeated at every use, though only in flash
_NAME = re.compile(r"_?[A-Z][A-Z0-9_]*$")
Value = int | str | tuple
_OPERATORS = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.LShift: lambda a, b: a << b,
    ast.BitOr: lambda a, b: a | b,
}


class _Unknown(Exception):
    """The value cannot be determined from the source."""


class _Module:
    """One file: its constants and imports, and how often each name is assigned."""

    def __init__(self, path, source):
        self.name = _dotted(path)
        self.tree = ast.parse(source)
        self.lines = source.splitlines(keepends=True)
        self.constants: dict[str, Value] = {}
        self.definitions: list[tuple[ast.Assign, list[str]]] = []  # of constants, with their names
        self.imports: list[ast.ImportFrom] = []
        self.imported: dict[str, tuple[str, str]] = {}  # local name -> (module, name)
        self.aliases: dict[str, str] = {}  # local name -> module
        self.stores: dict[str, int] = {}  # name -> number of assignments of any kind
        for node in ast.walk(self.tree):
            for name in _stored(node):
                self.stores[name] = self.stores.get(name, 0) + 1

    def resolve_imports(self, module_names):
        """Record for each `from a.b import c` whether it imports a module or a name."""
        for node in ast.walk(self.tree):
            if not isinstance(node, ast.ImportFrom) or not node.module:
                continue
            self.imports.append(node)
            for alias in node.names:
                local = alias.asname or alias.name
                if f"{node.module}.{alias.name}" in module_names:
                    self.aliases[local] = f"{node.module}.{alias.name}"
                else:
                    self.imported[local] = (node.module, alias.name)


def inline_constants(sources: dict[str, str], kept_names: tuple[str, ...] = ()) -> dict[str, str]:
    """
    Return the sources with constants replaced by their values.

    sources     {path below the import root, with slashes: text} of all files that may use a constant
    kept_names  names that are used from elsewhere too, so that their definitions stay
    """
    modules = {_dotted(path): _Module(path, text) for path, text in sources.items()}
    for module in modules.values():
        module.resolve_imports(modules)
    # A constant may be made of constants of other modules, so repeat until there are no new ones.
    while any(_find_constants(module, modules) for module in modules.values()):
        pass
    needed = _unresolved_uses(modules) | set(kept_names)
    return {path: _rewrite(modules[_dotted(path)], modules, needed) for path in sources}


def _dotted(path):
    parts = PurePosixPath(path).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _stored(node):
    """Return the names that this node itself assigns."""
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        return [node.id]
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [(alias.asname or alias.name).split(".")[0] for alias in node.names]
    if isinstance(node, ast.Global):
        return node.names * 2
    if isinstance(node, ast.ExceptHandler) and node.name:
        return [node.name]
    return []


def _find_constants(module, modules):
    """Find constants whose values are known by now; return True if there is a new one."""
    has_new = False
    for statement in module.tree.body:
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            continue
        target = statement.targets[0]
        targets = target.elts if isinstance(target, ast.Tuple) else [target]
        names = [name.id for name in targets if isinstance(name, ast.Name) and _NAME.match(name.id)]
        if len(names) != len(targets) or names[0] in module.constants or any(module.stores[name] > 1 for name in names):
            continue
        try:
            values = _values(statement.value, module, modules) if isinstance(target, ast.Tuple) else None
            values = [_value(statement.value, module, modules)] if values is None else values
        except _Unknown:
            continue
        if len(values) == len(names):
            module.constants.update(zip(names, values, strict=True))
            module.definitions.append((statement, names))
            has_new = True
    return has_new


def _values(node, module, modules) -> list[Value]:
    """Return the values of (1, 2, "a") or of range(...), for an assignment to several names."""
    if isinstance(node, ast.Tuple):
        return [_value(element, module, modules) for element in node.elts]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
        return list(range(*[_number(argument, module, modules) for argument in node.args]))
    raise _Unknown


def _value(node, module, modules) -> Value:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, str)) and not isinstance(node.value, bool):
        return node.value
    if isinstance(node, ast.Tuple):
        values = tuple(_value(element, module, modules) for element in node.elts)
        if len(repr(values)) <= _LONGEST_TUPLE:
            return values
        raise _Unknown
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_number(node.operand, module, modules)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _number(node.left, module, modules), _number(node.right, module, modules)
        return _OPERATORS[type(node.op)](left, right)
    value = _constant(node, module, modules)
    if value is None:
        raise _Unknown
    return value


def _number(node, module, modules) -> int:
    value = _value(node, module, modules)
    if not isinstance(value, int):
        raise _Unknown
    return value


def _constant(node, module, modules):
    """Return the value of the constant that a name or module.NAME refers to, None if it is no constant."""
    target = _resolve(node, module)
    return modules[target[0]].constants.get(target[1]) if target and target[0] in modules else None


def _resolve(node, module):
    """Return the (module, name) that an expression certainly refers to, else None."""
    if isinstance(node, ast.Name) and _NAME.match(node.id):
        if module.stores.get(node.id, 0) > 1:
            return None
        return module.imported.get(node.id, (module.name, node.id))
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        alias = node.value.id
        if alias in module.aliases and module.stores.get(alias, 0) == 1:
            return module.aliases[alias], node.attr
    return None


def _uses(module):
    """Yield every expression that may refer to a constant, and whether its source text may be replaced."""
    in_f_strings = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.JoinedStr):
            in_f_strings.update(ast.walk(node))
    for node in ast.walk(module.tree):
        if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load):
            yield node, node not in in_f_strings


def _unresolved_uses(modules):
    """Return the names, and (module, name), that are used in ways that are not replaced."""
    used = set()
    for module in modules.values():
        for node, replaceable in _uses(module):
            target = _resolve(node, module)
            if target and target[0] in modules and replaceable:
                continue
            used.add(target if target else node.attr if isinstance(node, ast.Attribute) else (module.name, node.id))
        for name, count in module.stores.items():  # a name assigned twice is never replaced
            if count > 1:
                used.add(module.imported.get(name, (module.name, name)))
    return used


def _rewrite(module, modules, needed):
    """Return the text of a module with constants replaced, and unneeded definitions and imports removed."""
    edits = []
    for node, replaceable in _uses(module):
        value = _constant(node, module, modules)
        if value is not None and replaceable:
            edits.append((node, f"({value})" if isinstance(value, int) and value < 0 else repr(value)))
    removed = [
        statement
        for statement, names in module.definitions
        if not any(name in needed or (module.name, name) in needed for name in names)
    ]
    edits = [edit for edit in edits if not any(_is_within(edit[0], statement) for statement in removed)]
    edits += [(statement, "pass") for statement in removed]
    aliases = _needed_aliases(module, modules)
    for statement in module.imports:
        kept = [alias for alias in statement.names if not _is_replaced(statement, alias, module, modules, aliases)]
        if len(kept) < len(statement.names):
            names = ", ".join(f"{alias.name} as {alias.asname}" if alias.asname else alias.name for alias in kept)
            edits.append((statement, f"from {statement.module} import {names}" if kept else "pass"))
    return _apply(module.lines, edits)


def _needed_aliases(module, modules):
    """Return the local names of modules that are used for more than constants."""
    replaced = set()
    needed = set()
    for node, replaceable in _uses(module):
        if isinstance(node, ast.Attribute) and replaceable and _constant(node, module, modules) is not None:
            replaced.add(node.value)
        elif isinstance(node, ast.Name) and node not in replaced:
            needed.add(node.id)
    return needed


def _is_replaced(statement, alias, module, modules, needed_aliases):
    """Return True if every use of one name of a `from ... import` is replaced."""
    local = alias.asname or alias.name
    if module.stores.get(local, 0) > 1:
        return False
    if local in module.aliases:
        return local not in needed_aliases
    imported_from = modules.get(statement.module)
    return bool(_NAME.match(local)) and imported_from is not None and alias.name in imported_from.constants


def _is_within(node, statement):
    return statement.lineno <= node.lineno and node.end_lineno <= statement.end_lineno


def _apply(lines, edits):
    """Replace nodes by texts, the last one first, so that the lines keep their numbers."""
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
