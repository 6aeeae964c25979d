"""How films are encoded; ffmpeg itself runs in the machine's root folder only."""

import pytest

from tools.airlab import machine, media, scenarios
from tools.airlab.scenario import Film
from tools.lib.errors import ToolError

FILMS = sorted({film for made in scenarios.ALL for film in made.films}, key=lambda film: film.name)


class RootFolder:
    """A root folder whose ffmpeg writes empty files and whose ffprobe finds three pictures."""

    def __init__(self, work):
        self.media = machine.root(work) / "media"
        (self.media / "source").mkdir(parents=True)
        self.commands = []

    def run(self, work, command):
        self.commands.append(command)
        if command[0] == "ffprobe":
            return "1200,\n300,\n310,\n"
        (self.media / command[-1].removeprefix("/media/")).touch()
        return ""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    made = RootFolder(tmp_path)
    monkeypatch.setattr(media, "_chroot", made.run)
    return made


@pytest.mark.parametrize("film", FILMS, ids=lambda film: film.name)
def test_a_film_is_encoded_as_it_says(film, folder, tmp_path):
    media.encode(tmp_path, film)

    encode = folder.commands[0]
    assert {"h264": "libx264", "h265": "libx265", "mjpeg": "mjpeg"}[film.codec] in encode
    assert ("aac" in encode) == bool(film.audio_kbps)
    assert encode.index("-i") < encode.index("-c:v")
    assert (folder.media / f"{film.name}.mkv.sizes").read_text() == "1200\n300\n310\n"
    assert not (folder.media / "clip.mkv").exists()


def test_a_key_frame_comes_every_gop(folder, tmp_path):
    media.encode(tmp_path, Film("h264", 720, 25, 0.5, 1500, "street"))

    encode = folder.commands[0]
    assert encode[encode.index("-g") + 1] == "12"


def test_a_film_is_encoded_once(folder, tmp_path):
    media.encode(tmp_path, FILMS[0])
    count = len(folder.commands)

    media.encode(tmp_path, FILMS[0])

    assert len(folder.commands) == count


def test_a_failure_of_ffmpeg_is_told_with_its_last_line(tmp_path, monkeypatch):
    class Failed:
        returncode, stdout, stderr = 1, "", "first\nUnknown encoder\n"

    monkeypatch.setattr(media.subprocess, "run", lambda *_, **__: Failed())

    with pytest.raises(ToolError, match="ffmpeg cannot make a film: Unknown encoder"):
        media.encode(tmp_path, Film())
