"""Inputs that made something fail once are replayed, and each target of the fuzzer still runs."""

import random

import pytest

from tests.fuzz import mutation, targets
from tests.fuzz.corpus import read


@pytest.fixture(scope="module")
def installation():
    with targets.installations("sqlite") as made:
        yield made


@pytest.fixture(scope="module", params=list(targets.TARGETS))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def target(installation, name):
    made = targets.TARGETS[name](installation)
    yield made
    if hasattr(made, "close"):
        made.close()


def test_what_failed_once_fails_no_more(target, name):
    for data in read(name):
        target.run(data)


def test_seeds_and_some_mutations_of_them_run(target, name):
    draw = random.Random(7)

    for data in target.seeds if name != "web" else target.seeds[:20]:
        target.run(data)
        target.run(mutation.mutate(data, target.seeds, draw))


def test_an_input_is_made_shorter_as_long_as_it_fails():
    assert mutation.shorten(b"0123456789" * 20 + b"!" + b"abc" * 9, lambda data: b"!" in data) == b"!"
