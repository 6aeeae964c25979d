"""The pattern language means what it says: the same names fit as with Python's own regular expressions."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansim.signatures import names
from ansim.signatures.pattern import is_sound, matches
from tools.signatures import BadPattern, compile_pattern

AS_REGEX = {"#": "[0-9]", "@": "(?-i:[A-Z])", "%": "[0-9a-f]", "&": "[0-9a-z]", "!": "(?![a-z])", "$": r"\Z"}

PATTERNS = [row["value"] for row in names.rows("ssids")]
PATTERNS += [row["value"] for row in names.rows("ble") if row["kind"] == "name"]


def fits(pattern, name):
    code = compile_pattern(pattern)
    assert is_sound(code, 0, len(code))
    return matches(code, 0, len(code), name.encode())


def as_regex(pattern):
    """Return our pattern as a regular expression of Python's (all letters ASCII)."""
    start, rest = (r"[\s\S]*?", pattern[1:]) if pattern.startswith("~") else ("", pattern)
    parts = re.findall(r"\\.|\[[^]]*\]|\([^)]*\)|\{\d+\}|.", rest)
    told = ""
    for part in parts:
        if part[0] == "(":
            texts = sorted((text.replace("\\", "") for text in part[1:-1].split("|")), key=len, reverse=True)
            # Atomic, as ours: the longest text that fits, and no second try.
            told += "(?>" + "|".join(re.escape(text) for text in texts) + ")"
        elif part[0] == "[":
            told += "[" + re.escape(part[1:-1]) + "]"
        elif part[0] == "{" or part == "?":
            told += part + ("+" if part == "?" else "")
        else:
            told += AS_REGEX.get(part) or re.escape(part[-1])
    return re.compile(start + told, re.IGNORECASE | re.ASCII)


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        ("V380[-_]", ["V380-1", "v380_"], ["V3801", "V380", " V380-"]),
        (
            "FTY#{6}-?@{5}$",
            ["FTY123456ABCDE", "fty123456-ABCDE"],
            ["FTY12345-ABCDE", "FTY123456abcde", "FTY123456ABCDEF"],
        ),
        ("CAM!", ["CAM", "cam1", "CAM_", "CAM카"], ["CAMPUS", "camera"]),
        ("~iPhone", ["iPhone", "지은의 iPhone", "x IPHONE 3"], ["iPhon", ""]),
        ("(KT|KT_GiGA)_", ["KT_1", "KT_GiGA_"], ["KT-", "KTGiGA_"]),
        (r"\[TV\]", ["[TV] 1"], ["TV", "T"]),
        ("U+Net%{4}", ["U+NetEDE8"], ["U+NetEDEX", "UNetEDE8"]),
    ],
)
def test_a_pattern_matches_as_documented(pattern, good, bad):
    assert [name for name in good if not fits(pattern, name)] == []
    assert [name for name in bad if fits(pattern, name)] == []


@pytest.mark.parametrize(
    "pattern", ["", "~", "[ab", "(ab", "a{", "a{1}", "a{99}", "(a|A)", "()", "$a", "a\\", "]", "(a[b])"]
)
def test_an_invalid_pattern_is_refused(pattern):
    with pytest.raises(BadPattern):
        compile_pattern(pattern)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PATTERNS), st.text(alphabet="ABCXYZabckimptvxz0123456789-_ +[]", max_size=20))
@example("~iPhone", "x iPhone")
def test_a_random_name_fits_exactly_when_the_regular_expression_does(pattern, name):
    assert fits(pattern, name) == bool(as_regex(pattern).match(name))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_name_made_from_a_pattern_fits_it(pattern):
    example = re.sub(r"(.)\{(\d+)\}", lambda times: times[1] * int(times[2]), pattern.lstrip("~")).rstrip("$!")
    example = re.sub(r"\((.*?)\)\??", lambda either: either[1].split("|")[-1], example)
    example = re.sub(r"(?<!\\)\[(.)[^]]*\]", r"\1", example).replace("?", "").replace("\\", "")
    example = example.translate(str.maketrans({"#": "7", "@": "Q", "%": "b", "&": "x"}))

    assert fits(pattern, example), example
    assert as_regex(pattern).match(example), example


@example(b"\x10")
@given(st.binary(max_size=40))
def test_code_that_is_sound_never_runs_past_its_end(code):
    if is_sound(code, 0, len(code)):
        matches(code, 0, len(code), b"V380-1234 some name")
