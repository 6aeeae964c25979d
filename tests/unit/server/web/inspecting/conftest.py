"""An inspection that is over."""

import pytest


@pytest.fixture
def finished(begin, post, look, sign_in):
    """(client, public id) of an inspection by two people that is over but not signed."""
    sign_in("manager")
    client, running = begin(partner="Officer Lee", agency="Police")
    look(running)
    post(client, f"/inspections/{running}/steps/eye", {"outcome": "none_found"})
    post(client, f"/inspections/{running}/finish", {"result": "none_found"})
    return client, running
