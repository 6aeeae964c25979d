"""`esp32`, as far as a sensor uses it. The figures of the IDF heap are those of an ESP32 with Wi-Fi on."""

import json

import _simulation

HEAP_EXEC = 1
HEAP_DATA = 4
_ESP_ERR_NVS_NOT_FOUND = 0x1102


def idf_heap_info(_capabilities):
    return [(7288, 0, 0, 0), (16648, 4, 4, 4), (79912, 35712, 35512, 35108), (15072, 15036, 15036, 15036)]


def raw_temperature():
    return 128


class NVS:
    """Kept in /.world/nvs.json from commit() on."""

    def __init__(self, _namespace):
        self._all = json.loads(_simulation.noted("nvs.json", "{}"))
        self._mine = self._all.setdefault(_namespace, {})

    def get_i32(self, _key):
        if _key not in self._mine:
            raise OSError(-_ESP_ERR_NVS_NOT_FOUND, "ESP_ERR_NVS_NOT_FOUND")
        return self._mine[_key]

    def set_i32(self, _key, _value):
        self._mine[_key] = _value

    def erase_key(self, _key):
        if _key not in self._mine:
            raise OSError(-_ESP_ERR_NVS_NOT_FOUND, "ESP_ERR_NVS_NOT_FOUND")
        del self._mine[_key]

    def commit(self):
        _simulation.note("nvs.json", json.dumps(self._all))
