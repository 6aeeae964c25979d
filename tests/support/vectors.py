"""
Run a detector's vectors, in the same way on CPython and on MicroPython.

    for name, actual, expected in run_file("tests/vectors/camera_beacon.json"): ...

A vector is {"name", "fires", "steps", "expect"}: each step is a method of the detector with its arguments,
`expect` is the expected answer of judge() (or of result(), or reading()). `fires` says whether an alarm must
be raised; it is set by hand, so that a vector cannot be repaired by copying the actual answer.

On MicroPython: `micropython tests/support/vectors.py tests/vectors/*.json`, with the project in MICROPYPATH;
prints one JSON line for each vector.
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
    """Return [(name, actual, expected), ...] for a file of vectors."""
    with open(path) as file:
        vectors = json.load(file)
    run = RUNNERS[vectors["what"]]
    results = []
    for vector in vectors["vectors"]:
        actual, fired = run(vector)
        results.append((vector["name"], [actual, fired], [vector["expect"], vector["fires"]]))
    return results


def _access_points(vector):
    detector = CameraAccessPoint()
    summaries = []
    for step in vector["steps"]:
        now_ms = step[1]
        if step[0] == "scan":
            access_points = [AccessPoint(now_ms, row[0], address_bytes(row[1]), *row[2:5]) for row in step[2]]
            detector.access_points(access_points, now_ms)
        elif step[0] == "traffic":
            detector.traffic(address_bytes(step[2]), now_ms, step[3], step[4])
        else:
            summaries += _summaries(detector.judge(now_ms))
    return summaries, _raised(summaries)


def _beacons(vector):
    detector = CameraBeacon()
    summaries = []
    for step in vector["steps"]:
        if step[0] == "heard":
            _, at_ms, address, address_type, rssi_dbm, payload = step
            payload = binascii.unhexlify(payload)
            detector.advertisement(Advertisement(at_ms, address_bytes(address), address_type, rssi_dbm, payload))
        else:
            summaries += _summaries(detector.judge(step[1]))
    return summaries, _raised(summaries)


def _spectra(vector):
    detector = AnalogueVideo()
    summaries = []
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
            summaries += _summaries(detector.judge(now_ms))
    return summaries, _raised(summaries)


def _stimulus(vector):
    test = Stimulus("c0:ff:ee:00:00:01", vector["slots"])
    test.begin(1000)
    for from_ms, to_ms in vector["listening"]:
        test.listening(1000 + from_ms, 1000 + to_ms)
    for index, length in enumerate(vector["bytes_per_100ms"]):
        test.frame(1000 + 100 * index + 50, length)
    result = test.result()
    return [result.p_ppm, result.effect_permille, result.heard_permille], verdict(
        result.p_ppm, result.heard_permille
    ) == RESPONDS


def _proximity(vector):
    proximity = Proximity()
    readings = []
    times_ms = list(vector["readings_at_ms"])
    warmer = False
    for at_ms, rssi_dbm in vector["heard"]:
        while times_ms and times_ms[0] < at_ms:
            readings.append(_reading(proximity.reading(times_ms.pop(0))))
        proximity.add(at_ms, rssi_dbm)
        warmer = warmer or proximity.reading(at_ms).trend == "warmer"
    readings += [_reading(proximity.reading(at_ms)) for at_ms in times_ms]
    return readings, warmer


def _signatures(vector):
    tables = Tables()
    matches = []
    for table, value in vector["steps"]:
        if table == "oui":
            signs = (tables.oui(address_bytes(value)),)
        elif table == "ssid":
            signs = tables.ssid(value)
        elif table == "ble_name":
            signs = tables.ble_name(value)
        else:
            signs = (tables.ble_service(value) if table == "ble_service" else tables.ble_maker(value),)
        matches.append([list(sign) if sign else None for sign in signs])
    is_camera = any(sign is not None and sign[1] == 3 for signs in matches for sign in signs)
    return matches, is_camera


def _summaries(findings):
    return [
        [
            finding.event,
            finding.subject,
            finding.score,
            finding.label,
            [[row.rule, row.value, row.weight] for row in finding.evidence],
        ]
        for finding in findings
    ]


def _raised(summaries):
    return any(summary[0] == "raised" for summary in summaries)


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
        for vector_name, actual, expected in run_file(file_name):
            print(json.dumps([file_name, vector_name, actual == expected, actual]))
