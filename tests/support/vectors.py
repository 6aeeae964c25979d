"""
Show a detector's vectors to it; the same on CPython and on MicroPython.

    for name, told, expected in run_file("tests/vectors/camera_beacon.json"): ...

A vector is {"name", "fires", "steps", "expect"}: each step is a method of the detector and
its arguments, `expect` is what its judge() (or result, or reading) must answer. `fires` says
whether an alarm must be raised, so that nobody can fix a vector by copying what came out.

On MicroPython: `micropython tests/support/vectors.py tests/vectors/*.json`, with
MICROPYPATH naming the project; prints one JSON line a vector.
"""

import binascii
import json
import sys

from ansim.detect.analogue_video import AnalogueVideo
from ansim.detect.camera_access_point import CameraAccessPoint
from ansim.detect.camera_beacon import CameraBeacon
from ansim.detect.proximity import Proximity
from ansim.detect.stimulus import RESPONDS, Stimulus, verdict
from ansim.frame_header import address_bytes
from ansim.observation import AccessPoint, Advertisement, Spectrum
from ansim.signatures import Tables


def run_file(path: str) -> list:
    """Return [(name, what came out, what was expected), ...] of a file of vectors."""
    with open(path) as file:
        vectors = json.load(file)
    run = RUNNERS[vectors["what"]]
    done = []
    for vector in vectors["vectors"]:
        told, fired = run(vector)
        done.append((vector["name"], [told, fired], [vector["expect"], vector["fires"]]))
    return done


def _access_points(vector):
    detector = CameraAccessPoint()
    told = []
    for step in vector["steps"]:
        now_ms = step[1]
        if step[0] == "scan":
            found = [AccessPoint(now_ms, one[0], address_bytes(one[1]), one[2], one[3], one[4]) for one in step[2]]
            detector.access_points(found, now_ms)
        elif step[0] == "traffic":
            detector.traffic(address_bytes(step[2]), now_ms, step[3], step[4])
        else:
            told += _summaries(detector.judge(now_ms))
    return told, _raised(told)


def _beacons(vector):
    detector = CameraBeacon()
    told = []
    for step in vector["steps"]:
        if step[0] == "heard":
            _, at_ms, address, address_type, rssi_dbm, payload = step
            payload = binascii.unhexlify(payload)
            detector.advertisement(Advertisement(at_ms, address_bytes(address), address_type, rssi_dbm, payload))
        else:
            told += _summaries(detector.judge(step[1]))
    return told, _raised(told)


def _spectra(vector):
    detector = AnalogueVideo()
    told = []
    for step in vector["steps"]:
        now_ms = step[1]
        if step[0] == "spectrum":
            busy = []
            for channels, count in step[3]:  # run lengths from 2400 MHz up
                busy.extend([count] * channels)
            detector.spectrum(Spectrum(now_ms, step[2], busy))
        elif step[0] == "airtime":
            detector.airtime(step[2], step[3], now_ms)
        else:
            told += _summaries(detector.judge(now_ms))
    return told, _raised(told)


def _stimulus(vector):
    test = Stimulus("c0:ff:ee:00:00:01", vector["slots"])
    test.begin(1000)
    for from_ms, to_ms in vector["listening"]:
        test.listening(1000 + from_ms, 1000 + to_ms)
    for place, length in enumerate(vector["bytes_per_100ms"]):
        test.frame(1000 + 100 * place + 50, length)
    result = test.result()
    return [result.p_ppm, result.effect_permille, result.heard_permille], verdict(
        result.p_ppm, result.heard_permille
    ) == RESPONDS


def _proximity(vector):
    near = Proximity()
    told = []
    asked = list(vector["readings_at_ms"])
    warmer = False
    for at_ms, rssi_dbm in vector["heard"]:
        while asked and asked[0] < at_ms:
            told.append(_reading(near.reading(asked.pop(0))))
        near.add(at_ms, rssi_dbm)
        warmer = warmer or near.reading(at_ms).trend == "warmer"
    told += [_reading(near.reading(at_ms)) for at_ms in asked]
    return told, warmer


def _signatures(vector):
    tables = Tables()
    told = []
    for what, value in vector["steps"]:
        if what == "oui":
            signs = (tables.oui(address_bytes(value)),)
        elif what == "ssid":
            signs = tables.ssid(value)
        elif what == "ble_name":
            signs = tables.ble_name(value)
        else:
            signs = (tables.ble_service(value) if what == "ble_service" else tables.ble_maker(value),)
        told.append([list(sign) if sign else None for sign in signs])
    return told, any(sign is not None and sign[1] == 3 for signs in told for sign in signs)


def _summaries(findings):
    return [
        [one.event, one.subject, one.score, one.label, [[row.rule, row.value, row.weight] for row in one.evidence]]
        for one in findings
    ]


def _raised(told):
    return any(one[0] == "raised" for one in told)


def _reading(reading):
    return [reading.smoothed_dbm, reading.sigma_db, reading.trend, reading.halvings]


RUNNERS = {
    "camera_access_point": _access_points,
    "camera_beacon": _beacons,
    "analogue_video": _spectra,
    "stimulus": _stimulus,
    "proximity": _proximity,
    "signatures": _signatures,
}


if __name__ == "__main__":
    for file_name in sys.argv[1:]:
        for vector_name, came, wanted in run_file(file_name):
            print(json.dumps([file_name, vector_name, came == wanted, came]))
