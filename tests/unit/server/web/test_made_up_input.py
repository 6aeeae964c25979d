"""Addresses and forms that no page of ours makes."""

import pytest

HUGE = "9" * 30


@pytest.mark.parametrize(
    "address",
    [
        f"/emitters?before={HUGE}",
        "/holes?before=zz",
        f"/findings/alarms?days={HUGE}",
        "/inspect?number=%00abc",
        "/campaigns/zz",
        "/photos/zz.jpg",
        "/sweeps/demo-1/zz",
        "/checklists/facility/zz",
    ],
)
def test_an_address_that_somebody_made_up_breaks_nothing(sign_in, address):
    assert sign_in("manager").get(address).status_code in (200, 400, 404)


@pytest.mark.parametrize(
    "address, form",
    [
        (f"/emitters/{HUGE}/renew", {}),
        ("/emitters", {"facility": "zz", "kind": "neighbour"}),
        ("/inspections/%s/sign", {"person": HUGE, "strokes": "[]"}),
        ("/inspections/%s/eye", {"stall": HUGE, "rest": "1"}),
        ("/inspections/%s/holes", {"stall": "-1", "place": "x"}),
        ("/campaigns/new", {"name": "x" * 5000, "day": "9999-12-31"}),
    ],
)
def test_a_form_that_somebody_made_up_breaks_nothing(begin, sign_in, post, address, form):
    client, running = begin(client=sign_in("manager"))

    answer = post(client, address % running if "%s" in address else address, form, page="/me")

    assert answer.status_code in (200, 404)


@pytest.mark.parametrize("address", ["/login", "/restrooms", "/r/x", "/api/v1/restrooms", "/nothing"])
def test_a_query_of_bytes_that_are_no_text_is_no_error_of_the_server(app, sign_in, address):
    """As gunicorn passes them on; a browser would encode them."""
    environ = {"QUERY_STRING": "search=\x8b\xff&next=\xc3("}

    for client in (app.test_client(), sign_in("manager")):
        assert client.get(address, environ_overrides=environ).status_code < 500
