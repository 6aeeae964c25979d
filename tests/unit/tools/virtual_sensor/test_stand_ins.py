"""
The simulated hardware does not accept more than the real hardware.

Every public name of a module in tools/virtual_sensor/sim must exist in the type stubs of the ESP32's port, with a
signature that the stubs allow. MicroPython has no syntax for positional-only parameters, so the simulated modules
mark them with a leading "_".
"""

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

SIM = ROOT / "tools" / "virtual_sensor" / "sim"
FILES = {
    "machine": ("machine.py", "_machine_pwm_adc_timer.py", "_machine_i2c_spi.py"),
    "network": ("network.py",),
    "bluetooth": ("bluetooth.py",),
    "esp32": ("esp32.py",),
    "time": ("time.py",),
}
# Signatures that the stubs have wrong, with the source of the right ones.
STUB_ERRORS = {
    # ports/esp32/network_lan.c: the stubs have the arguments of another port
    ("network", "LAN.__init__"): {
        *("id", "mdc", "mdio", "reset", "power", "phy_addr", "phy_type", "spi", "cs", "int", "ref_clk_mode", "ref_clk")
    },
    # docs.micropython.org, network.LAN: config('mac'); the stubs call it config_parameters
    ("network", "LAN.config"): {"_param"},
}


def stub_of(module):
    """Return the parsed .pyi file of the pinned micropython-esp32-stubs, found without importing it."""
    for folder in Path(pytest.__file__).parents:
        if (folder / f"{module}.pyi").exists():
            return ast.parse((folder / f"{module}.pyi").read_text())
    pytest.skip("micropython-esp32-stubs is not installed (pip install -r requirements-dev.txt)")


def public(tree):
    """Return {name: [definitions]} of a module, with methods as "Class.method"."""
    definitions = {}

    def add(name, node):
        definitions.setdefault(name, []).append(node)

    def walk(body, prefix):
        for node in body:
            if isinstance(node, ast.FunctionDef):
                add(prefix + ("__init__" if node.name == "__new__" else node.name), node)
            elif isinstance(node, ast.ClassDef):
                add(prefix + node.name, node)
                walk(node.body, node.name + ".")
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                add(prefix + node.target.id, node)
            elif isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        add(prefix + target.id, node)

    walk(tree.body, "")
    return definitions


def is_public(name):
    last = name.split(".")[-1]
    return not last.startswith("_") or last in ("__init__", "__call__")


def parameters(function, is_method):
    """Return (positional-only, positional or keyword, keyword-only names, True if it has **kwargs), without self."""
    arguments = function.args
    positional = [argument.arg for argument in arguments.posonlyargs]
    either = [argument.arg for argument in arguments.args]
    if is_method:
        (positional or either).pop(0)
    return positional, either, [argument.arg for argument in arguments.kwonlyargs], arguments.kwarg is not None


def sim_names():
    for module, files in FILES.items():
        for file in files:
            for name, nodes in public(ast.parse((SIM / file).read_text())).items():
                if is_public(name):
                    yield module, name, nodes[0]


ALL = list(sim_names())


@pytest.mark.parametrize(("module", "name", "node"), ALL, ids=[f"{module}.{name}" for module, name, _ in ALL])
def test_a_simulated_name_exists_in_the_real_module(module, name, node):
    real = public(stub_of(module))
    assert name in real, f"{module}.{name} is not in the stubs"
    if isinstance(node, ast.FunctionDef):
        check_call(module, name, node, real[name])
    elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
        values = [stub.value.value for stub in real[name] if isinstance(getattr(stub, "value", None), ast.Constant)]
        assert not values or node.value.value in values, f"{module}.{name} should be {values}"


def check_call(module, name, simulated, stubs):
    """Check that a simulated function accepts only calls that one of its stubs accepts."""
    is_method = "." in name
    positional, either, keyword, has_kwargs = parameters(simulated, is_method)
    assert not positional
    if (module, name) in STUB_ERRORS:
        assert {*either, *keyword} <= STUB_ERRORS[module, name]
        return
    stub_keywords, stub_positionals, max_positional = set(), set(), 0
    stub_has_kwargs = False
    for stub in stubs:
        if not isinstance(stub, ast.FunctionDef):
            continue
        first, both, named, any_name = parameters(stub, is_method)
        if stub.args.vararg:
            return  # the stubs do not restrict this one
        stub_positionals.update(first)
        stub_keywords.update(both, named)
        max_positional = max(max_positional, len(first) + len(both))
        stub_has_kwargs = stub_has_kwargs or any_name
    assert len(either) <= max_positional, f"{module}.{name} has at most {max_positional} positional parameters"
    for parameter in (*either, *keyword):
        if parameter.startswith("_"):
            assert parameter[1:] in stub_positionals | stub_keywords, f"{module}.{name}: no parameter {parameter[1:]}"
        else:
            assert parameter in stub_keywords, f"{module}.{name}: {parameter} is no keyword parameter"
    assert stub_has_kwargs or not has_kwargs, f"{module}.{name} has no **kwargs"


def test_the_simulated_native_module_is_complete():
    source = (ROOT / "firmware/native/rfsniff/rfsniff.c").read_text()
    table = source[source.index("rfsniff_names[]") : source.index("#if RFSNIFF_HOST", source.index("rfsniff_names[]"))]
    real = {part.split(")")[0] for part in table.split("MP_QSTR_")[1:]} - {"__name__", "rfsniff"}

    simulated = {name for name in public(ast.parse((SIM / "rfsniff.py").read_text())) if is_public(name)}

    assert simulated - {"is_running"} == real  # is_running is used by the simulated bluetooth.py
