"""Inlined constants: which names are replaced, which stay, and that the real program keeps its structure."""

import ast

from tests.conftest import ROOT
from tools.hardware.inline_constants import inline_constants


def both(first, second):
    inlined = inline_constants({"a/one.py": first, "a/two.py": second})
    return inlined["a/one.py"], inlined["a/two.py"]


def test_a_constant_is_replaced_where_it_is_defined_and_where_it_is_imported():
    one, two = both("WAIT_MS = 2 * 500\nx = WAIT_MS\n", "from a.one import WAIT_MS\ny = WAIT_MS + 1\n")

    assert one == "pass\nx = 1000\n"
    assert two == "pass\ny = 1000 + 1\n"


def test_a_constant_used_by_its_module_is_replaced_and_the_import_removed():
    _, two = both('SCAN, BLE = "scan", "ble"\n', "from a import one as words\ny = [words.SCAN, words.BLE]\n")

    assert two == "pass\ny = ['scan', 'ble']\n"


def test_an_import_keeps_names_that_are_no_constants():
    _, two = both("ONE = -1\ndef f(): pass\n", "from a.one import (\n    ONE,\n    f,\n)\nf(ONE - 1)\n")

    assert two.splitlines()[0] == "from a.one import f"
    assert two.splitlines()[4] == "f((-1) - 1)"


def test_a_name_used_as_an_attribute_stays():
    one, _ = both("LED = 2\n", "def light(board):\n    return board.LED\n")

    assert one == "LED = 2\n"


def test_a_kept_name_stays():
    assert inline_constants({"a.py": "ONE = 1\nTWO = 2\n"}, ("ONE",)) == {"a.py": "ONE = 1\npass\n"}


def test_a_name_with_two_values_stays():
    sources = "try:\n    ONE = 1\nexcept OSError:\n    ONE = 2\n", "TWO = 1\ndef f(TWO):\n    return TWO\n"

    assert both(*sources) == sources


def test_a_definition_of_several_names_stays_whole_if_one_of_them_stays():
    one, _ = both("A, B = range(2)\nx = A\n", "y = z.B\n")

    assert one == "A, B = range(2)\nx = 0\n"


def test_nothing_is_replaced_in_f_strings():
    one, _ = both('ONE = 1\nx = f"{ONE}"\n', "")

    assert one == 'ONE = 1\nx = f"{ONE}"\n'


def test_the_program_keeps_its_lines_and_every_name_it_uses():
    sources = {
        file.relative_to(ROOT).as_posix(): file.read_text()
        for part in ("ansim", "firmware")
        for file in (ROOT / part).rglob("*.py")
    }

    inlined = inline_constants(sources)

    for path, text in inlined.items():
        assert len(text.splitlines()) == len(sources[path].splitlines()), path
        assert functions(text) == functions(sources[path]), path
    for path, text in inlined.items():
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.ImportFrom):
                continue
            imported = inlined.get(f"{(node.module or '').replace('.', '/')}.py")
            if imported is not None:
                assert all(alias.name in defined(imported) for alias in node.names), (path, node.module)


def functions(text):
    return [
        (node.name, node.lineno)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    ]


def defined(text):
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update(alias.asname or alias.name for alias in node.names)
    return names
