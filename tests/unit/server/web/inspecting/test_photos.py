"""Photos: what pages show, and what is refused."""

import re

from server.models import Photo
from tests.support.pictures import jpeg
from tests.unit.server.web.conftest import find

IMAGE = re.compile(r'src="(/photos/[^"]+)"')


def test_a_photo_is_shown_without_the_cameras_notes_and_the_original_is_for_managers(begin, upload, rows, sign_in):
    client, running = begin()
    data = jpeg()

    page = upload(client, f"/inspections/{running}/photos", {"note": "vent"}, f"/inspections/{running}", photo=data)

    assert "The photo has been kept." in page.text and rows(Photo)[0].sha256 in page.text
    shown = client.get(find(IMAGE, page.text))
    assert shown.mimetype == "image/jpeg" and b"Maker of the phone" not in shown.data
    original = f"/photos/{rows(Photo)[0].public_id}/original"
    assert client.get(original).status_code == 403
    answer = sign_in("manager").get(original)
    assert answer.data == data and answer.headers["Content-Disposition"].startswith("attachment")


def test_what_is_no_photo_is_refused_in_words(begin, upload, rows):
    client, running = begin()

    page = upload(client, f"/inspections/{running}/photos", {}, f"/inspections/{running}", photo=b"<script>")
    assert "Only photos as JPEG, HEIC, AVIF, PNG or WebP are taken." in page.text
    page = upload(client, f"/inspections/{running}/photos", {}, f"/inspections/{running}")
    assert "No photo came with the form." in page.text
    assert rows(Photo) == []


def test_a_swapped_original_is_not_served(begin, upload, rows, sign_in, app):
    client, running = begin()
    upload(client, f"/inspections/{running}/photos", {}, f"/inspections/{running}", photo=jpeg())
    (photo,) = rows(Photo)
    (original,) = (app.extensions["settings"].data / "photos" / "original").rglob(photo.sha256)
    original.write_bytes(jpeg(colour="red"))

    assert client.get(f"/photos/{photo.public_id}.jpg").status_code == 410
    assert sign_in("manager").get(f"/photos/{photo.public_id}/original").status_code == 410
