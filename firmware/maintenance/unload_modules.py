"""
Modules that are loaded for one occasion, the start being one, and what they take of the heap given back.

    rare.unload()        # now and then
"""

import sys

_MODULES = (
    "ansim.settings",
    "firmware.boards",
    "firmware.maintenance.settings_trial",
    "firmware.inspecting.selftest",
    "firmware.inspecting.test_signal",
    "firmware.inspecting.follow",
    "firmware.inspecting.stimulus_test",
    "firmware.maintenance.signature_update",
    "ansim.detect.proximity",
    "ansim.detect.stimulus",
)


def unload() -> None:
    """Forget the modules of past occasions. What is in use stays: an object holds its class, and that its module."""
    for name in _MODULES:
        if name in sys.modules:
            del sys.modules[name]
            package, leaf = name.rsplit(".", 1)
            if hasattr(sys.modules[package], leaf):
                delattr(sys.modules[package], leaf)
