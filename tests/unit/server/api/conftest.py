"""Programs that ask, each with a token of somebody with a role. The application is the pages'."""

import pytest
from sqlalchemy import select

from server.models import Facility, User, UserPlace
from server.services.people import accounts, tokens
from server.services.places import facilities, organisations
from tests.unit.server.web.conftest import (  # noqa: F401
    app,
    compiled_templates,
    demo_installation,
    room,
    say,
    settings,
)

BASE = "/api/v1"


class Program:
    """A test client that shows a token, and takes and gives JSON."""

    def __init__(self, application, token):
        self._client, self._token = application.test_client(), token

    def get(self, path, **query):
        return self._ask("GET", path, query_string=query)

    def post(self, path, body, key=None):
        return self._ask("POST", path, json=body, headers={"Idempotency-Key": key} if key else {})

    def _ask(self, method, path, headers=None, **options):
        headers = {"Authorization": f"Bearer {self._token}", **(headers or {})}
        return self._client.open(BASE + path, method=method, headers=headers, **options)


@pytest.fixture
def person(app, hashed):  # noqa: F811
    """A function that returns a person with a role, made when first asked for. elsewhere: in another city only."""

    def make(session, role, elsewhere=False):
        login = f"{role}-api" + "-elsewhere" * elsewhere
        found = session.scalar(select(User).where(User.login == login))
        if found is None:
            found, _ = accounts.add_user(session, login, role.title(), role)
            found.must_change_password = False
            if elsewhere:
                other = session.scalar(select(Facility).where(Facility.name == "Elsewhere"))
                if other is None:
                    other = facilities.add(session, organisations.add(session, "Others"), "Elsewhere")
                found.everywhere = False
                session.add(UserPlace(user_id=found.id, facility_id=other.id))
        return found

    return make


@pytest.fixture
def program(app, person):  # noqa: F811
    """A function that returns a Program with the token of a person; scopes: None for all the role has."""

    def make(role="manager", wanted=None, elsewhere=False):
        with app.extensions["sessions"].begin() as session:
            user = person(session, role, elsewhere)
            _, shown = tokens.create(session, user, "test", wanted or accounts.RIGHTS[role], 1)
        return Program(app, shown)

    return make
