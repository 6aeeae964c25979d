"""The page that assigns a sweep by button."""

from server.models import Inspection


def test_a_sweep_by_button_is_given_to_a_restroom(sign_in, say, post, room, rows):
    say.sweep("demo-1", "u3-1")
    say.finding("demo-1", "u3-1")
    client = sign_in("inspector")
    page = client.get("/inspect").text
    assert 'href="/sweeps/demo-1/u3-1"' in page and "1 finding" in page

    assert "Please choose one." in post(client, "/sweeps/demo-1/u3-1", {}).text
    answer = post(client, "/sweeps/demo-1/u3-1", {"room": room})

    running = rows(Inspection)[0]
    assert answer.request.path == f"/inspections/{running.public_id}"
    assert "13 / 13" in answer.text and "Camera-like video stream over Wi-Fi" in answer.text
    assert client.get("/sweeps/demo-1/u3-1").location == "/inspect"
