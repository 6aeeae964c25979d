"""Check-in by the code or the number on a door."""


def test_the_code_on_the_door_leads_an_inspector_to_the_inspection(sign_in, stranger, begin, room):
    assert "/inspect/" not in stranger().get(f"/r/{room}").text
    assert "/inspect/" not in sign_in("viewer").get(f"/r/{room}").text
    client = sign_in("inspector")
    assert f'href="/inspect/{room}"' in client.get(f"/r/{room}").text

    assert client.get(f"/inspect/{room}").location == f"/restrooms/{room}/inspect"
    _, running = begin(client=client)
    assert client.get(f"/inspect/{room}").location == f"/inspections/{running}"


def test_the_number_on_the_door_can_be_typed_as_people_type(sign_in, room):
    client = sign_in("inspector")

    for typed in (room, room.upper(), f" {room[:5]}-{room[5:]} ", f"https://example.org/r/{room}"):
        assert client.get("/inspect", query_string={"number": typed}).location == f"/inspect/{room}", typed
    assert "Women&#39;s, ground floor" in client.get("/inspect?number=여자화장실").text
    assert "Nothing fits these words." in client.get("/inspect?number=zzzz").text
