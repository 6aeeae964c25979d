"""The pages of holes."""

from server.models import Hole
from tests.support.pictures import jpeg


def test_a_hole_is_recorded_with_its_photo_sticker_and_ticket_and_repaired_later(begin, upload, post, rows):
    client, running = begin()
    form = {"stall": "2", "place": "left partition", "sticker": "1", "ticket": "FM-7"}

    page = upload(client, f"/inspections/{running}/holes", form, f"/inspections/{running}", photo=jpeg())

    assert "left partition" in page.text and "ticket FM-7" in page.text
    hole = rows(Hole)[0].public_id
    page = client.get(f"/holes/{hole}").text
    assert page.index("Timeline") < page.rindex("Reported for repair") < page.rindex("Covered with a sticker")
    assert "Please give the reason" in post(client, f"/holes/{hole}", {"kind": "closed"}).text
    post(client, f"/holes/{hole}", {"kind": "closed", "text": "filled"})
    assert "left partition" in client.get("/holes?state=closed").text
    assert "left partition" not in client.get("/holes").text
