"""`esp32`, as far as a sensor uses it. Memory is in regions: four of the chip, one of which is in use, and PSRAM."""

import json

import _simulation

HEAP_EXEC = 1
HEAP_DATA = 4
_ESP_ERR_NVS_NOT_FOUND = 0x1102


def idf_heap_info(_capabilities):
    free, largest = _simulation.idf_free(), _simulation.idf_largest()
    regions = [(7288, 0, 0, 0), (16648, 4, 4, 4), (253000, free, largest, free)]
    return regions if _simulation.exists("no_psram") else regions + [(2097152, 1900000, 1900000, 1900000)]


def raw_temperature():
    return 128


class NVS:
    """Stored in /.world/nvs.json by commit()."""

    def __init__(self, _namespace):
        self._namespaces = json.loads(_simulation.load("nvs.json", "{}"))
        self._values = self._namespaces.setdefault(_namespace, {})

    def get_i32(self, _key):
        if _key not in self._values:
            raise OSError(-_ESP_ERR_NVS_NOT_FOUND, "ESP_ERR_NVS_NOT_FOUND")
        return self._values[_key]

    def set_i32(self, _key, _value):
        self._values[_key] = _value

    def erase_key(self, _key):
        if _key not in self._values:
            raise OSError(-_ESP_ERR_NVS_NOT_FOUND, "ESP_ERR_NVS_NOT_FOUND")
        del self._values[_key]

    def commit(self):
        _simulation.save("nvs.json", json.dumps(self._namespaces))
