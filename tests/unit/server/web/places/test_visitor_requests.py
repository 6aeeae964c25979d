"""A visitor at the door asks for an inspection; whoever looks after the place sees it."""


def test_a_visitor_asks_without_an_account_and_the_people_of_the_place_see_it(stranger, sign_in, post, room):
    visitor, door = stranger(), f"/r/{room}"
    assert "Ask for an inspection" in visitor.get(door).text

    page = post(visitor, f"{door}/ask", page=door)

    assert "Thank you." in page.text and "It has not been done yet." in page.text
    post(stranger(), f"{door}/ask", page=door)
    assert "asked for by 2 people" in visitor.get(door).text
    client = sign_in()
    assert "2 visitors asked for an inspection" in client.get(f"/restrooms/{room}").text
    assert "asked for 2 times" in client.get("/plan?show=asked").text
    assert "show=asked" in client.get("/plan").text


def test_nobody_asks_for_ever(stranger, post, room):
    visitor, door = stranger(), f"/r/{room}"

    answers = [post(visitor, f"{door}/ask", page=door, follow=False).status_code for _ in range(6)]

    assert answers == [302] * 5 + [429]
