"""Generated traffic is equal for equal seeds and has the properties of its kind."""

import itertools

import pytest

from tools.traffic import packets, patterns

MINUTE = 60


def figures(spec, seed=1):
    """(uplink kbit/s, downlink kbit/s, longest uplink MPDU) of a minute."""
    frames = list(patterns.frames({**spec, "duration_s": MINUTE}, seed))
    up = [length for _, is_up, length in frames if is_up]
    down = [length for _, is_up, length in frames if not is_up]
    return sum(up) * 8 / MINUTE / 1000, sum(down) * 8 / MINUTE / 1000, max(up, default=0)


@pytest.mark.parametrize("kind", sorted(patterns.KINDS))
def test_every_pattern_is_in_time_order_and_the_same_for_the_same_seed(kind):
    frames = list(itertools.islice(patterns.frames({"kind": kind}, 7), 3000))

    assert frames == list(itertools.islice(patterns.frames({"kind": kind}, 7), 3000))
    assert all(later[0] >= earlier[0] for earlier, later in itertools.pairwise(frames))
    assert all(up in (0, 1) and 1 <= length <= packets.LONGEST_MPDU for _, up, length in frames)


@pytest.mark.parametrize("kind", sorted(patterns.KINDS))
def test_another_seed_makes_other_traffic(kind):
    one, other = (list(itertools.islice(patterns.frames({"kind": kind}, seed), 200)) for seed in (1, 2))

    assert one != other


@pytest.mark.parametrize("kind", sorted(patterns.KINDS))
def test_every_pattern_can_be_ended(kind):
    assert all(t_s < 5 for t_s, _, _ in patterns.frames({"kind": kind, "duration_s": 5}))


@pytest.mark.parametrize("rate", ["cbr", "vbr"])
def test_a_camera_sends_at_the_specified_rate(rate):
    up_kbps, down_kbps, _ = figures({"kind": "camera", "kbps": 600, "rate": rate})

    assert 450 < up_kbps < 900
    assert down_kbps < 0.1 * up_kbps


def test_a_constant_bit_rate_varies_less_than_a_variable_one():
    def spread(rate):
        seconds = [0] * MINUTE
        for t_s, up, length in patterns.frames({"kind": "camera", "rate": rate, "gop_s": 1, "duration_s": MINUTE}, 3):
            seconds[int(t_s)] += length * up
        mean = sum(seconds) / MINUTE
        return sum((size - mean) ** 2 for size in seconds) / mean**2

    assert spread("cbr") < spread("vbr") / 2


def test_a_pppp_camera_never_exceeds_its_longest_frame():
    assert figures({"kind": "camera_pppp"})[2] == packets.PPPP_LONGEST_MPDU


def test_calls_and_downloads_differ_in_direction():
    two_way = figures({"kind": "call"})
    one_way = figures({"kind": "call_one_way"})
    download = figures({"kind": "video_download"})
    upload = figures({"kind": "upload"})

    assert 0.5 < two_way[0] / two_way[1] < 2
    assert one_way[0] > 10 * one_way[1]
    assert download[1] > 10 * download[0]
    assert upload[0] > 10 * upload[1]


def test_a_mirrored_screen_is_sent_in_datagrams_of_one_size():
    lengths = {length for _, up, length in patterns.frames({"kind": "screen_mirror", "duration_s": 10}) if up}

    assert lengths == {7 * 188 + 40 + packets.IP_TO_MPDU_BYTES}


@pytest.mark.parametrize("kind", ["quic_upload", "drive_backup"])
def test_uploads_send_at_about_the_specified_rate(kind):
    up_kbps, down_kbps, _ = figures({"kind": kind, "kbps": 2000})

    assert 1000 < up_kbps < 3000
    assert down_kbps < 0.15 * up_kbps


def test_a_camera_that_uploads_pieces_sends_in_few_of_the_tenths_of_a_second():
    spec = {"kind": "camera_pieces", "kbps": 600, "piece_s": 4, "duration_s": MINUTE}
    busy = {int(t_s * 10) for t_s, up, _ in patterns.frames(spec, 1) if up}

    assert len(busy) < 3 * MINUTE
    assert 300 < figures(spec)[0] < 900


def test_all_problems_of_a_pattern_are_listed():
    assert patterns.check({"kind": "camera", "kbps": 0, "fps": "fast", "speed": 3}) == [
        "pattern.kbps should be a number 10..20000",
        "pattern.fps should be a number 1..60",
        "pattern.speed is not known here",
    ]
    assert "should be one of" in patterns.check({"kind": "toaster"})[0]
    assert patterns.check([]) == ["pattern should be an object"]
    with pytest.raises(ValueError, match="kind should be one of"):
        next(patterns.frames({}))
