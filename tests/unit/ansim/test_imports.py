"""No two modules of ansim/ import each other, directly or through others, inside functions included."""

import ast
from graphlib import TopologicalSorter

from tests.conftest import ROOT


def imports(path):
    """The modules of ansim/ that a file imports anywhere, by their dotted names."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def module_name(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_ansim_has_no_import_circle():
    files = {module_name(path): path for path in (ROOT / "ansim").rglob("*.py")}
    graph = {name: imports(path) & files.keys() - {name} for name, path in files.items()}

    order = list(TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle

    assert "ansim.uplink_schemas" in graph["ansim.decode"]  # an import inside a function
    assert sorted(order) == sorted(files)


def test_ansim_imports_nothing_of_the_other_packages():
    others = ("firmware", "server", "tools", "tests")

    for path in (ROOT / "ansim").rglob("*.py"):
        assert not [name for name in imports(path) if name.split(".")[0] in others], path
