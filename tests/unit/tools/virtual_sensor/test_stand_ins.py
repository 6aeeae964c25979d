"""
The simulated hardware cannot accept what the real one refuses.

Every public name of a module in tools/virtual_sensor/sim has to exist in the type stubs of the ESP32's port,
and every call it takes has to be one that the stubs know. MicroPython has no syntax for parameters
that may only be given by position; a fake names them with a leading "_", and every such parameter
of the stubs has to be spelled so.
"""

import ast
import importlib.util
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
# What the stubs lack, each with its source.
KNOWN_BETTER = {
    # ports/esp32/network_lan.c: the stubs have the arguments of another port
    ("network", "LAN.__init__"): {
        *("id", "mdc", "mdio", "reset", "power", "phy_addr", "phy_type", "spi", "cs", "int", "ref_clk_mode", "ref_clk")
    },
    # docs.micropython.org, network.LAN: config('mac'); the stubs call it config_parameters
    ("network", "LAN.config"): {"_param"},
}


def stub_of(module):
    """The .pyi file of the pinned micropython-esp32-stubs, found without importing it."""
    installed = importlib.util.find_spec("pytest").origin
    for folder in Path(installed).parents:
        if (folder / f"{module}.pyi").exists():
            return ast.parse((folder / f"{module}.pyi").read_text())
    pytest.skip("micropython-esp32-stubs is not installed (pip install -r requirements-dev.txt)")


def public(tree):
    """{name: [constant or function definitions]} of a module, methods as "Class.method"."""
    found = {}

    def add(name, node):
        found.setdefault(name, []).append(node)

    def walk(body, prefix):
        for node in body:
            if isinstance(node, ast.FunctionDef):
                add(prefix + ("__init__" if node.name == "__new__" else node.name), node)
            elif isinstance(node, ast.ClassDef):
                add(prefix + node.name, node)
                walk(node.body, node.name + ".")
            elif isinstance(node, ast.AnnAssign):
                add(prefix + node.target.id, node)
            elif isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        add(prefix + target.id, node)

    walk(tree.body, "")
    return found


def is_public(name):
    last = name.split(".")[-1]
    return not last.startswith("_") or last in ("__init__", "__call__")


def parameters(function, is_method):
    """({by position only}, {by position or name}, {by name only}, takes any names) without self."""
    arguments = function.args
    first = [one.arg for one in arguments.posonlyargs]
    both = [one.arg for one in arguments.args]
    if is_method:
        (first or both).pop(0)
    return first, both, [one.arg for one in arguments.kwonlyargs], arguments.kwarg is not None


def sim_names():
    for module, files in FILES.items():
        for file in files:
            for name, nodes in public(ast.parse((SIM / file).read_text())).items():
                if is_public(name):
                    yield module, name, nodes[0]


ALL = list(sim_names())


@pytest.mark.parametrize(("module", "name", "node"), ALL, ids=[f"{module}.{name}" for module, name, _ in ALL])
def test_what_a_fake_offers_the_real_module_has_too(module, name, node):
    real = public(stub_of(module))
    assert name in real, f"{module}.{name} is not in the stubs"
    if isinstance(node, ast.FunctionDef):
        check_call(module, name, node, real[name])
    elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
        values = [one.value.value for one in real[name] if getattr(one, "value", None) and hasattr(one.value, "value")]
        assert not values or node.value.value in values, f"{module}.{name} should be {values}"


def check_call(module, name, fake, reals):
    is_method = "." in name
    given_first, given_both, given_named, takes_any = parameters(fake, is_method)
    assert not given_first
    if (module, name) in KNOWN_BETTER:
        assert {*given_both, *given_named} <= KNOWN_BETTER[module, name]
        return
    may_be_named, by_place, most = set(), set(), 0
    any_named = False
    for real in reals:
        if not isinstance(real, ast.FunctionDef):
            continue
        first, both, named, takes = parameters(real, is_method)
        if real.args.vararg:
            return  # the stubs say nothing about this one
        by_place.update(first)
        may_be_named.update(both, named)
        most = max(most, len(first) + len(both))
        any_named = any_named or takes
    assert len(given_both) <= most, f"{module}.{name} takes at most {most} by position"
    for parameter in (*given_both, *given_named):
        if parameter.startswith("_"):
            assert parameter[1:] in by_place | may_be_named, f"{module}.{name}: no {parameter[1:]} by position"
        else:
            assert parameter in may_be_named, f"{module}.{name}: {parameter} cannot be given by name"
    assert any_named or not takes_any, f"{module}.{name} takes no other names"


def test_the_native_module_is_imitated_in_full():
    source = (ROOT / "firmware/native/rfsniff/rfsniff.c").read_text()
    table = source[source.index("rfsniff_names[]") : source.index("#if RFSNIFF_HOST", source.index("rfsniff_names[]"))]
    real = {part.split(")")[0] for part in table.split("MP_QSTR_")[1:]} - {"__name__", "rfsniff"}

    fake = {name for name in public(ast.parse((SIM / "rfsniff.py").read_text())) if is_public(name)}

    assert fake - {"is_running"} == real  # is_running is for bluetooth.py of the simulation
