"""Unloaded modules give their heap back, and can be imported again."""

from tests.support.micropython import run

SCRIPT = """
import gc, sys
from firmware.maintenance import unload_modules

def import_some():
    from ansim import settings
    from ansim.detect import proximity
    return settings.PARTS, proximity.Proximity

def used():
    gc.collect()
    return gc.mem_alloc()

import_some()
unload_modules.unload()
before = used()
import_some()
loaded = used()
unload_modules.unload()
after = used()
print(loaded - before > 1000, after - before < 100, "ansim.settings" in sys.modules)
import_some()
"""


def test_unloading_frees_the_heap_of_modules(micropython):
    assert run(micropython, "-c", SCRIPT).split() == ["True", "True", "False"]
