"""
Unload modules that are needed only now and then, to free their heap.

    unload_modules.unload()     # after the start, and after each sweep report
"""

import sys

_MODULES = (
    "ansim.settings",
    "firmware.boards",
    "firmware.maintenance.files",
    "firmware.maintenance.settings_trial",
    "firmware.maintenance.program_slots",
    "firmware.journal.compaction",
    "firmware.radio.radios",
    "firmware.inspecting.selftest",
    "firmware.inspecting.test_signal",
    "firmware.inspecting.follow",
    "firmware.inspecting.movement_test",
    "firmware.maintenance.signature_update",
    "ansim.detect.proximity",
    "ansim.detect.stimulus",
)


def unload() -> None:
    """Forget these modules. Code in use stays: an object refers to its class, and the class to its module."""
    for name in _MODULES:
        if name in sys.modules:
            del sys.modules[name]
            package, _, module = name.rpartition(".")
            if hasattr(sys.modules[package], module):  # a package holds its modules, too
                delattr(sys.modules[package], module)
