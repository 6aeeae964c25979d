"""
The program on a RISC-V processor in QEMU, in its image, with the stack and about the heap of an ESP32-C3: the same
answers as on this computer.
"""

import json
import subprocess

import pytest

from ansim import envelope, topics
from tests.conftest import ROOT
from tests.support.message_examples import EXAMPLES
from tests.support.random_records import count_batches
from tests.support.vectors import RUNNERS, run_file
from tools import native
from tools.hardware import rv32
from tools.lib.errors import ToolError

pytestmark = pytest.mark.build
ROOMY = 1 << 20  # bytes of heap where the synthetic traffic is in the same heap
SUPPORT = ("flash_image", "random_records", "stream_traffic")


@pytest.fixture(scope="module")
def run():
    """Function that runs a script with the files and arguments given, and returns its lines parsed as JSON."""
    try:
        native.build_rv32()
    except ToolError as error:
        pytest.skip(str(error))

    def run_script(script, *arguments, heap_bytes=rv32.HEAP_BYTES, **files):
        files = {name.replace("__", "."): data for name, data in files.items()}
        for name in SUPPORT:
            files[f"tests/support/{name}.py"] = (ROOT / f"tests/support/{name}.py").read_bytes()
        return [json.loads(line) for line in native.run_rv32(ROOT / script, files, arguments, heap_bytes)]

    return run_script


@pytest.mark.parametrize("detector", sorted(RUNNERS))
def test_a_detector_answers_its_vectors_as_on_cpython(run, detector):
    vectors = json.loads((ROOT / f"tests/vectors/{detector}.json").read_text())
    # One file for each, because all of them together do not fit beside the detectors.
    files = {
        f"{at:03}__json": json.dumps({"what": vectors["what"], "vectors": [vector]}).encode()
        for at, vector in enumerate(vectors["vectors"])
    }

    results = run("tests/support/vectors.py", *[name.replace("__", ".") for name in files], **files)

    on_cpython = run_file(str(ROOT / f"tests/vectors/{detector}.json"))
    assert [row[1] for row in results] == [row[0] for row in on_cpython]
    for (_, name, is_expected, actual), (_, expected, _) in zip(results, on_cpython, strict=True):
        assert is_expected, (name, actual)
        assert actual == json.loads(json.dumps(expected))


def test_the_stream_detector_answers_its_vectors_as_expected(run):
    vectors = json.loads((ROOT / "tests/vectors/camera_stream.json").read_text())["vectors"]

    for vector in vectors:
        data = json.dumps({"vectors": [vector]}).encode()
        ((name, findings),) = run(
            "tests/interpreter/detect_on_micropython.py", "vectors", "vector.json", heap_bytes=ROOMY, vector__json=data
        )
        assert findings == vector["expect"], name


@pytest.mark.parametrize(("seed", "addresses"), [(1, 5), (2, 40), (3, 90)])
def test_machine_code_counts_random_records_as_plain_python_does(run, seed, addresses):
    (results,) = run("tests/interpreter/detect_on_micropython.py", "batches", seed, addresses, heap_bytes=ROOMY)

    assert results == json.loads(json.dumps(count_batches(seed, addresses)))


def test_it_seals_and_checks_every_message_as_cpython_does(run):
    bodies = [(leaf, json.dumps(message)) for leaf, message in EXAMPLES]
    cases = "".join(json.dumps({"leaf": leaf, "json": body}) + "\n" for leaf, body in bodies)

    *results, _ = run("tests/interpreter/base_on_micropython.py", "cases", cases=cases.encode())

    for (leaf, body), result in zip(bodies, results, strict=True):
        sealed = envelope.seal(bytes(range(32)), topics.topic("hall-1", leaf), body.encode()).decode()
        assert (result["sealed"], result["opened"], result["round_trip"]) == (sealed, True, True)


def test_journal_clock_engine_and_module_work_in_a_chip_s_stack_and_heap(run):
    (result,) = run("tests/native/sensor_on_rv32.py")

    assert result["journal"] == {"reports": 60, "in_order": True}
    assert 200 <= result["clock_ms"] < 5000
    assert result["records"] == 3 and result["finding"] == ["camera_stream", "raised"]
    assert result["engine_bytes"] < 5_000  # the station table lies in the module's memory
    assert result["stack_bytes"] < 9_000


def test_the_module_is_small_in_flash_and_static_memory(run):
    folder = native.BUILD / "rv32" / "rfsniff"
    objects = [str(folder / f"{name}.o") for name in ("frame", "ring", "intake", "rfsniff")]  # without the radio

    size = subprocess.run(["riscv64-unknown-elf-size", "-t", *objects], capture_output=True, text=True, check=True)

    text, data, bss = map(int, size.stdout.splitlines()[-1].split()[:3])
    assert text < 2500 and data == 0 and bss < 35_000
