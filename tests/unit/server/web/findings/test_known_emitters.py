"""The page of known devices."""

from server.models import KnownEmitter
from tests.unit.server.web.conftest import find


def test_a_known_device_is_added_and_taken_off_with_the_reason(sign_in, post, rows, app):
    client = sign_in("manager")
    site = find(r'<option value="([^"]+)"', client.get("/emitters").text)
    form = {"facility": site, "kind": "neighbour", "address": "no", "label": "CCTV", "why": "seen", "days": "30"}

    assert "An address looks like" in post(client, "/emitters", form).text
    page = post(client, "/emitters", {**form, "address": "00:12:34:56:78:9A"})
    assert "00:12:34:56:78:9a" in page.text and "approved by Manager" in page.text
    known = rows(KnownEmitter)[0].id
    post(client, f"/emitters/{known}/withdraw", {"why": ""}, page="/emitters")
    assert rows(KnownEmitter)[0].withdrawn_s is None
    post(client, f"/emitters/{known}/withdraw", {"why": "taken down"}, page="/emitters")

    assert "00:12:34:56:78:9a" not in client.get("/emitters").text
    assert "taken down" in client.get("/emitters?state=withdrawn").text
