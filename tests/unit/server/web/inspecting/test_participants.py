"""People who take part in an inspection."""

from server.models import InspectionPerson, User


def test_a_colleague_with_an_account_takes_part(sign_in, begin, rows, post, app):
    sign_in("manager")
    with app.extensions["sessions"]() as session:
        colleague = session.query(User).filter_by(login="manager").one().public_id

    client, running = begin(colleague=colleague, partner="Officer Lee", agency="Police")

    assert [(one.name, one.user_id is not None) for one in rows(InspectionPerson)] == [
        ("Inspector", True),
        ("Manager", True),
        ("Officer Lee", False),
    ]
    page = post(client, f"/inspections/{running}/people", {"colleague": colleague}, page=f"/inspections/{running}")
    assert "This person takes part already." in page.text
    post(client, f"/inspections/{running}/people", {"partner": "Choi"}, page=f"/inspections/{running}")
    assert rows(InspectionPerson)[-1].name == "Choi"
