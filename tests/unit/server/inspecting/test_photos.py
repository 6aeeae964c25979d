import hashlib
import io
import subprocess
import sys

import pillow_heif
import pytest
from PIL import Image

from server.models import LogEntry, Photo
from server.services.errors import NotFound, Refused
from server.services.inspecting import holes, inspections, photos
from tests.conftest import ROOT
from tests.support.pictures import jpeg


@pytest.fixture
def place(tmp_path):
    return tmp_path / "photos"


@pytest.fixture
def running(session, hall, kim):
    return inspections.start(session, hall, kim)


@pytest.fixture
def take(session, place, kim, running, hall):
    def one(data, kind="eye", **owner):
        owner = owner or {"inspection": running}
        return photos.add(session, place, data, kim, kind, hall.facility_id, **owner)

    return one


def refusal(call, *arguments, **named):
    with pytest.raises(Refused) as refused:
        call(*arguments, **named)
    return refused.value.code


def test_the_original_is_kept_as_it_came_under_its_digest(take, place, session):
    data = jpeg()

    taken = take(data)

    assert taken.sha256 == hashlib.sha256(data).hexdigest()
    assert photos.read_original(session, place, taken) == data
    assert (taken.media_type, taken.size_bytes, taken.width, taken.height) == ("image/jpeg", len(data), 64, 48)
    assert photos.find_changed(session, place, [taken]) == []


def test_what_is_served_has_none_of_the_cameras_notes_and_stands_upright(take, place, session):
    data = jpeg(64, 48, turned=6)  # the phone was held upright
    assert b"Maker of the phone" in data

    taken = take(data)

    for small in (True, False):
        served = photos.read_served(session, place, taken, small)
        assert b"Maker of the phone" not in served and b"Exif" not in served
        shown = Image.open(io.BytesIO(served))
        assert not shown.getexif() and shown.size == (48, 64)


def test_large_photos_are_served_smaller(take, place, session):
    taken = take(jpeg(2400, 1800))

    assert Image.open(io.BytesIO(photos.read_served(session, place, taken))).size == (1600, 1200)
    assert Image.open(io.BytesIO(photos.read_served(session, place, taken, small=True))).size == (360, 270)


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.write_bytes(jpeg(colour="red"))])
def test_a_copy_that_is_lost_or_swapped_is_drawn_again(take, place, session, small, change):
    taken = take(jpeg())
    before = photos.read_served(session, place, taken, small)
    change(next((place / ("small" if small else "served")).rglob("*.jpg")))

    assert photos.read_served(session, place, taken, small) == before


def swap(place, taken, data):
    path = place / "original" / taken.sha256[:2] / taken.sha256
    path.write_bytes(data)


@pytest.mark.parametrize("with_copies", [False, True])
def test_a_swapped_original_is_not_served(take, place, session, with_copies):
    taken = take(jpeg())
    swap(place, taken, jpeg(colour="red"))
    if not with_copies:
        for path in place.rglob("*.jpg"):
            path.unlink()

    assert refusal(photos.read_original, session, place, taken) == "photo_changed"
    assert refusal(photos.read_served, session, place, taken) == "photo_changed"
    assert photos.find_changed(session, place, [taken]) == [taken]


def test_a_row_that_was_changed_to_a_swapped_original_is_noticed_by_the_log(take, place, session):
    taken, other = take(jpeg()), take(jpeg(colour="red"))
    taken.sha256 = other.sha256
    session.flush()

    assert refusal(photos.read_served, session, place, taken) == "photo_changed"
    assert refusal(photos.read_served, session, place, taken, small=True) == "photo_changed"


def encoded(form, mode="RGB", size=(80, 60), **options):
    pillow_heif.register_heif_opener()
    made = io.BytesIO()
    Image.new(mode, size, 1 if mode in ("1", "P", "I;16") else "teal").save(made, form, **options)
    return made.getvalue()


def two_pictures():
    pictures = [Image.new("RGB", (80, 60), colour) for colour in ("teal", "red")]
    made = io.BytesIO()
    pictures[0].save(made, "MPO", save_all=True, append_images=pictures[1:])
    return made.getvalue()


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (two_pictures(), "image/jpeg"),
        (two_pictures()[:-40], "image/jpeg"),
        (encoded("JPEG", progressive=True), "image/jpeg"),
        (encoded("JPEG", "CMYK"), "image/jpeg"),
        (encoded("JPEG", "L"), "image/jpeg"),
        (encoded("HEIF"), "image/heic"),
        (encoded("AVIF"), "image/avif"),
        (encoded("WEBP", "RGBA"), "image/webp"),
        *((encoded("PNG", mode), "image/png") for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
    ],
)
def test_what_phones_make_is_kept(take, place, session, data, media_type):
    taken = take(data)

    assert (taken.media_type, taken.width, taken.height) == (media_type, 80, 60)
    for small in (False, True):
        shown = Image.open(io.BytesIO(photos.read_served(session, place, taken, small)))
        assert (shown.format, shown.mode, shown.size) == ("JPEG", "RGB", (80, 60))


def test_a_photo_of_59_megapixels_needs_little_memory():
    script = (
        "import io, resource, sys\n"
        "from PIL import Image\n"
        "from server.services.inspecting import photos\n"
        "data = sys.stdin.buffer.read()\n"
        "photos.receive(data[:0] or data)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)\n"
    )
    data = encoded("JPEG", size=(8850, 6660))
    small = encoded("JPEG", size=(64, 48))

    def peak_mb(content):
        ended = subprocess.run([sys.executable, "-c", script], input=content, cwd=ROOT, capture_output=True, check=True)
        return int(ended.stdout)

    assert peak_mb(data) - peak_mb(small) < 100


@pytest.mark.parametrize("options", [{"form": "PNG"}, {"form": "JPEG", "progressive": True}])
def test_a_picture_that_cannot_be_decoded_smaller_is_bounded(take, options):
    assert refusal(take, encoded(size=(9000, 6600), **options)) == "photo_too_large"


@pytest.mark.parametrize(
    "data, code",
    [
        (b"", "photo_empty"),
        (b"not a photo", "photo_type_bad"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "photo_type_bad"),
        (b"GIF89a" + bytes(50), "photo_type_bad"),
        (jpeg(400, 300)[:600], "photo_broken"),
        (bytes((12 << 20) + 1), "photo_too_large"),
    ],
)
def test_rubbish_is_refused(take, session, data, code):
    assert refusal(take, data) == code
    assert session.query(Photo).count() == 0


def test_a_small_file_that_unpacks_to_a_huge_picture_is_refused(take):
    bomb = io.BytesIO()
    Image.new("1", (9_000, 9_000)).save(bomb, "PNG")
    assert len(bomb.getvalue()) < 100_000

    assert refusal(take, bomb.getvalue()) == "photo_too_large"


def test_a_finished_inspection_takes_no_photo_but_its_hole_does(session, take, running, hall, kim):
    hole = holes.add(session, hall, kim, 1, "partition", running)
    inspections.finish(session, running, kim, "not_completed", "fire alarm")

    assert refusal(take, jpeg()) == "finished"
    assert take(jpeg(), "hole", hole=hole).hole_id == hole.id


def test_the_log_holds_the_digest(session, take):
    taken = take(jpeg())

    entry = session.query(LogEntry).filter(LogEntry.kind == "photo.taken").one()
    assert taken.sha256 in entry.body and entry.subject == taken.public_id


def test_removing_deletes_the_bytes_unless_another_row_has_the_same(session, take, place, running, hall, kim):
    hole = holes.add(session, hall, kim, 1, "partition", running)
    one, same = take(jpeg()), take(jpeg(), "hole", hole=hole)

    assert photos.remove(session, place, [one]) == 1
    session.expire_all()
    assert photos.read_original(session, place, same)
    with pytest.raises(NotFound):
        photos.read_served(session, place, one)

    photos.remove(session, place, [same])
    assert [path for path in place.rglob("*") if path.is_file()] == []
    assert session.query(Photo).count() == 2 and photos.list_photos(session, inspection_id=running.id) == []


def test_files_are_for_the_server_alone(take, place):
    take(jpeg())

    assert {path.stat().st_mode & 0o777 for path in place.rglob("*") if path.is_file()} == {0o600}
    assert list(place.rglob("*.tmp")) == []
