"""Leases: one holder at a time, whatever the clocks say; a dead or frozen holder is replaced."""

import pytest

from server.services.upkeep.leader_election import EVERY_S, LOST_S, Lease


@pytest.fixture
def lease(sessions):
    return lambda holder, name="work": Lease(sessions, name, holder)


def test_the_first_holds_it_and_renews(lease):
    first, second = lease("first"), lease("second")

    for at in range(0, 10 * LOST_S, EVERY_S):
        assert (first.keep(at), second.keep(at + 1)) == (True, False)


def test_a_holder_that_is_gone_is_replaced_once(lease):
    first, second, third = (lease(name) for name in ("first", "second", "third"))
    first.keep(0)
    assert [other.keep(1) for other in (second, third)] == [False, False]

    assert [other.keep(LOST_S) for other in (second, third)] == [False, False]
    assert [other.keep(LOST_S + 1) for other in (second, third)] == [True, False]


def test_a_frozen_holder_notices_and_waits_like_the_others(lease):
    first, second = lease("first"), lease("second")
    first.keep(0)
    second.keep(0)
    second.keep(LOST_S)

    assert not first.keep(LOST_S + 1) and not first.is_held and second.keep(LOST_S + 2)
    assert not first.keep(LOST_S + 3)


def test_a_holder_that_starts_again_goes_on_at_once(lease):
    lease("first").keep(0)

    assert lease("first").keep(100_000)


def test_what_was_given_up_is_free_at_once(lease):
    first, second = lease("first"), lease("second")
    first.keep(0)
    second.keep(0)

    first.release()

    assert second.keep(1) and not first.is_held and not first.keep(2)


def test_leases_of_two_names_are_apart(lease):
    assert lease("first", "one").keep(0) and lease("second", "other").keep(0)
