"""Web processes on PostgreSQL share their limits."""

import pytest

from server import create_app

pytestmark = pytest.mark.postgresql


def test_failed_sign_ins_count_for_all_web_processes(settings):
    statuses = []
    for _ in range(4):
        client = create_app(settings).test_client()
        for _ in range(8):
            page = client.get("/login").text
            token = page.split('name="csrf_token" value="')[1].split('"')[0]
            form = {"csrf_token": token, "login": f"kim{len(statuses)}", "password": "wrong"}
            statuses.append(client.post("/login", data=form).status_code)

    assert 429 not in statuses[:30]
    assert set(statuses[30:]) == {429}
