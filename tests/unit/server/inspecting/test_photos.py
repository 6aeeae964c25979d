import hashlib
import io

import pytest
from PIL import Image

from server.models import LogEntry, Photo
from server.services.errors import NotFound, Refused
from server.services.inspecting import holes, inspections, photos
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


def test_the_original_is_kept_as_it_came_under_its_digest(take, place):
    data = jpeg()

    taken = take(data)

    assert taken.sha256 == hashlib.sha256(data).hexdigest()
    assert photos.original_path(place, taken).read_bytes() == data
    assert (taken.media_type, taken.size_bytes, taken.width, taken.height) == ("image/jpeg", len(data), 64, 48)
    assert photos.is_intact(place, taken)


def test_what_is_served_has_none_of_the_cameras_notes_and_stands_upright(take, place):
    data = jpeg(64, 48, turned=6)  # the phone was held upright
    assert b"Maker of the phone" in data

    taken = take(data)

    for small in (True, False):
        served = photos.served_path(place, taken, small).read_bytes()
        assert b"Maker of the phone" not in served and b"Exif" not in served
        shown = Image.open(io.BytesIO(served))
        assert not shown.getexif() and shown.size == (48, 64)


def test_large_photos_are_served_smaller(take, place):
    taken = take(jpeg(2400, 1800))

    assert Image.open(photos.served_path(place, taken)).size == (1600, 1200)
    assert Image.open(photos.served_path(place, taken, small=True)).size == (360, 270)


def test_a_copy_that_is_lost_is_drawn_again(take, place):
    taken = take(jpeg())
    path = photos.served_path(place, taken)
    path.unlink()

    assert photos.served_path(place, taken).exists()


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
    assert photos.original_path(place, same).exists()
    with pytest.raises(NotFound):
        photos.served_path(place, one)

    photos.remove(session, place, [same])
    assert [path for path in place.rglob("*") if path.is_file()] == []
    assert session.query(Photo).count() == 2 and photos.list_photos(session, inspection_id=running.id) == []


def test_files_are_for_the_server_alone(take, place):
    taken = take(jpeg())

    assert photos.original_path(place, taken).stat().st_mode & 0o777 == 0o600
    assert list(place.rglob("*.tmp")) == []
