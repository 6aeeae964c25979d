"""Header streams are read line by line, and a bad stream raises an error of one line."""

import gzip

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import made_captures as captures
from tools.lib.errors import ToolError
from tools.traffic import streams

GOOD = "t_s,up,mpdu_len,rssi\n0.0000,1,1114,\n0.0369,0,94,-52\n"


def write(path, text):
    with gzip.open(path, "wt") as file:
        file.write(text)
    return path


def test_frames_come_with_their_signal_where_there_is_one(tmp_path):
    path = write(tmp_path / "a.hdr.csv.gz", GOOD)

    assert list(streams.frames(path)) == [(0.0, 1, 1114, None), (0.0369, 0, 94, -52)]
    assert streams.duration_s(path) == 0.0369


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "first line"),
        ("time,length\n1,2\n", "first line"),
        (GOOD + "0.1,2,94,\n", "line 4"),
        (GOOD + "nan,1,94,\n", "line 4"),
        (GOOD + "-1,1,94,\n", "line 4"),
        (GOOD + "1e400,1,94,\n", "line 4"),
        (GOOD + "0.1,1,70000,\n", "line 4"),
        (GOOD + "0.1,1,0,\n", "line 4"),
        (GOOD + "0.1,1,94\n", "line 4"),
        (GOOD + "0.1,1,94,-500\n", "line 4"),
        (GOOD + "x" * 100_000, "line 4"),
        ("t_s,up,mpdu_len,rssi\n\xff\xfe", "damaged"),
    ],
)
def test_a_stream_that_breaks_the_form_is_refused_with_its_line(tmp_path, text, words):
    path = write(tmp_path / "a.hdr.csv.gz", text)

    with pytest.raises(ToolError, match=words):
        list(streams.frames(path))


def test_a_stream_that_was_cut_off_is_refused(tmp_path):
    path = write(tmp_path / "a.hdr.csv.gz", GOOD + "0.1,1,94,\n" * 50)
    path.write_bytes(path.read_bytes()[:-12])

    with pytest.raises(ToolError, match="cut off"):
        list(streams.frames(path))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_raise_nothing_but_a_tool_error(tmp_path, data, packed):
    path = tmp_path / "any.hdr.csv.gz"
    path.write_bytes(gzip.compress(data) if packed else data)

    for read in (streams.kind, lambda one: list(streams.frames(one)), lambda one: list(streams.records(one))):
        try:
            read(path)
        except ToolError as error:
            assert "\n" not in str(error)


def test_the_kind_of_a_file_follows_from_its_content(tmp_path):
    stream = write(tmp_path / "renamed.bin", GOOD)
    capture = tmp_path / "capture"
    capture.write_bytes(captures.pcap([]))
    described = tmp_path / "scene.txt"
    described.write_text('\n {"duration_s": 1}')

    assert [streams.kind(path) for path in (stream, capture, described)] == ["frames", "records", "scene"]


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_file_that_cannot_be_read_is_refused(tmp_path, name):
    for read in (streams.kind, lambda path: list(streams.frames(path)), lambda path: list(streams.records(path))):
        with pytest.raises(ToolError, match="cannot read"):
            read(tmp_path / name)


def test_an_empty_file_is_refused_as_empty(tmp_path):
    path = tmp_path / "empty.pcap"
    path.touch()

    with pytest.raises(ToolError, match="is empty"):
        streams.kind(path)
