"""A folder of recordings is read with any manifest or none."""

import gzip

import pytest

from tests.support import made_captures as captures
from tools.evaluation import dataset
from tools.lib.errors import ToolError
from tools.traffic import air


def put(folder, name):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if name.endswith(".gz"):
        with gzip.open(path, "wt") as file:
            file.write("t_s,up,mpdu_len,rssi\n")
    else:
        path.touch()


def read(folder, manifest=None):
    if manifest is not None:
        (folder / "manifest.csv").write_text(manifest)
    return {case.id: case for case in dataset.read(folder)}


def test_labels_are_folders_and_the_manifest_adds_device_and_model(tmp_path):
    for name in ("cam_stream/a", "cam_idle/b", "neg_iot/c"):
        put(tmp_path, f"{name}.hdr.csv.gz")
    put(tmp_path, "monitor/d.pcap")

    cases = read(tmp_path, "label,id,file,device,model,extra\ncam_stream,a,cam_stream/a.hdr.csv.gz,dev1,Model One,x\n")

    assert {case.id: case.kind for case in cases.values()} == {
        "a": dataset.CAMERA,
        "b": dataset.IDLE,
        "c": dataset.NEGATIVE,
        "d": dataset.CAPTURE,
    }
    assert (cases["a"].device, cases["a"].model) == ("dev1", "Model One")
    assert (cases["b"].device, cases["b"].model) == ("b", "b")


def test_captures_are_recognised_by_name_or_content_compressed_or_not(tmp_path):
    content = captures.pcap([(0, captures.radiotap() + captures.data())])
    for name in ("a.pcap.gz", "b.PCAP", "c.pcap03", "d", "e.pcapng.gz"):
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") or name == "d" else content)
    (tmp_path / "notes.doc").write_bytes(b"something else")
    (tmp_path / "README.md").write_text("about it")

    cases = read(tmp_path)

    assert {case.id: case.kind for case in cases.values()} == dict.fromkeys("abcde", dataset.CAPTURE)
    assert dataset.split_readable(list(cases.values()))[1] == []
    assert dataset.other_files(tmp_path) == ["notes.doc"]


def test_a_folder_without_a_manifest_is_read_too(tmp_path):
    put(tmp_path, "camera_mini/a.hdr.csv.gz")
    put(tmp_path, "other/b.hdr.csv.gz")

    assert {case.id: case.kind for case in read(tmp_path).values()} == {"a": dataset.CAMERA, "b": dataset.NEGATIVE}


def test_the_columns_decide_if_the_label_does_not(tmp_path):
    for name in ("x/a", "x/b", "x/c"):
        put(tmp_path, f"{name}.hdr.csv.gz")

    cases = read(tmp_path, "id,camera,video\na,1,yes\nb,1,no\nc,0,no\n")

    assert [cases[case_id].kind for case_id in "abc"] == [dataset.CAMERA, dataset.IDLE, dataset.NEGATIVE]


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("cam_ap_stream/a", ""),
        ("cam_stream_ap/a", ""),
        ("cam_stream/a", "id,role\na,ap\n"),
        ("cam_stream/a", "id,mode\na,AP\n"),
        ("cam_stream/a", "id,model\na,A9 mini camera (AP mode)\n"),
        ("cam_stream/a", "id,model\na,A9 in access-point mode\n"),
        ("cam_stream/e99_ap", ""),
    ],
)
def test_access_point_mode_may_be_named_in_many_places(tmp_path, name, row):
    put(tmp_path, f"{name}.hdr.csv.gz")

    (case,) = read(tmp_path, row or None).values()

    assert (case.role, case.kind) == (air.AP, dataset.CAMERA)


@pytest.mark.parametrize(
    "model", ["Apple phone", "Netgear AP-less camera", "cap", "a router that can be an access point"]
)
def test_other_words_with_ap_in_them_do_not_make_an_access_point(tmp_path, model):
    put(tmp_path, "neg_app/capture.hdr.csv.gz")

    (case,) = read(tmp_path, f'id,model\ncapture,"{model}"\n').values()

    assert case.role == air.STATION


def test_phones_with_one_name_are_distinguished_by_id(tmp_path):
    put(tmp_path, "neg_app/a.hdr.csv.gz")

    assert read(tmp_path, "id,device\na,host\n")["a"].device == "a"


@pytest.mark.parametrize("manifest", ["", "\n\n", "\xff\xfe", "id\n", "a,b,c\n1\n1,2,3,4,5\n", 'id,model\na,"open\n'])
def test_no_manifest_stops_the_evaluation(tmp_path, manifest):
    put(tmp_path, "cam_stream/a.hdr.csv.gz")

    assert read(tmp_path, manifest)["a"].kind == dataset.CAMERA


def test_a_folder_without_recordings_is_refused(tmp_path):
    with pytest.raises(ToolError, match="has no"):
        dataset.read(tmp_path)
    with pytest.raises(ToolError, match="is not a folder"):
        dataset.read(tmp_path / "nowhere")
