"""The page of messages that could not be stored."""

from server import clock
from server.services.intake import dead_letters

BODY = b'{"subject":"c0:ff:ee:00:12:34","n":"<b>"}'


def test_administrators_see_reason_and_bytes_without_addresses(sign_in, app):
    with app.extensions["sessions"].begin() as session:
        dead_letters.add(session, "hall-1", "ansim/1/hall-1/report", "KeyError in derive", BODY, clock.now_s())

    page = sign_in("admin").get("/dead-letters")

    assert "hall-1" in page.text and "KeyError in derive" in page.text
    assert BODY[:11].hex(" ") in page.text
    assert b"c0:ff:ee".hex(" ") not in page.text and "c0:ff:ee" not in page.text and "<b>" not in page.text
    assert "/dead-letters" in sign_in("admin").get("/sensors").text
    assert sign_in("manager").get("/dead-letters").status_code == 403
