"""The page of an organisation's checklist."""

from tests.unit.server.web.conftest import find


def test_a_list_of_ones_own_is_a_new_version(sign_in, app, post, begin):
    client = sign_in("manager")
    address = find(r'href="(/checklists/organisation/[^"]+)"', client.get("/checklists").text)
    form = {"key": ["", ""], "text": ["벽", ""], "text_en": ["Walls", ""], "where": ["stall", "stall"]}

    page = post(client, address, form)

    assert "Version 1 of the list" in page.text and "Walls" in page.text
    inspecting, running = begin()
    assert "Walls" in inspecting.get(f"/inspections/{running}/eye").text
    page = post(client, address, {"drop": "1"})
    assert "the one that comes with the program" in page.text
